/** What TLS is for a server of stream. */
import type { Alpn } from '../tls/alpn.ts';
import type { ServerTls } from '../tls/conf/server.ts';
import type { Session } from './session.ts';

export interface StreamTls {
  /** undefined: its clients are served as the default server's. */
  readonly own: ServerTls<Session> | undefined;
  /** What ALPN may choose from (`ssl_alpn`). */
  readonly alpn: Alpn;
  /** One of VERIFY. */
  readonly verify: number;
  /** The most that a handshake may take, ms. */
  readonly timeout: number;
}
