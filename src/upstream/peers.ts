/** The servers of a group with what balancing needs to know of each; the same for all balancers. */
import { createHash } from 'node:crypto';
import type { ConnectTo } from '../net/connection.ts';
import { SharedSlots, slotsBytes } from '../zone/slots.ts';
import type { Zone } from '../zone/zones.ts';
import type { Peer } from './contract.ts';

/** What a `server` line says of each of its addresses. */
export interface PeerSettings {
  readonly weight: number;
  /** 0: no limit. */
  readonly maxConns: number;
  /** 0: failures are not counted. */
  readonly maxFails: number;
  /** Seconds. */
  readonly failTimeout: number;
  readonly down: boolean;
  /** Down for all but the clients that stay with it (`sticky`). */
  readonly draining: boolean;
  /** What clients that stay with it are told; '' for a name that is made of its address. */
  readonly route: string;
}

/** What a server is without parameters. */
export const PLAIN_SERVER: PeerSettings = {
  weight: 1,
  maxConns: 0,
  maxFails: 1,
  failTimeout: 10,
  down: false,
  draining: false,
  route: '',
};

export class GroupPeer implements Peer {
  currentWeight = 0;
  effectiveWeight: number;
  fails = 0;
  /** Requests at it now. */
  conns = 0;
  /** Seconds of the wall clock: the last failure, and when it was last tried. */
  accessed = 0;
  checked = 0;
  readonly weight: number;
  readonly maxConns: number;
  readonly maxFails: number;
  readonly failTimeout: number;
  /** Not to be tried; also a server that DNS names no longer. */
  down: boolean;
  /** It is down, but not for clients that stay with it. */
  draining: boolean;
  /** For `least_time`, in ms: averages of the time to the head and of the whole, and of the requests that wait now. */
  headerTime = 0;
  responseTime = 0;
  inflightTime = 0;
  /** How many wait, how long they had waited together when that last changed, and when it was. */
  inflight = 0;
  inflightSum = 0;
  inflightChanged = 0;
  #sid: string;
  /** Where its counters are in shared memory; -1: in this process alone. */
  slot = -1;

  constructor(
    readonly name: string,
    readonly server: string,
    readonly to: ConnectTo,
    settings: PeerSettings,
  ) {
    this.weight = settings.weight;
    this.effectiveWeight = settings.weight;
    this.maxConns = settings.maxConns;
    this.maxFails = settings.maxFails;
    this.failTimeout = settings.failTimeout;
    this.down = settings.down;
    this.draining = settings.draining;
    this.#sid = settings.route;
  }

  /** What a client that is to stay with it brings along: its `route`, or a digest of its name. */
  get sid(): string {
    if (this.#sid === '') this.#sid = createHash('md5').update(this.name, 'latin1').digest('hex');
    return this.#sid;
  }

  /** Whether it may be tried at `now`, in seconds. */
  usable(now: number): boolean {
    return !this.down && this.#inService(now);
  }

  /** The same for a client that stays with it. */
  usableStill(now: number): boolean {
    return (!this.down || this.draining) && this.#inService(now);
  }

  #inService(now: number): boolean {
    if (this.maxFails > 0 && this.fails >= this.maxFails && now - this.checked <= this.failTimeout)
      return false;
    return this.maxConns === 0 || this.conns < this.maxConns;
  }
}

/** Fields of a peer's record in a zone. */
const CURRENT = 0;
/** Stored as what the weight lacks, since memory begins as zeros. */
const LACKS = 1;
const FAILS = 2;
const CONNS = 3;
const HEADER_TIME = 4;
const RESPONSE_TIME = 5;
const INFLIGHT = 6;
const INFLIGHT_TIME = 7;
export const INTEGERS = 8;
const ACCESSED = 0;
const CHECKED = 1;
const INFLIGHT_SUM = 2;
const INFLIGHT_CHANGED = 3;
export const DOUBLES = 4;

