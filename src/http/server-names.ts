/** Choosing the server by the host of a request; see values/server-names.ts. */
import * as values from '../values/server-names.ts';
import type { Server } from './location.ts';
import type { Request } from './request.ts';

export { isServerName } from '../values/server-names.ts';
export type ServerName = values.ServerName<Request>;
export type ServerNames = values.ServerNames<Server, Request>;
export const ServerNames = values.ServerNames<Server, Request>;
