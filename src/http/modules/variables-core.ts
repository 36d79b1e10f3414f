/** The variables that are there in every configuration: request, reply and connection. */
import { httpModule } from '../module.ts';
import { connectionVariables } from './variables-connection.ts';
import { replyVariables } from './variables-reply.ts';
import { requestVariables } from './variables-request.ts';

export const coreVariables = httpModule({
  name: 'http_core_variables',
  directives: {},
  variables: { ...requestVariables, ...replyVariables, ...connectionVariables },
});
