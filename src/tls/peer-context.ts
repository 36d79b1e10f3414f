/** An SSL_CTX for connections to peers, as `proxy_ssl_*` and its like describe it. */
import { TlsContext } from './context.ts';
import { openssl } from './openssl.ts';
import { PeerSessions, sessionCallback } from './peer-sessions.ts';

const CTRL_SET_SESS_CACHE_MODE = 44;
const SESS_CACHE_CLIENT = 1;
const SESS_CACHE_NO_INTERNAL = 0x300;
const OP_NO_RENEGOTIATION = 2 ** 30;

/** Its calls throw PemError with nginx's words. */
export class PeerContext extends TlsContext {
  /** undefined: sessions are not resumed. */
  sessions: PeerSessions | undefined = undefined;

  constructor(protocols: readonly string[]) {
    super(protocols);
    // A server may ask for another handshake.
    openssl().SSL_CTX_clear_options(this.at, OP_NO_RENEGOTIATION);
  }

  reuseSessions(): void {
    const ssl = openssl();
    this.sessions = new PeerSessions();
    ssl.SSL_CTX_ctrl(this.at, CTRL_SET_SESS_CACHE_MODE, SESS_CACHE_CLIENT | SESS_CACHE_NO_INTERNAL, 0);
    ssl.SSL_CTX_sess_set_new_cb(this.at, sessionCallback());
  }
}
