/** The groups of a configuration whose names are looked up while it runs: their tables, and who looks them up. */
import type { ErrorLog } from '../log/error-log.ts';
import { WARN } from '../log/levels.ts';
import type { Zone } from '../zone/zones.ts';
import { HostWatch, type Resolving } from './host-watch.ts';
import type { MemberGroup } from './member-group.ts';
import { MemberTable } from './member-table.ts';

/** What a worker is told. */
export interface WatchContext {
  readonly worker: number;
  readonly workers: number;
  readonly log: ErrorLog;
}

interface Watched {
  readonly group: MemberGroup<never>;
  readonly resolving: Resolving;
}

interface ZonePart {
  /** Bytes from the zone's beginning. */
  readonly bytes: number;
  readonly watched: Watched[];
}

export class MemberZones {
  readonly #parts = new Map<Zone, ZonePart>();
  #watches: HostWatch[] = [];

  /** Groups that are added for `zone` share its first `bytes`. */
  reserve(zone: Zone, bytes: number): void {
    this.#parts.set(zone, { bytes, watched: [] });
  }

  add(zone: Zone, group: MemberGroup<never>, resolving: Resolving): void {
    this.#parts.get(zone)?.watched.push({ group, resolving });
  }

  /** In a worker whose zones have memory. Each name is looked up by one of those who share it. */
  start({ worker, workers, log }: WatchContext): void {
    let number = 0;
    for (const [zone, { bytes, watched }] of this.#parts) {
      const fixed = watched.reduce((sum, { group }) => sum + group.fixed, 0);
      const table = MemberTable.at(zone.memory, bytes, fixed);
      let slot = 0;
      for (const { group, resolving } of watched) {
        group.open(table, slot, () => earlier(zone, log)?.peek(group.name));
        slot += group.fixed;
        for (const [line, server] of group.servers.lines.entries()) {
          if (number++ % workers !== worker && zone.shared) continue;
          this.#watches.push(new HostWatch(group, line, server, resolving, log));
        }
      }
    }
    for (const watch of this.#watches) watch.start();
  }

  stop(): void {
    for (const watch of this.#watches) watch.stop();
    this.#watches = [];
  }
}

/** What the configuration before this one knew. */
const earlier = (zone: Zone, log: ErrorLog): MemberTable | undefined => {
  try {
    const memory = zone.previous?.();
    return memory && MemberTable.existing(memory);
  } catch (error) {
    log.write(
      WARN,
      `what zone "${zone.name}" held is not known: ${error instanceof Error ? error.message : error}`,
    );
    return undefined;
  }
};
