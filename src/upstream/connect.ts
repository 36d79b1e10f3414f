/** The beginning of attempts and what may happen to their connections. */

import { ERROR, INFO } from '../log/levels.ts';
import { type Connection, connect as connectSocket } from '../net/connection.ts';
import { monotonic } from '../net/timers.ts';
import { errorText } from '../platform/errno.ts';
import { PeerStream } from '../tls/peer-stream.ts';
import { Attempt } from './attempt.ts';
import { connectBound } from './bind.ts';
import { connectFailure } from './connect-failure.ts';
import { NEXT, type Peer, type Reply } from './contract.ts';
import { beginTls, handshakeCut, tlsFailed, trusted } from './handshake.ts';
import { feedDue } from './limit-rate.ts';
import { finalizeUpstream, next } from './next.ts';
import { resume } from './pass-body.ts';
import { PeerConnection } from './peer-connection.ts';
import { NO_HEAD } from './reply-head.ts';
import { resolve } from './resolve.ts';
import { send } from './send.ts';
import {
  AWAITING,
  BODY_ACTION,
  CONNECTING,
  CONNECTING_ACTION,
  HEAD_ACTION,
  NO_LIVE,
  PASSING,
  SHAKING,
  TUNNELLING,
} from './states.ts';
import { tunnelEnded } from './tunnel.ts';
import type { Upstream } from './upstream.ts';

/** The request is ready to be passed on. */
export const begin = (u: Upstream): void => {
  u.now = monotonic();
  if (!u.conf.cache?.begin(u)) ask(u);
};

/** Nothing that is kept answers the request: it goes to a peer. */
export const ask = (u: Upstream): void => {
  const text = u.protocol.head(u.request, u);
  if (text === undefined) {
    finalizeUpstream(u, 500);
    return;
  }
  u.text = text;
  choose(u);
};

/** Makes the first attempt, once it is known among which peers. */
export const choose = (u: Upstream): void => {
  const source = u.group.source(u.request);
  if (source === undefined) {
    resolve(u);
    return;
  }
  u.source = source;
  u.started = u.now;
  const { nextUpstreamTries } = u.conf;
  if (nextUpstreamTries > 0 && source.tries > nextUpstreamTries) source.tries = nextUpstreamTries;
  connect(u);
};

/** Begins an attempt at the next peer. */
export const connect = (u: Upstream): void => {
  const { attempts, attempt: last, source, group, conf } = u;
  u.action = CONNECTING_ACTION;
  const { now } = u;
  if (attempts.length > 0 && last.responseTime < 0) last.responseTime = now - u.attemptStarted;
  const attempt = new Attempt(group.name);
  attempts.push(attempt);
  u.attempt = attempt;
  u.attemptStarted = now;
  u.failed = false;
  if (u.requestSent) reset(u);
  const peer = source?.pick();
  u.peer = peer;
  if (!peer) {
    u.log(ERROR, 'no live upstreams');
    next(u, NO_LIVE);
    return;
  }
  attempt.peer = peer.name;
  const pooled = group.pool?.take(peer, conf);
  u.cached = pooled !== undefined;
  if (pooled) {
    const { connection } = pooled;
    pooled.idle = now - pooled.parkedAt;
    use(u, pooled, connection);
    u.sentBefore = connection.sent;
    connection.handler = u;
    const { tls } = u.protocol;
    if (tls && !(connection instanceof PeerStream)) beginTls(u, connection, tls);
    else established(u, connection);
    return;
  }
  open(u, peer);
};

/** Forgets what the last attempt read and sent. */
const reset = (u: Upstream): void => {
  u.head = NO_HEAD;
  u.trailers = undefined;
  u.keep = false;
  u.failed = false;
  u.requestSent = false;
  u.bodySent = false;
  u.answered = false;
  u.sender = undefined;
  u.framed = undefined;
};

const use = (u: Upstream, peerConnection: PeerConnection, connection: Connection): void => {
  peerConnection.requests++;
  u.peerConnection = peerConnection;
  u.connection = connection;
};

const open = (u: Upstream, peer: Peer): void => {
  const { bind } = u.conf;
  const connection = bind
    ? connectBound(u, bind.address.text(u.request), bind.transparent, peer.to)
    : connectSocket(peer.to, u);
  if (!connection) {
    finalizeUpstream(u, 500);
    return;
  }
  use(u, new PeerConnection(connection, peer), connection);
  u.sentBefore = 0;
  u.phase = CONNECTING;
  connection.timer.start(u.conf.connectTimeout, u.now);
};

