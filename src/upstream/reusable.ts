/** Whether a connection may carry another request: a column of guards, the first that speaks decides. */
import type { Exchange } from './contract.ts';
import type { PeerConnection } from './peer-connection.ts';

/** `keepalive_requests`, `keepalive_time` (ms), `keepalive_timeout` (ms). */
export interface KeepaliveLimits {
  readonly requests: number;
  readonly time: number;
  readonly timeout: number;
}

export type Reason =
  | 'the attempt failed'
  | 'the connection is closed'
  | 'the connection has an error'
  | 'the peer has closed its side'
  | 'keepalive_requests reached'
  | 'keepalive_time reached'
  | 'the reply forbids it or is not complete'
  | 'the request was not sent completely'
  | 'the worker is draining';

/** True, or why the connection must be closed. `draining`: the worker takes no new requests. */
export const reusable = (
  peer: PeerConnection,
  exchange: Exchange,
  limits: KeepaliveLimits,
  draining: boolean,
): true | Reason => {
  const { connection } = peer;
  if (exchange.failed) return 'the attempt failed';
  if (connection.closed || connection.socket.destroyed) return 'the connection is closed';
  if (connection.error !== undefined) return 'the connection has an error';
  if (connection.ended || connection.finished) return 'the peer has closed its side';
  if (peer.requests >= limits.requests) return 'keepalive_requests reached';
  if (exchange.now - connection.started > limits.time) return 'keepalive_time reached';
  if (!exchange.keep) return 'the reply forbids it or is not complete';
  if (!exchange.bodySent || connection.queued > 0) return 'the request was not sent completely';
  if (draining) return 'the worker is draining';
  return true;
};

/**
 * How long a connection may stay parked, ms: `keepalive_timeout`, or a little less than the peer announced with
 * `Keep-Alive: timeout=`, so that it is we who close it and no request meets the peer's close.
 */
export const parkingTime = (limit: number, announced: number): number => {
  if (announced < 0) return limit;
  return Math.min(limit, announced - Math.min(1000, announced / 10));
};