/** The primary or the backup servers of a group. With a zone their counters are shared with the other workers. */
export class Peers {
  readonly list: readonly GroupPeer[];
  /** A single server is never taken out for its failures. */
  readonly single: boolean;
  readonly totalWeight: number;
  /** Attempts that a request may make here: the servers that are not down. */
  readonly tries: number;
  /** How long peers take is counted too, and shared (`least_time`). */
  timed = false;
  readonly #zone: Zone | undefined;
  readonly #offset: number;
  #slots: SharedSlots | undefined = undefined;

  /** `offset`: where in the zone's memory its records begin. */
  constructor(list: readonly GroupPeer[], single: boolean, zone?: Zone, offset = 0) {
    this.list = list;
    this.single = single;
    this.totalWeight = list.reduce((sum, { weight }) => sum + weight, 0);
    this.tries = list.filter(({ down }) => !down).length;
    this.#zone = zone;
    this.#offset = offset;
    if (zone) for (const [i, peer] of list.entries()) peer.slot = i;
  }

  /** The number of the peer within whose weight `point` lies, which is below `totalWeight`. */
  at(point: number): number {
    const { list } = this;
    let rest = point;
    let index = 0;
    for (let peer = list[0]; peer && rest >= peer.weight; peer = list[index]) {
      rest -= peer.weight;
      index++;
    }
    return index;
  }

  /** Bytes of a zone that so many servers take. */
  static bytes(count: number): number {
    return slotsBytes(count, INTEGERS, DOUBLES);
  }

  /** Between `begin` and `end` the peers' counters are those of all workers and may be changed. */
  begin(): void {
    if (!this.#zone) return;
    this.#slots ??= new SharedSlots(this.#zone.memory, this.#offset, this.list.length, INTEGERS, DOUBLES);
    this.#slots.lock();
    this.load(this.#slots);
  }

  end(): void {
    if (!this.#slots) return;
    this.store(this.#slots);
    this.#slots.unlock();
  }

  /** Makes the peers' counters those in memory. */
  protected load(slots: SharedSlots): void {
    const { list } = this;
    for (let at = 0; at < list.length; at++) {
      const peer = list[at];
      if (!peer || peer.slot < 0) continue;
      const i = peer.slot;
      peer.currentWeight = slots.integer(i, CURRENT);
      peer.effectiveWeight = peer.weight - slots.integer(i, LACKS);
      peer.fails = slots.integer(i, FAILS);
      peer.conns = slots.integer(i, CONNS);
      peer.accessed = slots.double(i, ACCESSED);
      peer.checked = slots.double(i, CHECKED);
      if (!this.timed) continue;
      peer.headerTime = slots.integer(i, HEADER_TIME);
      peer.responseTime = slots.integer(i, RESPONSE_TIME);
      peer.inflight = slots.integer(i, INFLIGHT);
      peer.inflightTime = slots.integer(i, INFLIGHT_TIME);
      peer.inflightSum = slots.double(i, INFLIGHT_SUM);
      peer.inflightChanged = slots.double(i, INFLIGHT_CHANGED);
    }
  }

  protected store(slots: SharedSlots): void {
    const { list } = this;
    for (let at = 0; at < list.length; at++) {
      const peer = list[at];
      if (!peer || peer.slot < 0) continue;
      const i = peer.slot;
      slots.setInteger(i, CURRENT, peer.currentWeight);
      slots.setInteger(i, LACKS, peer.weight - peer.effectiveWeight);
      slots.setInteger(i, FAILS, peer.fails);
      slots.setInteger(i, CONNS, peer.conns);
      slots.setDouble(i, ACCESSED, peer.accessed);
      slots.setDouble(i, CHECKED, peer.checked);
      if (!this.timed) continue;
      slots.setInteger(i, HEADER_TIME, peer.headerTime);
      slots.setInteger(i, RESPONSE_TIME, peer.responseTime);
      slots.setInteger(i, INFLIGHT, peer.inflight);
      slots.setInteger(i, INFLIGHT_TIME, peer.inflightTime);
      slots.setDouble(i, INFLIGHT_SUM, peer.inflightSum);
      slots.setDouble(i, INFLIGHT_CHANGED, peer.inflightChanged);
    }
  }
}
