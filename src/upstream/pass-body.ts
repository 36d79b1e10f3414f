/** The body of a reply on its way to the client, held in memory or on disk where the client is slow. */
import { finalize } from '../http/finalize.ts';
import { FLUSH, LAST, NOTHING } from '../http/output.ts';
import { ERROR as CUT, OK } from '../http/verdict.ts';
import { CRIT, WARN } from '../log/levels.ts';
import { errorText } from '../platform/errno.ts';
import { PEER_OK } from './contract.ts';
import { finalizeUpstream, letGo, stopClock } from './next.ts';
import { Spool } from './spool.ts';
import { BODY_ACTION, DRAINING, OVER, PASSING, TUNNELLING } from './states.ts';
import { tunnelBytes } from './tunnel.ts';
import type { Upstream } from './upstream.ts';

/** A decoded piece. It is written when the next one comes, the reply ends, or all that was read is used up. */
export const passBody = (u: Upstream, bytes: Uint8Array): boolean => {
  if (u.phase === TUNNELLING) {
    tunnelBytes(u, bytes);
    return true;
  }
  if (u.cacheable) u.conf.cache?.body(u, bytes);
  if (u.pending && u.pending.length > 0) flushPending(u, 0);
  if (u.phase !== PASSING) return false;
  u.pending = bytes;
  return true;
};

/** Gives the pending piece to the client, or keeps it until the client can take it. */
export const flushPending = (u: Upstream, flags: number): void => {
  const { pending: bytes, request, spool } = u;
  u.pending = undefined;
  if (!bytes || u.phase !== PASSING || u.discarding) return;
  if (request.congested || (spool !== undefined && !spool.empty)) {
    hold(u, bytes);
    return;
  }
  request.sink.write(request, bytes, u.buffering ? flags : flags | FLUSH);
  if (!u.buffering && request.congested) pauseReading(u);
};

/** Keeps a piece for later. Reading stops when there is no more room for it. */
const hold = (u: Upstream, bytes: Uint8Array): void => {
  if (bytes.length === 0) return;
  const { conf } = u;
  if (!u.spool) {
    const memory = conf.buffers.count * conf.buffers.size + conf.bufferSize;
    const file = u.buffering ? conf.maxTempFileSize : 0;
    u.spool = new Spool(memory, file, conf.tempPath, (path) =>
      u.log(WARN, `an upstream response is buffered to a temporary file ${path}`),
    );
  }
  try {
    u.spool.add(bytes);
  } catch (error) {
    u.log(CRIT, `a temporary file in "${conf.tempPath.path}" failed (${errorText(error)})`);
    finalizeUpstream(u, 500);
    return;
  }
  if (!u.buffering || u.spool.full) pauseReading(u);
};

const pauseReading = (u: Upstream): void => {
  const { connection } = u;
  if (!connection) return;
  connection.pause();
  connection.timer.stop();
};

/** The client can take more, or the rate allows more. */
export const resume = (u: Upstream): void => {
  const { request, spool } = u;
  if (spool && !spool.empty) {
    if (u.limited) return;
    let done: boolean;
    try {
      done = spool.drain(request, u.phase === DRAINING && u.cut === 0);
    } catch (error) {
      u.log(CRIT, `reading a temporary file failed (${errorText(error)})`);
      finalizeUpstream(u, 500);
      return;
    }
    if (done && u.phase === DRAINING) {
      finish(u);
      return;
    }
  }
  const { connection } = u;
  if (u.phase !== PASSING || !connection?.paused || u.limited) return;
  if (u.buffering ? u.spool?.full : request.congested) return;
  connection.timer.start(u.conf.readTimeout, u.now);
  connection.resume();
};

/** A whole small body at once, where nothing stands between the reply and the client. False: it wants to be passed as bytes. */
export const passText = (u: Upstream, text: string, keep: boolean): boolean => {
  const { request } = u;
  const { stream } = request;
  if (u.phase !== PASSING || u.discarding || !u.buffering || u.limit || request.sink !== stream) return false;
  if (request.congested || u.cacheable) return false;
  u.keep = keep;
  stopClock(u);
  const leaving = letGo(u, PEER_OK);
  u.action = BODY_ACTION;
  u.phase = OVER;
  stream.writeText(request, text);
  finish(u);
  leaving?.discard();
  return true;
};

/** How long a peer that is about to close its connection has for it, ms. */
const CLOSING_TIME = 1000;

/** The reply is complete: its connection is free, and the client gets the rest. */
export const passEnd = (u: Upstream, keep: boolean, peerCloses: boolean): void => {
  if (u.phase !== PASSING) return;
  const { pending } = u;
  u.keep = keep;
  stopClock(u);
  // The client first: a connection that is not kept is closed behind the last write, as nginx closes it.
  const leaving = letGo(u, PEER_OK);
  const { now } = u;
  passRest(u, pending);
  if (peerCloses) leaving?.awaitClose(CLOSING_TIME, now);
  else leaving?.discard();
};

const passRest = (u: Upstream, pending: Uint8Array | undefined): void => {
  const { request, spool } = u;
  if (u.cacheable) u.conf.cache?.complete(u);
  if (u.discarding) {
    finalizeUpstream(u, CUT);
    return;
  }
  u.action = BODY_ACTION;
  passTrailers(u);
  if (spool !== undefined && !spool.empty) {
    u.phase = DRAINING;
    if (pending) hold(u, pending);
    return;
  }
  u.phase = OVER;
  request.sink.write(request, pending ?? NOTHING, LAST);
  finish(u);
};

const finish = (u: Upstream): void => {
  const { request } = u;
  if (u.cut !== 0) {
    finalizeUpstream(u, u.cut);
    return;
  }
  u.spool?.close();
  u.spool = undefined;
  u.phase = OVER;
  if (request.producer === u) request.producer = undefined;
  finalize(request, OK);
};

/** The trailer lines that the client may see. */
const passTrailers = (u: Upstream): void => {
  const { trailers } = u;
  if (!trailers || !u.conf.passTrailers) return;
  const passed: string[] = [];
  for (let i = 0; i < trailers.length; i += 2) {
    const name = trailers[i] ?? '';
    if (!u.conf.hidden.has(name.toLowerCase())) passed.push(name, trailers[i + 1] ?? '');
  }
  u.request.out.trailers = passed;
};
