/** `least_conn`: the peer with the fewest requests for its weight; among equals, by turns. */
import type { Asker } from './contract.ts';
import type { Balance } from './group.ts';
import type { GroupPeer } from './peers.ts';
import { RoundRobinSource, seconds } from './round-robin.ts';

class LeastConnSource extends RoundRobinSource {
  protected override choose(): GroupPeer | undefined {
    const now = seconds();
    let best: GroupPeer | undefined;
    const { list } = this.peers;
    for (let i = 0; i < list.length; i++) {
      const peer = list[i];
      if (!peer || this.tried.has(i) || !peer.usable(now)) continue;
      if (!best || peer.conns * best.weight < best.conns * peer.weight) best = peer;
    }
    if (!best) return undefined;
    const { conns, weight } = best;
    return this.byWeight(now, (peer) => peer.conns * weight === conns * peer.weight);
  }
}

export const leastConn: Balance<Asker> = (request, primary, backup) =>
  new LeastConnSource(request, primary, backup);
