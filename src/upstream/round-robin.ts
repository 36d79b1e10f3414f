/**
 * Smooth weighted round robin: each pick adds every peer's weight to its count and takes the largest, which
 * then pays the total. Failures lower a peer's effective weight, and too many take it out for fail_timeout.
 */
import { WARN } from '../log/levels.ts';
import { type Asker, PEER_FAILED, PEER_STALE, type PeerSource } from './contract.ts';
import type { GroupPeer, Peers } from './peers.ts';
import { Tried } from './tried.ts';

/** Seconds of the wall clock, which the workers share. */
export const seconds = (): number => Math.floor(Date.now() / 1000);

const ANY = (): boolean => true;

export class RoundRobinSource implements PeerSource {
  tries: number;
  /** The peer that is wanted before all others, by its sid; '' where it is all the same. */
  hint = '';
  protected peers: Peers;
  protected readonly tried: Tried = new Tried();
  #backup: Peers | undefined;

  constructor(
    protected readonly request: Asker,
    primary: Peers,
    backup: Peers | undefined,
  ) {
    this.peers = primary;
    this.#backup = backup;
    this.tries = primary.tries + (backup ? backup.tries : 0);
  }

  pick(): GroupPeer | undefined {
    const { peers } = this;
    peers.begin();
    const wanted = this.hint === '' ? undefined : this.#wanted();
    const peer = wanted ?? (peers.single ? this.#only() : this.choose());
    if (peer) peer.conns++;
    peers.end();
    if (peer || !this.#backup) return peer;
    this.peers = this.#backup;
    this.#backup = undefined;
    this.tried.clear();
    return this.pick();
  }

  release(peer: GroupPeer, state: number): void {
    const { peers } = this;
    peers.begin();
    this.over(peer, state);
    peer.conns--;
    if (peers.single) {
      peer.fails = 0;
      this.tries = 0;
      peers.end();
      return;
    }
    if (state === PEER_FAILED) this.#failed(peer);
    else if (state !== PEER_STALE && peer.accessed < peer.checked) peer.fails = 0;
    peers.end();
    if (this.tries > 0) this.tries--;
  }

  onConnect(peer: GroupPeer): void {
    const { peers } = this;
    peers.begin();
    if (peer.accessed < peer.checked) peer.fails = 0;
    peers.end();
  }

  onHead(_peer: GroupPeer): void {}

  /** An attempt is over; for balancers that learn from it. Runs with the peers' counters at hand. */
  protected over(_peer: GroupPeer, _state: number): void {}

  /** The peer that the hint names, unless it was tried or can't be used. */
  #wanted(): GroupPeer | undefined {
    const now = seconds();
    const { list, single } = this.peers;
    for (let i = 0; i < list.length; i++) {
      const peer = list[i];
      if (peer?.sid !== this.hint) continue;
      if (this.tried.has(i) || !peer.usableStill(now)) return undefined;
      return single ? peer : this.prefer(peer, i, now);
    }
    return undefined;
  }

  /** Takes the peer that a client stays with. */
  protected prefer(peer: GroupPeer, index: number, now: number): GroupPeer {
    return this.take(peer, index, now);
  }

  /** The peer to try, marked as tried; other balancers choose otherwise. Runs with the peers' counters at hand. */
  protected choose(): GroupPeer | undefined {
    return this.byWeight(seconds(), ANY);
  }

  /** The peer whose turn it is among those that are usable and `eligible`; or the one at `chosen`, who pays all the same. */
  protected byWeight(
    now: number,
    eligible: (peer: GroupPeer) => boolean,
    chosen = -1,
  ): GroupPeer | undefined {
    const { list } = this.peers;
    let best: GroupPeer | undefined;
    let index = 0;
    let total = 0;
    for (let i = 0; i < list.length; i++) {
      const peer = list[i];
      if (!peer || this.tried.has(i) || !peer.usable(now) || !eligible(peer)) continue;
      peer.currentWeight += peer.effectiveWeight;
      total += peer.effectiveWeight;
      if (peer.effectiveWeight < peer.weight) peer.effectiveWeight++;
      if (best === undefined || peer.currentWeight > best.currentWeight) {
        best = peer;
        index = i;
      }
    }
    if (chosen >= 0) {
      best = list[chosen];
      index = chosen;
    }
    if (!best) return undefined;
    best.currentWeight -= total;
    return this.take(best, index, now);
  }

  /** Marks the peer as tried, and as looked at when its time out of service is over. */
  protected take(peer: GroupPeer, index: number, now: number): GroupPeer {
    this.tried.add(index);
    if (now - peer.checked > peer.failTimeout) peer.checked = now;
    return peer;
  }

  #only(): GroupPeer | undefined {
    const peer = this.peers.list[0];
    if (!peer || peer.down || (peer.maxConns > 0 && peer.conns >= peer.maxConns)) return undefined;
    return peer;
  }

  #failed(peer: GroupPeer): void {
    const now = seconds();
    peer.fails++;
    peer.accessed = now;
    peer.checked = now;
    if (peer.maxFails === 0) return;
    peer.effectiveWeight = Math.max(0, peer.effectiveWeight - Math.trunc(peer.weight / peer.maxFails));
    if (peer.fails >= peer.maxFails) {
      this.request.upstream?.log(WARN, 'upstream server temporarily disabled');
    }
  }
}

/** Round robin as the balancing method: clients that stay with a peer use up its turns. */
export class TurnsSource extends RoundRobinSource {
  protected override prefer(peer: GroupPeer, index: number, now: number): GroupPeer {
    // No more than one turn ahead of time: the others would wait for as long as this one had come before.
    if (peer.currentWeight <= peer.weight - this.peers.totalWeight) return this.take(peer, index, now);
    return this.byWeight(now, ANY, index) ?? peer;
  }
}
