/** `proxy_limit_rate`: the reply is taken in no faster than that, and reading waits for it. */
import { parseSize } from '../config/numbers.ts';
import { flushPending } from './pass-body.ts';
import { AWAITING, PASSING } from './states.ts';
import type { Upstream } from './upstream.ts';

/** What is kept for an exchange with a limit. */
export class RateLimit {
  /** Bytes a second; 0: no limit, or the head is not there yet. */
  rate = 0;
  /** Seconds of the wall clock: when the body began. */
  since = 0;
  /** Bytes that have been read before they were due. */
  backlog: Buffer = NONE;
}
const NONE = Buffer.alloc(0);

/** The reply's head is there: its body is limited to `rate`, a size as text; without a limit when it is none. */
export const startLimit = (u: Upstream, rate: string): void => {
  if (!u.limit) return;
  u.limit.rate = parseSize(rate) ?? 0;
  u.limit.since = Math.floor(Date.now() / 1000);
};

/** Bytes of the reply have come: those that are due go on to the protocol. */
export const feedLimited = (u: Upstream, limit: RateLimit, bytes: Buffer): void => {
  limit.backlog = limit.backlog.length > 0 ? Buffer.concat([limit.backlog, bytes]) : Buffer.from(bytes);
  feedDue(u, limit);
};

/** More may be due now. */
export const feedDue = (u: Upstream, limit: RateLimit): void => {
  const { reply, attempt, connection } = u;
  while (limit.backlog.length > 0) {
    const length = Math.min(limit.backlog.length, due(u, limit));
    if (length <= 0) {
      const ahead = -due(u, limit);
      u.limited = true;
      connection?.pause();
      connection?.timer.start((ahead * 1000) / limit.rate + 1);
      return;
    }
    const piece = limit.backlog;
    limit.backlog = piece.subarray(length);
    if (u.phase === PASSING) attempt.length += length;
    reply?.feed(piece, 0, length);
    flushPending(u, 0);
    if (u.attempt !== attempt || (u.phase !== AWAITING && u.phase !== PASSING)) {
      limit.backlog = NONE;
      return;
    }
  }
  if (u.phase !== PASSING || !connection || u.limited) return;
  connection.timer.start(u.conf.readTimeout, u.now);
};

/** How many bytes may be taken in now. A head, whose limit is not known, comes in small pieces. */
const due = (u: Upstream, limit: RateLimit): number => {
  if (u.phase === AWAITING) return u.conf.bufferSize;
  if (limit.rate === 0) return Number.POSITIVE_INFINITY;
  return limit.rate * (Math.floor(Date.now() / 1000) - limit.since + 1) - u.attempt.length;
};
