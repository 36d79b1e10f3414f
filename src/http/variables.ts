/** Variables of requests; see values/variables.ts. */
import { ERROR } from '../log/levels.ts';
import * as values from '../values/variables.ts';
import type { Request } from './request.ts';
import { logRequest } from './request-log.ts';

export type { Value } from '../values/variables.ts';
export type VariableDefinition = values.VariableDefinition<Request>;
export type VariableRef = values.VariableRef<Request>;
export const VariableRef = values.VariableRef<Request>;

/** Logs what is wrong with a variable. */
export const complain = (request: Request, message: string): void => logRequest(request, ERROR, message);

export class Variables extends values.Variables<Request> {
  constructor() {
    super(complain);
  }
}
