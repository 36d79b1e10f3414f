/** TLS to the peer of a session (`proxy_ssl`). */
import { DEBUG, ERROR } from '../../log/levels.ts';
import type { Connection } from '../../net/connection.ts';
import { errorText } from '../../platform/errno.ts';
import { alpnOf } from '../../tls/alpn.ts';
import { PeerStream } from '../../tls/peer-stream.ts';
import type { TlsFailure } from '../../tls/stream.ts';
import type { Peer, PeerTls } from '../../upstream/contract.ts';
import { type HandshakeLog, prepareTls } from '../../upstream/peer-handshake.ts';
import type { Session } from '../session.ts';
import { LONGEST_PROTOCOL, type ProxyConf } from './conf.ts';
import type { Side } from './side.ts';

class SessionLog implements HandshakeLog {
  constructor(readonly session: Session) {}

  debug(text: () => string): void {
    if (this.session.errorLog.level >= DEBUG) this.session.note(DEBUG, text());
  }

  log(level: number, message: string): void {
    this.session.log(level, message);
  }
}

/** With what `proxy_ssl_alpn` comes to for a session. */
const offering = (tls: PeerTls<Session>, conf: ProxyConf, session: Session, log: SessionLog) => {
  const names = conf.proxy_ssl_alpn
    .map((value) => value.text(session))
    .filter(({ length }) => length > 0 && length <= LONGEST_PROTOCOL);
  for (const name of names) log.debug(() => `upstream SSL ALPN: "${name}"`);
  return names.length === 0 ? tls : { ...tls, alpn: alpnOf(names).bytes };
};

/**
 * Turns a side's connection to TLS, which `start` begins; `group` is what the peer is called where no name is
 * written. Undefined: it can't be, which has been logged.
 */
export const toTls = (
  session: Session,
  conf: ProxyConf,
  tls: PeerTls<Session>,
  side: Side,
  plain: Connection,
  peer: Peer,
  group: string,
): PeerStream | undefined => {
  const stream = new PeerStream(plain, tls.context, peer, side);
  side.connection = stream;
  const log = new SessionLog(session);
  const offered = offering(tls, conf, session, log);
  return prepareTls(log, stream, offered, session, group.replace(/^unix:/, '')) ? stream : undefined;
};

/** Why a handshake came to nothing. */
export const whyCut = ({ connection }: Side): TlsFailure => {
  if (connection instanceof PeerStream && connection.failure) return connection.failure;
  const error = connection?.error;
  const reason = error ? ` (${errorText(error)})` : '';
  return { text: `peer closed connection in SSL handshake${reason}`, level: ERROR };
};
