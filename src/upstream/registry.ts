/** The upstream groups of one configuration: the blocks as written and the implicit ones of proxy_pass. */
import { ConfError, type Place } from '../config/contract.ts';
import { Reason } from '../config/reason.ts';
import type { Request } from '../http/request.ts';
import type { Resolver } from '../net/resolver.ts';
import type { Zone } from '../zone/zones.ts';
import { type Address, directTarget, numericTarget, parseAddress, type Target } from './address.ts';
import { Block, type GroupRules } from './block.ts';
import type { Asker, PeerGroup } from './contract.ts';
import { Group, roundRobin } from './group.ts';
import { MemberTable } from './member-table.ts';
import { MemberZones, type WatchContext } from './member-zones.ts';
import { GroupPeer, Peers, PLAIN_SERVER } from './peers.ts';

/** A group that is referred to before it may have been read; `group` is bound when the http block is complete. */
export interface GroupRef<R extends Asker = Request> {
  readonly name: string;
  /** As it was written. */
  readonly text: string;
  readonly place: Place;
  group: PeerGroup<R>;
}

/** The http block's `resolver` and `resolver_timeout` (ms). */
export interface OuterResolver {
  readonly resolver: Resolver | undefined;
  readonly timeout: number;
}

export interface UpstreamRegistry<R extends Asker = Request> {
  /**
   * The group that `host[:port]` or `unix:path` names: an `upstream` block, maybe further down, or an implicit
   * one whose names are resolved when the block is complete (`host not found in upstream "x"`).
   */
  use(address: string, defaultPort: number, place: Place): GroupRef<R>;
  /** At run time, for an address made of variables: an explicit group by its name, an implicit one by `host:port`. */
  find(name: string): PeerGroup<R> | undefined;
  /** At run time, for `unix:PATH` or a numeric address with a port: a group of that one peer. Throws Reason. */
  direct(address: string): PeerGroup<R>;
  /** Begins an `upstream` block. Throws `duplicate upstream`, `upstream "x" may not have port N`. */
  declare(name: string, place: Place): Block<R>;
  /** The `upstream` blocks in the order of the file. */
  readonly blocks: readonly Block<R>[];
  /** Binds every reference. Throws `host not found in upstream "x"`, `no port in upstream "x"`. */
  complete(outer: OuterResolver): void;
  /** In a worker whose zones have memory: begins to look up the names that are looked up at run time. */
  start(context: WatchContext): void;
  /** Closes idle connections, and keeps none from then on. */
  drain(): void;
}

/** A group whose block may still come. */
class Reference<R extends Asker> implements GroupRef<R> {
  constructor(
    readonly name: string,
    readonly place: Place,
    readonly address: Address,
  ) {}

  get text(): string {
    return this.address.text;
  }

  group: PeerGroup<R> = {
    name: '',
    explicit: false,
    pool: undefined,
    source: () => {
      throw new Error(`upstream "${this.name}" is used before the configuration is complete`);
    },
  };
}

/** Runs `parse` of an upstream's address; its Reason becomes nginx's error at `place`. */
export const withAddress = <T>(url: string, place: Place, parse: () => T): T => {
  try {
    return parse();
  } catch (error) {
    if (error instanceof Reason) throw new ConfError(`${error.message} in upstream "${url}"`, place);
    throw error;
  }
};

/** Those of http. */
const HTTP_RULES: GroupRules = { port: 80, keeps: true };

export class UpstreamGroups<R extends Asker = Request> implements UpstreamRegistry<R> {
  readonly #blocks: Block<R>[] = [];
  readonly #blocksByName = new Map<string, Block<R>>();
  /** By host, then by port. */
  readonly #references = new Map<string, Map<number, Reference<R>>>();
  readonly #groups: PeerGroup<R>[] = [];
  readonly #byName = new Map<string, PeerGroup<R>>();
  readonly #members = new MemberZones();

  /** `addresses`: a name's addresses, none when it is not found. */
  constructor(
    readonly addresses: (host: string) => readonly string[],
    readonly rules: GroupRules = HTTP_RULES,
  ) {}

  /** The `upstream` blocks in the order of the file. */
  get blocks(): readonly Block<R>[] {
    return this.#blocks;
  }

