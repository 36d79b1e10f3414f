/** `random`: a peer by lot, by weight; with `two` the one of two that has fewer requests for its weight. */
import type { Asker } from './contract.ts';
import type { Balance } from './group.ts';
import type { GroupPeer, Peers } from './peers.ts';
import { RoundRobinSource, seconds } from './round-robin.ts';

/** After so many peers that can't be used, the next one is found by turns. */
const MOST_TRIES = 20;

class RandomSource extends RoundRobinSource {
  #misses = 0;

  constructor(
    request: Asker,
    primary: Peers,
    backup: Peers | undefined,
    private readonly two: boolean,
    private readonly random: () => number,
  ) {
    super(request, primary, backup);
  }

  protected override choose(): GroupPeer | undefined {
    const { list } = this.peers;
    if (list.length < 2) return super.choose();
    const now = seconds();
    let first: GroupPeer | undefined;
    let firstAt = 0;
    while (this.#misses <= MOST_TRIES) {
      const index = this.peers.at(Math.floor(this.random() * this.peers.totalWeight));
      const peer = list[index];
      if (!peer || peer === first || this.tried.has(index) || !peer.usable(now)) {
        this.#misses++;
      } else if (!this.two) {
        return this.take(peer, index, now);
      } else if (first) {
        const busier = peer.conns * first.weight > first.conns * peer.weight;
        return busier ? this.take(first, firstAt, now) : this.take(peer, index, now);
      } else {
        first = peer;
        firstAt = index;
      }
    }
    return super.choose();
  }
}

/** `lot` gives numbers from 0 to below 1. */
export const random =
  (two: boolean, lot: () => number = Math.random): Balance<Asker> =>
  (request, primary, backup) =>
    new RandomSource(request, primary, backup, two, lot);
