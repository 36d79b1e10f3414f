/** The end of an attempt: another one, or the end of the exchange. */
import { finalize, terminate } from '../http/finalize.ts';
import { FLUSH, LAST, NOTHING } from '../http/output.ts';
import { OK, type Verdict } from '../http/verdict.ts';
import { ERROR } from '../log/levels.ts';
import { NEXT, PEER_FAILED, PEER_NEXT, PEER_OK, PEER_STALE } from './contract.ts';
import type { PeerConnection } from './peer-connection.ts';
import { CLIENT_ACTION, DRAINING, IDLE, nextBit, OVER, statusFor } from './states.ts';
import type { Upstream } from './upstream.ts';

/** Methods that are not tried again once they were sent (unless `non_idempotent`). */
const oneShot = (method: string): boolean => method === 'POST' || method === 'LOCK' || method === 'PATCH';

const timedOut = (u: Upstream): boolean => {
  const { nextUpstreamTimeout } = u.conf;
  return nextUpstreamTimeout > 0 && u.now - u.started >= nextUpstreamTimeout;
};

/** The reason with what else must be allowed for a further attempt. */
const demanded = (u: Upstream, reason: number): number =>
  u.requestSent && oneShot(u.request.method) ? reason | NEXT.non_idempotent : reason;

/** Gives the attempt up for `reason`, a bit of NEXT, and makes another one where that is allowed. */
export const next = (u: Upstream, reason: number): void => {
  const stale = u.cached && reason === NEXT.error;
  const state =
    reason === NEXT.http_403 || reason === NEXT.http_404
      ? PEER_NEXT
      : stale && !u.answered
        ? PEER_STALE
        : PEER_FAILED;
  u.failed = state !== PEER_NEXT;
  release(u, state);
  if (reason === NEXT.timeout) u.log(ERROR, 'upstream timed out (110: Connection timed out)');
  const { source } = u;
  // A connection that died in the pool is no attempt.
  if (stale && source) source.tries++;
  const status = statusFor(reason);
  u.attempt.status = status;
  if (u.discarding) {
    finalizeUpstream(u, 499);
    return;
  }
  const wanted = demanded(u, reason);
  const allowed =
    source !== undefined &&
    source.tries > 0 &&
    (u.conf.nextUpstream & wanted) === wanted &&
    !(u.requestSent && u.streamed) &&
    !timedOut(u);
  if (allowed) u.connectAgain();
  else if (!u.conf.cache?.standsIn(u, wanted, true)) finalizeUpstream(u, status);
};

/** Whether the reply's status led to another attempt, or to an answer of ours. */
export const passedOver = (u: Upstream): boolean => {
  const { status } = u.head;
  const bit = nextBit(status);
  if (bit !== 0 && u.source && u.source.tries > 1) {
    const wanted = demanded(u, bit);
    const allowed = (u.conf.nextUpstream & wanted) === wanted && !(u.requestSent && u.streamed);
    if (allowed && !timedOut(u)) {
      next(u, bit);
      return true;
    }
  }
  const { cache } = u.conf;
  if (cache && ((bit !== 0 && cache.standsIn(u, bit, false)) || (status === 304 && cache.revalidated(u)))) {
    return true;
  }
  return intercepted(u);
};

/** `proxy_intercept_errors`: an error_page of ours answers for the peer. */
const intercepted = (u: Upstream): boolean => {
  const { status } = u.head;
  const { request, conf } = u;
  if (status === 404 && conf.intercept404) {
    finalizeUpstream(u, status);
    return true;
  }
  if (!conf.interceptErrors) return false;
  if (!request.location.core.error_pages.some((page) => page.status === status)) return false;
  if (status === 401) {
    const { names, values } = u.head;
    for (let i = 0; i < names.length; i++) {
      const name = names[i];
      if (name?.lower === 'www-authenticate') request.out.add(name.text, values[i] ?? '');
    }
  }
  finalizeUpstream(u, status);
  return true;
};

/** Lets go of the peer and its connection, which goes back to the pool where it may, and is closed otherwise. */
export const release = (u: Upstream, state: number): void => {
  letGo(u, state)?.discard();
};

/** As `release`, but returns a connection that can't be kept, for the caller to close. */
export const letGo = (u: Upstream, state: number): PeerConnection | undefined => {
  let leaving: PeerConnection | undefined;
  const { peer, peerConnection, connection, reply, attempt } = u;
  if (reply) {
    u.reply = undefined;
    u.protocol.done?.(reply);
  }
  u.pending = undefined;
  u.phase = IDLE;
  if (u.limited) u.limited = false;
  if (connection) attempt.sent = connection.sent - u.sentBefore;
  if (peer) {
    u.peer = undefined;
    if (peerConnection) {
      const { keepAliveTimeout } = u.head;
      peerConnection.peerTimeout = keepAliveTimeout;
      const { pool } = u.group;
      const parked = pool ? pool.park(peerConnection, u) : 'there is no pool';
      if (parked !== true) {
        u.debug(() => `free keepalive peer: connection is closed, ${parked}`);
        leaving = peerConnection;
      }
    }
    u.source?.release(peer, state);
  }
  u.peerConnection = undefined;
  u.connection = undefined;
  return leaving;
};

/** Notes how long the attempt took. */
export const stopClock = (u: Upstream): void => {
  const { attempt } = u;
  if (attempt.responseTime < 0) attempt.responseTime = u.now - u.attemptStarted;
};

/** Frees what the exchange holds, and with that the exchange is over. False: it was over before. */
export const close = (u: Upstream, verdict: Verdict = OK): boolean => {
  if (u.phase === OVER) return false;
  u.lookup?.cancel();
  if (u.attempts.length > 0) stopClock(u);
  release(u, PEER_OK);
  u.spool?.close();
  u.spool = undefined;
  u.phase = OVER;
  u.conf.cache?.close(u, verdict);
  return true;
};

/** Part of the reply waits for a slow client. */
const hasRest = ({ headerSent, phase, discarding, spool, request }: Upstream): boolean =>
  headerSent &&
  phase !== OVER &&
  !discarding &&
  spool !== undefined &&
  !spool.empty &&
  !request.stream.broken;

/** A reply that was read for nobody is complete: its request ends, unless it ended with its connection. */
const endUnseen = ({ request, head }: Upstream, verdict: Verdict): void => {
  if (request.finished) return;
  if (request.out.status === 0) request.out.status = head.status;
  terminate(request, verdict);
};

/** Ends the exchange, and the request with `verdict`: an error of it that the client was not told yet, or OK. */
export const finalizeUpstream = (u: Upstream, verdict: Verdict): void => {
  const { request } = u;
  if (u.cut === 0 && verdict >= 300 && verdict !== 408 && verdict !== 499 && hasRest(u)) {
    // What came before the error still goes to the client, as it takes it.
    u.cut = verdict;
    release(u, PEER_OK);
    u.phase = DRAINING;
    u.resumeOutput(request);
    return;
  }
  if (!close(u, verdict)) return;
  if (request.producer === u) request.producer = undefined;
  if (u.discarding) {
    endUnseen(u, verdict);
    return;
  }
  u.action = CLIENT_ACTION;
  if (!u.headerSent || verdict === 408 || verdict === 499) {
    finalize(request, verdict);
    return;
  }
  if (verdict === OK) {
    if (!request.headerOnly) request.sink.write(request, NOTHING, LAST);
    finalize(request, OK);
    return;
  }
  // The length may be unknown to the client: only the close tells it that something is missing.
  request.keepAlive = false;
  if (!request.headerOnly) request.sink.write(request, NOTHING, FLUSH);
  terminate(request, verdict);
};
