/** The servers that DNS gives a group while it runs, as plain data that the workers share. */
import type { Resolved } from '../net/lookup.ts';
import type { PeerSettings } from './peers.ts';

/** A `server NAME resolve` line. */
export interface HostServer {
  /** As written, with the port. */
  readonly text: string;
  readonly host: string;
  readonly port: number;
  /** `service=`; '' without. */
  readonly service: string;
  readonly settings: PeerSettings;
  readonly backup: boolean;
}

/** One address of a name. */
export interface Member {
  /** Never given twice by a table. */
  readonly id: number;
  /** Where its counters are. */
  readonly slot: number;
  /** The line it comes from, by its number in the group. */
  readonly host: number;
  readonly backup: boolean;
  readonly server: string;
  readonly weight: number;
  readonly address: string;
  readonly port: number;
}

export interface HostState {
  readonly host: string;
  readonly service: string;
  readonly backup: boolean;
  /** Until when its members hold, seconds of the wall clock; 0 when nothing is known. */
  valid: number;
}

export interface GroupState {
  readonly hosts: HostState[];
  members: Member[];
}

/** What tells two members of one line apart. */
export type Wanted = Omit<Member, 'id' | 'slot' | 'host'>;

/** Where members stand. */
export interface Places {
  /** Room for one more; undefined when there is none left. */
  take(): Pick<Member, 'id' | 'slot'> | undefined;
  /** The place of a member that goes. */
  free(slot: number): void;
}

/**
 * What a line's lookup asks for. SRV records of another than the best priority are backups, and are left out where
 * the group has none (`backups`) or the line is one itself.
 */
export const wantedOf = (
  line: HostServer,
  addresses: readonly Resolved[],
  backups: boolean,
): readonly Wanted[] => {
  const { service, settings, text, backup } = line;
  if (service === '') {
    const { weight } = settings;
    return addresses.map(({ host: address }) => ({ backup, server: text, weight, address, port: line.port }));
  }
  const best = addresses.reduce((least, { priority }) => Math.min(least, priority), 65535);
  return addresses
    .filter(({ priority }) => priority === best || (backups && !backup))
    .map(({ host: address, port, name: server, weight, priority }) => ({
      backup: backup || priority !== best,
      server,
      weight: settings.weight === 1 ? weight : settings.weight,
      address,
      port,
    }));
};

const same = (a: Wanted, b: Wanted): boolean =>
  a.address === b.address &&
  a.port === b.port &&
  a.server === b.server &&
  a.weight === b.weight &&
  a.backup === b.backup;

/** What became of the members of a line. */
export interface Replaced {
  readonly members: Member[];
  readonly changed: boolean;
  /** Some did not find room. */
  readonly full: boolean;
}

/** The members of a group when those of line `host` are to be `wanted`: those that stay keep their place and counters. */
export const replaceMembers = (
  members: readonly Member[],
  host: number,
  wanted: readonly Wanted[],
  places: Places,
): Replaced => {
  const missing = [...wanted];
  const kept = members.filter((member) => {
    if (member.host !== host) return true;
    const found = missing.findIndex((one) => same(one, member));
    if (found < 0) {
      places.free(member.slot);
      return false;
    }
    missing.splice(found, 1);
    return true;
  });
  const changed = kept.length < members.length || missing.length > 0;
  let full = false;
  for (const one of missing) {
    const place = places.take();
    if (place) kept.push({ ...one, ...place, host });
    else full = true;
  }
  return { members: kept, changed, full };
};

/** What a group begins with: of what `before` knew (an earlier configuration's group of that name), what still applies. */
export const adopt = (
  lines: readonly HostServer[],
  before: GroupState | undefined,
  places: Places,
): GroupState => {
  const members: Member[] = [];
  const hosts = lines.map((line, host): HostState => {
    const { service, backup, settings } = line;
    const name = line.host;
    const old = before?.hosts.findIndex(
      (one) => one.host === name && one.service === service && one.backup === backup,
    );
    const state = { host: name, service, backup, valid: 0 };
    if (!before || old === undefined || old < 0) return state;
    state.valid = before.hosts[old]?.valid ?? 0;
    for (const member of before.members) {
      const place = member.host === old ? places.take() : undefined;
      if (!place) continue;
      const asWritten = service === '' || settings.weight !== 1;
      members.push({
        ...member,
        ...place,
        host,
        server: service === '' ? line.text : member.server,
        port: service === '' ? line.port : member.port,
        weight: asWritten ? settings.weight : member.weight,
      });
    }
    return state;
  });
  return { hosts, members };
};
