/** Values with variables of requests; see values/template.ts. */
import type * as values from '../values/template.ts';
import type { Request } from './request.ts';

export { compileTemplate, plainText } from '../values/template.ts';
/** nginx's complex value. */
export type Template = values.Template<Request>;
