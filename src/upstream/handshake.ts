/** TLS to a peer: agreed on before the request is sent, and what may fail of it. */
import { isIPv4 } from 'node:net';
import { ERROR } from '../log/levels.ts';
import type { Connection } from '../net/connection.ts';
import { errorText } from '../platform/errno.ts';
import { takeErrors } from '../tls/errors.ts';
import { PeerStream } from '../tls/peer-stream.ts';
import { NEXT, type PeerTls } from './contract.ts';
import { finalizeUpstream, next } from './next.ts';
import { AWAITING, BODY_ACTION, HANDSHAKE_ACTION, HEAD_ACTION, PASSING, SHAKING } from './states.ts';
import type { Upstream } from './upstream.ts';

/** A host without its port; an address of version 6 keeps its brackets. */
const withoutPort = (name: string): string => {
  const behind = name.startsWith('[') ? Math.max(0, name.indexOf(']')) : 0;
  const colon = name.indexOf(':', behind);
  return colon < 0 ? name : name.slice(0, colon);
};

/** The name that the peer's certificate is to be for. */
const nameOf = (u: Upstream, tls: PeerTls): string => {
  const { name } = u.group;
  return withoutPort(tls.name ? tls.name.text(u.request) : name.replace(/^unix:/, ''));
};

/** Addresses are not sent as a server's name. */
const isHostName = (name: string): boolean => name !== '' && !name.startsWith('[') && !isIPv4(name);

/** Gives the connection what TLS needs for this request. False: it can't be, which has been logged. */
const prepare = (u: Upstream, stream: PeerStream, tls: PeerTls): boolean => {
  if (tls.sendsName || tls.verifies) {
    const name = nameOf(u, tls);
    stream.host = name;
    if (tls.sendsName && isHostName(name)) {
      u.debug(() => `upstream SSL server name: "${name}"`);
      if (!stream.nameHost(name)) {
        u.log(ERROR, `SSL_set_tlsext_host_name("${name}") failed${takeErrors()}`);
        return false;
      }
    }
  }
  if (tls.alpn && !stream.offer(tls.alpn)) {
    u.log(ERROR, `SSL_set_alpn_protos() failed${takeErrors()}`);
    return false;
  }
  const problem = tls.certify?.(u.request, stream.ssl) ?? '';
  if (problem === '') return true;
  u.log(ERROR, problem);
  return false;
};

/** Turns an attempt's connection to TLS; what it comes to is told as for a connection that is being made. */
export const beginTls = (u: Upstream, plain: Connection, tls: PeerTls): void => {
  const { peer, peerConnection } = u;
  if (!peer || !peerConnection) return;
  const stream = new PeerStream(plain, tls.context, peer, u);
  u.connection = stream;
  peerConnection.connection = stream;
  u.phase = SHAKING;
  if (!prepare(u, stream, tls)) {
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
  if (!tls.verifies) return true;
  const { verdict } = stream;
  if (verdict !== 0) {
    u.log(ERROR, `upstream SSL certificate verify error: (${verdict}:${stream.reason(verdict)})`);
  } else if (stream.isFor(stream.host)) {
    return true;
  } else {
    u.log(ERROR, `upstream SSL certificate does not match "${stream.host}"`);
  }
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
