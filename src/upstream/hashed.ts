/** What `ip_hash` and `hash` share: a peer by a number, and the turns of round robin where that finds none. */
import type { GroupPeer } from './peers.ts';
import { RoundRobinSource, seconds } from './round-robin.ts';

/** After so many peers that can't be used, the next one is found by turns. */
const MOST_TRIES = 20;

export abstract class HashedSource extends RoundRobinSource {
  #misses = 0;

  /** The next number of the request; undefined: it has none, and peers take turns. */
  protected abstract nextHash(): number | undefined;

  protected override choose(): GroupPeer | undefined {
    const now = seconds();
    while (this.#misses <= MOST_TRIES) {
      const hash = this.nextHash();
      if (hash === undefined) break;
      const index = this.peers.at(hash % this.peers.totalWeight);
      const peer = this.peers.list[index];
      if (peer && !this.tried.has(index) && peer.usable(now)) return this.take(peer, index, now);
      this.#misses++;
    }
    return super.choose();
  }
}
