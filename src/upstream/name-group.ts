/** A group of one request: the addresses of a name that variables made, known once it has been looked up. */
import type { Request } from '../http/request.ts';
import type { Lookup, LookupOwner, Resolved } from '../net/lookup.ts';
import type { Resolver } from '../net/resolver.ts';
import { numericTarget } from './address.ts';
import type { Asker, PeerGroup, PeerSource } from './contract.ts';
import { GroupPeer, Peers, PLAIN_SERVER } from './peers.ts';
import { RoundRobinSource } from './round-robin.ts';

export class NameGroup implements PeerGroup<Asker> {
  readonly explicit = false;
  readonly pool = undefined;
  #peers: Peers | undefined = undefined;

  /** `name` is the host as it was written; `timeout` in ms. */
  constructor(
    readonly name: string,
    readonly port: number,
    readonly resolver: Resolver,
    readonly timeout: number,
  ) {}

  lookup(owner: LookupOwner): Lookup {
    return this.resolver.lookup(this.name, '', this.timeout, owner);
  }

  found(addresses: readonly Resolved[]): void {
    const peers = addresses.map(({ host }) => {
      const { name, to } = numericTarget(host, this.port);
      return new GroupPeer(name, this.name, to, PLAIN_SERVER);
    });
    this.#peers = new Peers(peers, peers.length === 1);
  }

  source(request: Asker): PeerSource | undefined {
    return this.#peers && new RoundRobinSource(request, this.#peers, undefined);
  }
}

/** The group of a name at this request, when its location has a resolver. */
export const nameGroup = (request: Request, host: string, port: number): PeerGroup | undefined => {
  const { resolver, resolver_timeout: timeout } = request.location.core;
  return resolver && new NameGroup(host, port, resolver, timeout);
};
