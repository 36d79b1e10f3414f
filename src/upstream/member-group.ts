/** A group some of whose servers come from DNS while it runs (`server NAME resolve`); all workers have the same. */
import type { Request } from '../http/request.ts';
import type { Resolved } from '../net/lookup.ts';
import { numericTarget } from './address.ts';
import type { Asker, PeerGroup, PeerSource } from './contract.ts';
import type { Sources } from './group.ts';
import type { MemberTable } from './member-table.ts';
import { adopt, type GroupState, type HostServer, type Member, replaceMembers, wantedOf } from './members.ts';
import { GroupPeer, Peers } from './peers.ts';
import type { KeepalivePool } from './pool.ts';

/** What a block's `server` lines say. */
export interface MemberServers {
  /** Those with an address of their own. */
  readonly primary: readonly GroupPeer[];
  readonly backup: readonly GroupPeer[];
  readonly lines: readonly HostServer[];
  /** The balancing method knows backups. */
  readonly backups: boolean;
}

/** The list as it was at some moment: a request keeps the one it began with. */
class MemberPeers extends Peers {
  constructor(
    list: readonly GroupPeer[],
    single: boolean,
    readonly group: { sync(table: MemberTable): void },
    readonly table: MemberTable,
  ) {
    super(list, single);
  }

  override begin(): void {
    const { slots } = this.table;
    slots.lock();
    // A slot may have got another owner meanwhile.
    this.group.sync(this.table);
    this.load(slots);
  }

  override end(): void {
    const { slots } = this.table;
    this.store(slots);
    slots.unlock();
  }
}

export class MemberGroup<R extends Asker = Request> implements PeerGroup<R> {
  readonly explicit = true;
  #table: MemberTable | undefined = undefined;
  #primary: Peers = new Peers([], false);
  #backup: Peers | undefined = undefined;
  /** The peers that stand for members, by id. */
  #peers = new Map<number, GroupPeer>();
  /** The version of the table that the lists are of. */
  #seen = -1;

  constructor(
    readonly name: string,
    readonly servers: MemberServers,
    readonly balance: Sources<R>,
    readonly pool: KeepalivePool | undefined,
  ) {}

  /** Servers that have a slot of the table for good. */
  get fixed(): number {
    return this.servers.primary.length + this.servers.backup.length;
  }

  /** Begins to use `table`, where its own servers stand from `slot` on; `before` is what another configuration knew. */
  open(table: MemberTable, slot: number, before: () => GroupState | undefined): void {
    const { primary, backup, lines } = this.servers;
    [...primary, ...backup].forEach((peer, i) => {
      peer.slot = slot + i;
    });
    this.#table = table;
    table.update(this.name, (known, places) => ({
      state: known ?? adopt(lines, before(), places),
      changed: known === undefined,
    }));
  }

  source(request: R): PeerSource {
    const table = this.#table;
    if (table && table.version !== this.#seen) {
      table.slots.lock();
      try {
        this.sync(table);
      } finally {
        table.slots.unlock();
      }
    }
    return this.balance(request, this.#primary, this.#backup);
  }

  /** Until when the members of a line hold, seconds of the wall clock. */
  validOf(line: number): number {
    return this.#table?.peek(this.name)?.hosts[line]?.valid ?? 0;
  }

  /** Makes the addresses of a line what they are now. False: there was no room for all. */
  resolved(line: number, addresses: readonly Resolved[], valid: number): boolean {
    const written = this.servers.lines[line];
    if (!written) return true;
    let full = false;
    const done = this.#table?.update(this.name, (known, places) => {
      const state = known ?? adopt(this.servers.lines, undefined, places);
      const wanted = wantedOf(written, addresses, this.servers.backups);
      const replaced = replaceMembers(state.members, line, wanted, places);
      full = replaced.full;
      const hosts = state.hosts.map((host, i) => (i === line ? { ...host, valid } : host));
      return { state: { hosts, members: replaced.members }, changed: replaced.changed };
    });
    return done !== false && !full;
  }

  /** Takes over what the table says, which must be locked. */
  sync(table: MemberTable): void {
    const { version } = table;
    if (version === this.#seen) return;
    this.#seen = version;
    const members = table.group(this.name)?.members ?? [];
    const before = this.#peers;
    const { lines } = this.servers;
    this.#peers = new Map(
      members.flatMap((member) => {
        const peer = before.get(member.id) ?? peerOf(member, lines[member.host]);
        return peer ? [[member.id, peer] as const] : [];
      }),
    );
    for (const [id, peer] of before) if (!this.#peers.has(id)) this.#drop(peer);
    const list = (backup: boolean): GroupPeer[] => [
      ...(backup ? this.servers.backup : this.servers.primary),
      ...members.flatMap((member) => {
        const peer = member.backup === backup ? this.#peers.get(member.id) : undefined;
        return peer ? [peer] : [];
      }),
    ];
    const [primary, backup] = [list(false), list(true)];
    this.#primary = new MemberPeers(primary, primary.length === 1 && backup.length === 0, this, table);
    this.#backup = backup.length > 0 ? new MemberPeers(backup, false, this, table) : undefined;
  }

  /** A server that DNS names no longer: what is under way goes on, nothing new begins. */
  #drop(peer: GroupPeer): void {
    peer.down = true;
    peer.draining = false;
    peer.slot = -1;
    const still = [...this.#peers.values()].some(({ name }) => name === peer.name);
    if (!still) this.pool?.drop(peer.name);
  }
}

const peerOf = (
  { address, port, server, weight, slot }: Member,
  line: HostServer | undefined,
): GroupPeer | undefined => {
  if (!line) return undefined;
  const { name, to } = numericTarget(address, port);
  const peer = new GroupPeer(name, server, to, { ...line.settings, weight });
  peer.slot = slot;
  return peer;
};
