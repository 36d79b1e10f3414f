/** A group of peers, ready for requests: its servers, how one is chosen, and the pool of kept connections. */
import type { Request } from '../http/request.ts';
import type { Asker, PeerGroup, PeerSource } from './contract.ts';
import type { Peers } from './peers.ts';
import type { KeepalivePool } from './pool.ts';
import { type RoundRobinSource, TurnsSource } from './round-robin.ts';

/** How a balancer chooses: one source for each request. */
export type Balance<R extends Asker = Request> = (
  request: R,
  primary: Peers,
  backup: Peers | undefined,
) => RoundRobinSource;

/** What a group asks for a source: its balancer, or what stands around that (`sticky`). */
export type Sources<R extends Asker = Request> = (
  request: R,
  primary: Peers,
  backup: Peers | undefined,
) => PeerSource;

/** The balancing of a group that names no method. */
export const roundRobin: Balance<Asker> = (request, primary, backup) =>
  new TurnsSource(request, primary, backup);

export class Group<R extends Asker = Request> implements PeerGroup<R> {
  constructor(
    readonly name: string,
    readonly explicit: boolean,
    readonly primary: Peers,
    readonly backup: Peers | undefined,
    readonly balance: Sources<R>,
    readonly pool: KeepalivePool | undefined,
  ) {}

  source(request: R): PeerSource {
    return this.balance(request, this.primary, this.backup);
  }
}
