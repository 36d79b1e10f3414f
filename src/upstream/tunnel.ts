/** An upgraded connection (WebSocket): bytes both ways until one side closes. It never returns to a pool. */
import { sendHeader } from '../http/finalize.ts';
import { FLUSH, NOTHING } from '../http/output.ts';
import type { Tunnel } from '../http/request.ts';
import { OK } from '../http/verdict.ts';
import { ERROR } from '../log/levels.ts';
import { monotonic } from '../net/timers.ts';
import { finalizeUpstream } from './next.ts';
import { TUNNEL_ACTION, TUNNELLING } from './states.ts';
import type { Upstream } from './upstream.ts';

/** The peer has agreed: the head goes to the client, and then whatever comes. False: it can't be done. */
export const beginTunnel = (u: Upstream): boolean => {
  const { request } = u;
  if (request !== request.main) {
    u.log(ERROR, 'connection upgrade in subrequest');
    finalizeUpstream(u, 500);
    return false;
  }
  u.phase = TUNNELLING;
  u.action = TUNNEL_ACTION;
  request.keepAlive = false;
  if (!sendHeader(request)) return false;
  request.sink.write(request, NOTHING, FLUSH);
  u.connection?.timer.start(u.conf.readTimeout, u.now);
  request.stream.upgrade(request, new ClientEnd(u));
  return u.phase === TUNNELLING;
};

/** Bytes of the peer; only there during the call. */
export const tunnelBytes = (u: Upstream, bytes: Uint8Array): void => {
  const { connection } = u;
  if (!connection || bytes.length === 0) return;
  connection.timer.start(u.conf.readTimeout, u.now);
  if (!u.request.stream.tunnelWrite(bytes)) connection.pause();
};

/** The peer has taken what was written to it. */
export const tunnelSent = (u: Upstream): void => {
  if (u.streamEnded) {
    tunnelEnded(u);
    return;
  }
  if (!u.streamPaused) return;
  u.streamPaused = false;
  u.request.stream.resumeBody();
};

/** One side has closed and the other has all of its bytes. */
export const tunnelEnded = (u: Upstream): void => {
  if (u.phase === TUNNELLING) finalizeUpstream(u, OK);
};

/** What the client's connection sees of the tunnel. */
class ClientEnd implements Tunnel {
  readonly #upstream: Upstream;

  constructor(upstream: Upstream) {
    this.#upstream = upstream;
  }

  clientBytes(bytes: Uint8Array): void {
    const u = this.#upstream;
    const { connection } = u;
    if (!connection || u.phase !== TUNNELLING) return;
    u.now = monotonic();
    connection.timer.start(u.conf.readTimeout, u.now);
    if (connection.writeCopy('', bytes)) return;
    u.streamPaused = true;
    u.request.stream.pauseBody();
  }

  clientEnded(): void {
    const u = this.#upstream;
    u.now = monotonic();
    u.streamEnded = true;
    if (!u.connection || u.connection.queued === 0) tunnelEnded(u);
  }

  clientDrained(): void {
    this.#upstream.connection?.resume();
  }

  clientClosed(): void {
    this.#upstream.now = monotonic();
    tunnelEnded(this.#upstream);
  }
}
