/** What TLS is for a server of the configuration, and for the requests that come through it. */
import type { ServerTls } from '../tls/conf/server.ts';
import { VERIFY } from '../tls/conf/verify.ts';
import type { Request } from './request.ts';

export type HttpTls = ServerTls<Request>;

/** A server without TLS of its own. */
export const NO_TLS: HttpTls = {
  context: undefined,
  fragment: 16384,
  verify: VERIFY.off,
  certify: undefined,
  examine: undefined,
};
