/**
 * `least_time`: the peer that is expected to be done first: its average time, for each request that it has. Among those
 * that are about as quick, by turns.
 */
import { sharedMonotonic } from '../net/timers.ts';
import { type Asker, PEER_OK } from './contract.ts';
import type { Balance } from './group.ts';
import type { GroupPeer, Peers } from './peers.ts';
import { RoundRobinSource, seconds } from './round-robin.ts';

export interface LeastTimeOptions {
  /** The time to the head (of a session: its early time) counts; else the time to the last byte. */
  readonly header: boolean;
  /** Requests that wait count with the time that they have waited. */
  readonly inflight: boolean;
  /** For sessions of stream: what their early time is. */
  readonly session?: 'connect' | 'first_byte';
}

/** Peers that take longer than this are equally bad, ms. */
const WORST = 5000;
/** Times within one such step are the same, ms. */
const STEP = 20;

/** An average that forgets: the new value counts for a twentieth. */
const average = (before: number, value: number): number =>
  before === 0 ? value : Math.floor(0.5 + value * 0.05 + before * 0.95);

class LeastTimeSource extends RoundRobinSource {
  /** The present attempt is counted among the peer's requests that wait. */
  #counted = false;

  constructor(
    request: Asker,
    primary: Peers,
    backup: Peers | undefined,
    private readonly options: LeastTimeOptions,
  ) {
    super(request, primary, backup);
    primary.timed = true;
    if (backup) backup.timed = true;
  }

  protected override choose(): GroupPeer | undefined {
    const now = seconds();
    const { list } = this.peers;
    const clock = sharedMonotonic();
    let best: GroupPeer | undefined;
    let time = 0;
    let first = 0;
    let many = false;
    for (let i = 0; i < list.length; i++) {
      const peer = list[i];
      if (!peer || this.tried.has(i) || !peer.usable(now)) continue;
      if (peer.inflight > 0) {
        const waited = Math.floor(peer.inflightSum / peer.inflight) + (clock - peer.inflightChanged);
        peer.inflightTime = average(peer.inflightTime, waited);
      }
      const own = this.#expected(peer, now);
      if (!best || own * best.weight < time * peer.weight) {
        best = peer;
        time = own;
        first = i;
        many = false;
      } else if (own * best.weight === time * peer.weight) {
        many = true;
      }
    }
    if (!best) return undefined;
    return many ? this.#turn(best, first, time, now) : this.take(best, first, now);
  }

  /** The peer whose turn it is among those that are as good as `best`, the first of them. */
  #turn(best: GroupPeer, first: number, time: number, now: number): GroupPeer {
    const { list } = this.peers;
    const { weight } = best;
    let chosen = best;
    let index = first;
    let total = 0;
    for (let i = first; i < list.length; i++) {
      const peer = list[i];
      if (!peer || this.tried.has(i) || !peer.usable(now)) continue;
      if (this.#expected(peer, now) * weight !== time * peer.weight) continue;
      peer.currentWeight += peer.effectiveWeight;
      total += peer.effectiveWeight;
      if (peer.effectiveWeight < peer.weight) peer.effectiveWeight++;
      if (peer.currentWeight > chosen.currentWeight) {
        chosen = peer;
        index = i;
      }
    }
    chosen.currentWeight -= total;
    return this.take(chosen, index, now);
  }

  /** The time in which the peer would be done with what it has and one request more. */
  #expected(peer: GroupPeer, now: number): number {
    let time = this.options.header ? peer.headerTime : peer.responseTime;
    const unused = now - peer.checked;
    // Half as long for each fail_timeout in which nobody asked: a slow peer gets another chance.
    if (unused > peer.failTimeout) time = Math.floor(time / 2 ** Math.floor(unused / (peer.failTimeout + 1)));
    if (peer.inflight > 0) time = Math.max(time, peer.inflightTime);
    time = time > WORST ? WORST : time + STEP - (time % STEP);
    return time * (1 + peer.conns);
  }

  protected override take(peer: GroupPeer, index: number, now: number): GroupPeer {
    if (this.options.inflight) {
      const clock = sharedMonotonic();
      if (peer.inflight > 0) peer.inflightSum += (clock - peer.inflightChanged) * peer.inflight;
      peer.inflightChanged = clock;
      peer.inflight++;
      this.#counted = true;
    }
    return super.take(peer, index, now);
  }

  override onConnect(peer: GroupPeer): void {
    super.onConnect(peer);
    if (this.options.session === 'connect') this.#early(peer);
  }

  override onHead(peer: GroupPeer): void {
    if (this.options.session !== 'connect') this.#early(peer);
  }

  /** The time to the present attempt's head, or its early time. */
  #earlyTime(): number {
    const attempt = this.request.upstream?.attempt;
    if (!attempt) return -1;
    return this.options.session === 'connect' ? attempt.connectTime : attempt.headerTime;
  }

  #early(peer: GroupPeer): void {
    const time = this.#earlyTime();
    if (!this.options.inflight || !this.options.header || time < 0) return;
    const { peers } = this;
    peers.begin();
    peer.headerTime = average(peer.headerTime, time);
    this.#done(peer, time);
    peers.end();
  }

  protected override over(peer: GroupPeer, state: number): void {
    const attempt = this.request.upstream?.attempt;
    if (!attempt) return;
    const { responseTime } = attempt;
    const headerTime = this.#earlyTime();
    this.#done(peer, responseTime);
    // What failed says nothing of how quick the peer is.
    if (state !== PEER_OK || (headerTime < 0 && !this.options.session)) return;
    peer.responseTime = average(peer.responseTime, responseTime);
    if (headerTime >= 0 && (!this.options.inflight || !this.options.header)) {
      peer.headerTime = average(peer.headerTime, headerTime);
    }
  }

  /** The attempt waits no longer; it has taken so long. */
  #done(peer: GroupPeer, time: number): void {
    if (!this.#counted) return;
    this.#counted = false;
    if (peer.inflight === 1) {
      peer.inflightSum = 0;
    } else {
      const clock = sharedMonotonic();
      peer.inflightSum += (clock - peer.inflightChanged) * peer.inflight - time;
      peer.inflightChanged = clock;
    }
    peer.inflight--;
  }
}

export const leastTime =
  (options: LeastTimeOptions): Balance<Asker> =>
  (request, primary, backup) =>
    new LeastTimeSource(request, primary, backup, options);
