/** An `upstream` block while it is read. */
import { ConfError, type Place, placed } from '../config/contract.ts';
import { Reason } from '../config/reason.ts';
import type { Request } from '../http/request.ts';
import type { Resolver } from '../net/resolver.ts';
import type { Zone } from '../zone/zones.ts';
import { directTarget, numericTarget, parseAddress, type Target } from './address.ts';
import type { Asker, PeerGroup } from './contract.ts';
import { type Balance, Group, roundRobin, type Sources } from './group.ts';
import type { Resolving } from './host-watch.ts';
import { MemberGroup } from './member-group.ts';
import type { HostServer } from './members.ts';
import { GroupPeer, type PeerSettings, Peers } from './peers.ts';
import { KeepalivePool } from './pool.ts';

/** A `server` line. */
export interface ServerLine {
  readonly text: string;
  readonly targets: readonly Target[];
  readonly settings: PeerSettings;
  readonly backup: boolean;
  readonly place: Place;
  /** Its name is looked up at run time, and it has no targets. */
  readonly line?: HostServer | undefined;
}

/** What a balancing method makes of a block. */
export interface Method<R extends Asker = Request> {
  readonly name: string;
  readonly place: Place;
  readonly balance: Balance<R>;
  /** `server` parameters it does not know: `weight=`, `backup` ... */
  readonly refuses: readonly string[];
}

/** nginx's default for a block that says nothing: 32 connections, each for the location that made it. */
const DEFAULT_POOL = 32;

/** What a protocol's groups have. */
export interface GroupRules {
  /** The port of a server that names none; 0: it must name one. */
  readonly port: number;
  /** Connections are kept. */
  readonly keeps: boolean;
}

export class Block<R extends Asker = Request> {
  readonly servers: ServerLine[] = [];
  /** `keepalive`: undefined where it is not written. */
  keepalive: { readonly size: number; readonly local: boolean; readonly place: Place } | undefined =
    undefined;
  keepaliveRequests = 1000;
  /** Milliseconds. */
  keepaliveTime = 3_600_000;
  keepaliveTimeout = 60_000;
  /** Where keepalive_timeout is written. */
  keepaliveTimeoutPlace: Place | undefined = undefined;
  zone: Zone | undefined = undefined;
  /** `resolver` and `resolver_timeout` (ms) of its own. */
  resolver: Resolver | undefined = undefined;
  resolverTimeout: number | undefined = undefined;
  method: Method<R> | undefined = undefined;
  /** `sticky`, and what it makes of the balancing method; a method behind it takes the place of both. */
  sticky: { around: ((inner: Balance<R>) => Sources<R>) | undefined } | undefined = undefined;

  constructor(
    readonly name: string,
    readonly place: Place,
    readonly addresses: (host: string) => readonly string[],
    readonly rules: GroupRules,
  ) {}

  /** Connections that the pool keeps; 0: none. */
  get poolSize(): number {
    return this.rules.keeps ? (this.keepalive?.size ?? DEFAULT_POOL) : 0;
  }

  /** The targets of a server's address. Throws Reason in nginx's words. */
  targets(text: string): readonly Target[] {
    const address = parseAddress(text, this.rules.port);
    if (address.kind !== 'name') return [directTarget(address)];
    const found = this.addresses(address.host);
    if (found.length === 0) throw new Reason('host not found');
    return found.map((host) => numericTarget(host, address.port));
  }

  /** The servers whose names are looked up at run time. */
  get lines(): readonly HostServer[] {
    return this.servers.flatMap(({ line }) => (line ? [line] : []));
  }

  /**
   * The group of a block with such servers, and how their names are looked up; `outer` is what the http block says.
   * Throws where there is no zone, no resolver, no server.
   */
  memberGroup(outer: { readonly resolver: Resolver | undefined; readonly timeout: number }): {
    readonly group: MemberGroup<R>;
    readonly resolving: Resolving;
  } {
    const { name, place, lines } = this;
    const at = placed(`upstream "${name}"`, place);
    if (!this.zone) {
      throw new ConfError(
        `resolving names at run time requires ${at} to be in shared memory`,
        undefined,
        place,
      );
    }
    const resolver = this.resolver ?? outer.resolver;
    if (!resolver) {
      throw new ConfError(`no resolver defined to resolve names at run time in upstream "${name}"`, place);
    }
    const primary = this.#peers(false);
    if (primary.length === 0 && !lines.some(({ backup }) => !backup)) this.#noServers();
    const backups = !this.method?.refuses.includes('backup');
    const servers = { primary, backup: this.#peers(true), lines, backups };
    return {
      group: new MemberGroup(name, servers, this.#sources(), this.#pool()),
      resolving: { resolver, timeout: this.resolverTimeout ?? outer.timeout },
    };
  }

  #noServers(): never {
    throw new ConfError(`no servers in upstream "${this.name}"`, this.place);
  }

  /** The group it describes; its servers stand in the zone from `offset`. Throws `no servers in upstream`, where all are backups. */
  group(offset: number): PeerGroup<R> {
    const { zone } = this;
    const primary = this.#peers(false);
    const backup = this.#peers(true);
    if (primary.length === 0) this.#noServers();
    if (zone && offset + this.zoneBytes > zone.bytes && zone.bytes > 0) {
      throw new ConfError(`zone "${zone.name}" is too small for upstream "${this.name}"`, this.place);
    }
    const single = primary.length === 1 && backup.length === 0;
    const first = new Peers(primary, single, zone, offset);
    const second =
      backup.length > 0 ? new Peers(backup, false, zone, offset + Peers.bytes(primary.length)) : undefined;
    return new Group(this.name, true, first, second, this.#sources(), this.#pool());
  }

  /** Bytes that its servers take in a zone. */
  get zoneBytes(): number {
    return Peers.bytes(this.#peers(false).length) + Peers.bytes(this.#peers(true).length);
  }

  #sources(): Sources<R> {
    const balance = this.method?.balance ?? roundRobin;
    return this.sticky?.around?.(balance) ?? balance;
  }

  #peers(backup: boolean): GroupPeer[] {
    return this.servers
      .filter((server) => server.backup === backup)
      .flatMap(({ text, targets, settings }) =>
        targets.map(({ name, to }) => new GroupPeer(name, text, to, settings)),
      );
  }

  #pool(): KeepalivePool | undefined {
    const size = this.poolSize;
    if (size === 0) return undefined;
    return new KeepalivePool({
      size,
      local: this.keepalive?.local ?? true,
      requests: this.keepaliveRequests,
      time: this.keepaliveTime,
      timeout: this.keepaliveTimeout,
    });
  }
}