/** The connection that an attempt opened is there, or TLS has been agreed on. */
export const connected = (u: Upstream): void => {
  const { connection } = u;
  const { tls } = u.protocol;
  if (!connection) return;
  if (u.phase === SHAKING) {
    if (connection instanceof PeerStream && tls && trusted(u, connection, tls)) established(u, connection);
    return;
  }
  if (u.phase !== CONNECTING) return;
  if (u.conf.socketKeepalive) connection.socket.setKeepAlive();
  if (tls) beginTls(u, connection, tls);
  else established(u, connection);
};

const established = (u: Upstream, connection: Connection): void => {
  u.attempt.connectTime = u.now - u.attemptStarted;
  u.reply = u.protocol.reply(u.request, u);
  if (!u.reply) {
    next(u, NEXT.error);
    return;
  }
  u.phase = AWAITING;
  if (u.protocol.unasked) granted(u, u.reply);
  else send(u, connection);
};

/** The connection is the answer. */
const granted = (u: Upstream, reply: Reply): void => {
  u.requestSent = true;
  u.bodySent = true;
  reply.feed(EMPTY, 0, 0);
};
const EMPTY = Buffer.alloc(0);

/** `(reused connection, idle 58.012s, request 12)`: what explains a close that nginx only reports. */
const history = ({ peerConnection }: Upstream): string => {
  if (!peerConnection) return '';
  const { idle, requests } = peerConnection;
  if (idle < 0) return ' (new connection)';
  return ` (reused connection, idle ${(idle / 1000).toFixed(3)}s, request ${requests})`;
};

/** The peer has closed its side: the end of the reply, or too early. */
export const onPeerEnd = (u: Upstream): void => {
  const { phase } = u;
  if (phase === TUNNELLING) {
    tunnelEnded(u);
    return;
  }
  if (phase === SHAKING) {
    handshakeCut(u);
    return;
  }
  if (phase !== AWAITING && phase !== PASSING) return;
  const { attempt } = u;
  u.reply?.end();
  if (u.attempt !== attempt || u.phase !== phase) return;
  u.action = phase === AWAITING ? HEAD_ACTION : BODY_ACTION;
  const { action } = u;
  u.action = action + history(u);
  u.log(ERROR, 'upstream prematurely closed connection');
  u.action = action;
  fail(u);
};

const fail = (u: Upstream): void => {
  if (u.phase === PASSING) finalizeUpstream(u, 502);
  else if (u.phase === TUNNELLING) tunnelEnded(u);
  else next(u, NEXT.error);
};

/** The connection is gone: it could not be made, it broke, or an end came that was told by `onPeerEnd`. */
export const onConnectionClosed = (u: Upstream): void => {
  const error = u.connection?.error;
  if (u.phase === CONNECTING) {
    connectFailed(u, error);
    return;
  }
  const { connection } = u;
  if (connection instanceof PeerStream && tlsFailed(u, connection)) {
    fail(u);
    return;
  }
  // A reset is an end like any other to TLS, as in nginx.
  if (!error || u.phase === SHAKING || (connection instanceof PeerStream && error.syscall === 'read')) {
    onPeerEnd(u);
    return;
  }
  if (u.phase === PASSING) u.action = BODY_ACTION;
  else if (error.syscall === 'read' && u.phase === AWAITING) u.action = HEAD_ACTION;
  const buffered = u.phase === PASSING && u.buffering;
  const call = error.syscall !== 'read' ? 'writev()' : buffered ? 'readv()' : 'recv()';
  const { action } = u;
  u.action = u.cached && !u.answered ? action + history(u) : action;
  u.log(ERROR, `${call} failed (${errorText(error)})`);
  u.action = action;
  fail(u);
};

const connectFailed = (u: Upstream, error: Connection['error']): void => {
  const from = u.conf.bind?.address.text(u.request) ?? '';
  const { level, message, final } = connectFailure(error, u.peer, from);
  u.log(level, message);
  if (final) finalizeUpstream(u, 500);
  else next(u, NEXT.error);
};

/** A timeout of the connection, or the end of a pause that `limit_rate` made. */
export const onTimedOut = (u: Upstream): void => {
  if (u.limited) {
    u.limited = false;
    if (u.limit) feedDue(u, u.limit);
    if (!u.limited) resume(u);
    return;
  }
  if (u.phase === CONNECTING || u.phase === AWAITING || u.phase === SHAKING) {
    if (u.phase === AWAITING && u.bodySent) u.action = HEAD_ACTION;
    next(u, NEXT.timeout);
    return;
  }
  if (u.phase !== PASSING && u.phase !== TUNNELLING) return;
  if (u.phase === PASSING) u.action = BODY_ACTION;
  u.log(u.phase === TUNNELLING ? INFO : ERROR, 'upstream timed out (110: Connection timed out)');
  finalizeUpstream(u, u.phase === TUNNELLING ? 504 : 502);
};
