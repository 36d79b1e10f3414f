/**
 * The keepalive pool of an upstream in this worker: parked connections from the most to the least recently
 * used. When it is full the least recently used one is closed.
 */
import type { Exchange, Peer, Pool } from './contract.ts';
import type { Parking, PeerConnection } from './peer-connection.ts';
import { type KeepaliveLimits, parkingTime, reusable } from './reusable.ts';

/** `keepalive SIZE [local]` and its companions. */
export interface KeepaliveConf extends KeepaliveLimits {
  readonly size: number;
  /** A connection only serves the location that it was made for. */
  readonly local: boolean;
}

export class KeepalivePool implements Pool, Parking {
  #newest: PeerConnection | undefined = undefined;
  #oldest: PeerConnection | undefined = undefined;
  #count = 0;
  #closed = false;

  constructor(readonly conf: KeepaliveConf) {}

  /** Parked connections. */
  get count(): number {
    return this.#count;
  }

  take(peer: Peer, tag: object): PeerConnection | undefined {
    const { local } = this.conf;
    let at = this.#newest;
    while (at) {
      const { older } = at;
      if ((at.peer === peer || at.peer.name === peer.name) && (!local || at.tag === tag)) {
        this.#unlink(at);
        if (at.silent) {
          at.unpark();
          return at;
        }
        at.discard();
      }
      at = older;
    }
    return undefined;
  }

  park(connection: PeerConnection, exchange: Exchange): true | string {
    const verdict = reusable(connection, exchange, this.conf, this.#closed);
    if (verdict !== true) return verdict;
    if (this.#count >= this.conf.size && this.#oldest) this.remove(this.#oldest);
    connection.older = this.#newest;
    if (this.#newest) this.#newest.newer = connection;
    else this.#oldest = connection;
    this.#newest = connection;
    this.#count++;
    connection.park(
      this,
      exchange.conf,
      parkingTime(this.conf.timeout, connection.peerTimeout),
      exchange.now,
    );
    return true;
  }

  remove(connection: PeerConnection): void {
    this.#unlink(connection);
    connection.discard();
  }

  /** Closes what is parked to the peer of that name. */
  drop(name: string): void {
    let at = this.#newest;
    while (at) {
      const { older } = at;
      if (at.peer.name === name) this.remove(at);
      at = older;
    }
  }

  close(): void {
    this.#closed = true;
    while (this.#newest) this.remove(this.#newest);
  }

  #unlink(connection: PeerConnection): void {
    const { newer, older } = connection;
    if (newer) newer.older = older;
    else this.#newest = older;
    if (older) older.newer = newer;
    else this.#oldest = newer;
    connection.newer = undefined;
    connection.older = undefined;
    this.#count--;
  }
}