  use(text: string, defaultPort: number, place: Place): GroupRef<R> {
    const address = withAddress(text, place, () => parseAddress(text, defaultPort));
    const host = address.host.toLowerCase();
    if (this.#blocksByName.has(host) && !address.noPort) this.#mayNotHavePort(address, place);
    const references = this.#references.get(host) ?? new Map<number, Reference<R>>();
    this.#references.set(host, references);
    const known = references.get(address.port);
    if (known) return known;
    const reference = new Reference<R>(address.host, place, address);
    references.set(address.port, reference);
    return reference;
  }

  /** Begins an `upstream` block. Throws `duplicate upstream`, `upstream "x" may not have port N`. */
  declare(name: string, place: Place): Block<R> {
    const host = name.toLowerCase();
    if (this.#blocksByName.has(host)) throw new ConfError(`duplicate upstream "${name}"`, place);
    const references = this.#references.get(host)?.values() ?? [];
    const used = [...references].find(({ address }) => !address.noPort);
    if (used) this.#mayNotHavePort(used.address, used.place, name);
    const block = new Block<R>(name, place, this.addresses, this.rules);
    this.#blocks.push(block);
    this.#blocksByName.set(host, block);
    return block;
  }

  find(name: string): PeerGroup<R> | undefined {
    return this.#byName.get(name.toLowerCase());
  }

  direct(text: string): PeerGroup<R> {
    const address = parseAddress(text, 0);
    const { name, to } = directTarget(address);
    const peers = new Peers([new GroupPeer(name, address.text, to, PLAIN_SERVER)], true);
    return new Group<R>(address.host, false, peers, undefined, roundRobin, undefined);
  }

  /** Binds every reference. Throws `host not found in upstream "x"`, `no port in upstream "x"`. */
  complete(outer: OuterResolver): void {
    const used = this.#reserve();
    for (const block of this.#blocks) {
      const group = this.#explicit(block, used, outer);
      this.#groups.push(group);
      this.#byName.set(block.name.toLowerCase(), group);
    }
    const references = [...this.#references.values()].flatMap((byPort) => [...byPort.values()]);
    for (const reference of references) {
      const explicit = this.find(reference.name);
      reference.group = explicit ?? this.#implicit(reference);
      const { host, port } = reference.address;
      if (!explicit) this.#byName.set(`${host}:${port}`.toLowerCase(), reference.group);
    }
  }

  start(context: WatchContext): void {
    this.#members.start(context);
  }

  /** Where groups with fixed servers begin in each zone: behind what all others share. */
  #reserve(): Map<Zone, number> {
    const used = new Map<Zone, number>();
    for (const { zone, lines, name, place } of this.#blocks) {
      if (!zone || lines.length === 0 || used.has(zone)) continue;
      const others = this.#blocks.filter((block) => block.zone === zone && block.lines.length === 0);
      const fixed = others.reduce((sum, { zoneBytes }) => sum + zoneBytes, 0);
      const bytes = Math.floor((zone.bytes - fixed) / 64) * 64;
      if (MemberTable.capacityOf(bytes) < 1 && zone.bytes > 0) {
        throw new ConfError(`zone "${zone.name}" is too small for upstream "${name}"`, place);
      }
      used.set(zone, bytes);
      this.#members.reserve(zone, bytes);
    }
    return used;
  }

  #explicit(block: Block<R>, used: Map<Zone, number>, outer: OuterResolver): PeerGroup<R> {
    const { zone } = block;
    if (block.lines.length > 0) {
      const { group, resolving } = block.memberGroup(outer);
      if (zone) this.#members.add(zone, group, resolving);
      return group;
    }
    const offset = zone ? (used.get(zone) ?? 0) : 0;
    if (zone) used.set(zone, offset + block.zoneBytes);
    return block.group(offset);
  }

  /** Closes idle connections, and keeps none from then on; names are looked up no longer. */
  drain(): void {
    this.#members.stop();
    for (const group of this.#groups) group.pool?.close();
  }

  #mayNotHavePort(address: Address, place: Place, name = address.host): never {
    throw new ConfError(`upstream "${name}" may not have port ${address.port}`, place);
  }

  #implicit({ address, place }: Reference<R>): PeerGroup<R> {
    const targets = this.#targets(address, place);
    const peers = targets.map(({ name, to }) => new GroupPeer(name, address.text, to, PLAIN_SERVER));
    return new Group<R>(
      address.host,
      false,
      new Peers(peers, peers.length === 1),
      undefined,
      roundRobin,
      undefined,
    );
  }

  #targets(address: Address, place: Place): readonly Target[] {
    if (address.kind === 'unix') return [directTarget(address)];
    if (address.port === 0) throw new ConfError(`no port in upstream "${address.host}"`, place);
    if (address.kind === 'numeric') return [directTarget(address)];
    const found = this.addresses(address.host);
    if (found.length === 0) throw new ConfError(`host not found in upstream "${address.host}"`, place);
    return found.map((host) => numericTarget(host, address.port));
  }
}
