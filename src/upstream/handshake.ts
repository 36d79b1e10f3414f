/** TLS to a request's peer: agreed on before the request is sent, and what may fail of it. */
import { ERROR } from '../log/levels.ts';
import type { Connection } from '../net/connection.ts';
import { errorText } from '../platform/errno.ts';
import { PeerStream } from '../tls/peer-stream.ts';
import { NEXT, type PeerTls } from './contract.ts';
import { finalizeUpstream, next } from './next.ts';
import { peerFault, prepareTls } from './peer-handshake.ts';
import { AWAITING, BODY_ACTION, HANDSHAKE_ACTION, HEAD_ACTION, PASSING, SHAKING } from './states.ts';
import type { Upstream } from './upstream.ts';

/** Turns an attempt's connection to TLS; what it comes to is told as for a connection that is being made. */
export const beginTls = (u: Upstream, plain: Connection, tls: PeerTls): void => {
  const { peer, peerConnection } = u;
  if (!peer || !peerConnection) return;
  const stream = new PeerStream(plain, tls.context, peer, u);
  u.connection = stream;
  peerConnection.connection = stream;
  u.phase = SHAKING;
  if (!prepareTls(u, stream, tls, u.request, u.group.name.replace(/^unix:/, ''))) {
    finalizeUpstream(u, 500);
    return;
  }
  u.action = HANDSHAKE_ACTION;
  // Connecting and the handshake share one timeout.
  stream.timer.start(Math.max(1, u.conf.connectTimeout - (u.now - u.attemptStarted)), u.now);
  stream.start();
};

/** The handshake is done. False: the peer is not whom the configuration wants, and the attempt has been given up. */
export const trusted = (u: Upstream, stream: PeerStream, tls: PeerTls): boolean => {
  const fault = peerFault(stream, tls);
  if (fault === '') return true;
  u.log(ERROR, fault);
  next(u, NEXT.error);
  return false;
};

/** The peer has closed the connection in the handshake. */
export const handshakeCut = (u: Upstream): void => {
  const error = u.connection?.error;
  const reason = error ? ` (${errorText(error)})` : '';
  u.log(ERROR, `peer closed connection in SSL handshake${reason}`);
  next(u, NEXT.error);
};

/** Whether it was TLS that failed, which is logged then. */
export const tlsFailed = (u: Upstream, { failure }: PeerStream): boolean => {
  if (!failure) return false;
  const writing = failure.text.startsWith('SSL_write()');
  if (u.phase === PASSING) u.action = BODY_ACTION;
  else if (u.phase === AWAITING && !writing) u.action = HEAD_ACTION;
  u.log(failure.level, failure.text);
  return true;
};
