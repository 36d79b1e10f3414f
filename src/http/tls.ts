/** What TLS is for a server of the configuration, and for the requests that come through it. */

import type { TlsConnection, TlsServer } from '../tls/connection.ts';
import type { OcspLog } from '../tls/ocsp-client.ts';
import type { Request } from './request.ts';

/** `ssl_verify_client`. */
export const VERIFY = { off: 0, on: 1, optional: 2, optional_no_ca: 3 } as const;

export interface HttpTls extends TlsServer {
  /** One of VERIFY. */
  readonly verify: number;
  /** Chooses certificates by variables, for a request that stands for the connection; answers what is wrong, or ''. */
  readonly certify: ((request: Request, connection: TlsConnection) => string) | undefined;
  /** See `TlsBeginning.examine`. */
  readonly examine: ((connection: TlsConnection, log: OcspLog) => boolean) | undefined;
}

/** A server without TLS of its own. */
export const NO_TLS: HttpTls = {
  context: undefined,
  fragment: 16384,
  verify: VERIFY.off,
  certify: undefined,
  examine: undefined,
};
