/**
 * The memory behind zones. The master makes it, keeps it across reloads where name, use and size stay, and tells
 * workers where it is; a worker maps it.
 */
import { closeSync, ftruncateSync, openSync, statfsSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorText } from '../platform/errno.ts';
import { mapShared } from '../platform/shared-memory.ts';
import type { Zone, ZoneDescription } from './zones.ts';

const MEMORY_FOLDER = '/dev/shm';
/** Left free in a folder of memory: writing to a page that the system cannot give kills the process. */
const SPARE_BYTES = 1 << 20;

interface Kept {
  readonly zone: Zone;
  readonly fd: number;
  /** What it takes the place of. */
  readonly previous?: Kept | undefined;
}

const folderFor = (bytes: number): string => {
  try {
    const { bavail, bsize } = statfsSync(MEMORY_FOLDER);
    return bavail * bsize >= bytes + SPARE_BYTES ? MEMORY_FOLDER : tmpdir();
  } catch {
    return tmpdir();
  }
};

/** A file without a name, so that nothing is left behind however the master ends; `/proc` leads to it. */
const makeFile = (bytes: number, serial: number): number => {
  const path = join(folderFor(bytes), `sluice.${process.pid}.${serial}`);
  const fd = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  try {
    ftruncateSync(fd, bytes);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
};

/** The zones of a configuration that is being taken into use. */
export interface ZoneChange {
  /** For the workers of the new configuration. */
  readonly zones: readonly ZoneDescription[];
  /** The new configuration is in use: memory that only the old one had is let go once its workers end. */
  accept(): void;
  /** It is not: what was made for it is let go. */
  refuse(): void;
}

/** The master's side: one for the life of the program. */
export class ZoneStore {
  #kept = new Map<string, Kept>();
  #serial = 0;

  /**
   * Finds or makes the memory of each zone. Throws, in nginx's words, when a zone that is kept has changed what it
   * counts, or when there is no memory; nothing has changed then.
   */
  change(zones: readonly Zone[]): ZoneChange {
    const next = new Map<string, Kept>();
    const made: Kept[] = [];
    const refuse = (): void => {
      for (const { fd } of made) closeSync(fd);
    };
    try {
      for (const zone of zones) {
        const before = this.#reusable(zone);
        const kept = before ? { zone, fd: before.fd } : this.#make(zone);
        if (!before) made.push(kept);
        next.set(zone.name, kept);
      }
    } catch (error) {
      refuse();
      throw error;
    }
    const accept = (): void => {
      const inUse = new Set([...next.values()].map(({ fd }) => fd));
      for (const { fd } of this.#kept.values()) if (!inUse.has(fd)) closeSync(fd);
      this.#kept = next;
    };
    const path = (fd: number): string => `/proc/${process.pid}/fd/${fd}`;
    return {
      zones: [...next.values()].map(({ zone: { name, bytes }, fd, previous }) => ({
        name,
        bytes,
        path: path(fd),
        ...(previous && { previous: { path: path(previous.fd), bytes: previous.zone.bytes } }),
      })),
      accept,
      refuse,
    };
  }

  /** Lets go of all memory; workers that still run keep theirs. */
  close(): void {
    for (const { fd } of this.#kept.values()) closeSync(fd);
    this.#kept = new Map();
  }

  #reusable(zone: Zone): Kept | undefined {
    const before = this.#kept.get(zone.name);
    if (!before || before.zone.use !== zone.use || before.zone.bytes !== zone.bytes) return undefined;
    if (zone.options.fresh) return undefined;
    const identity = before.zone.options.identity;
    if (identity !== undefined && identity !== zone.options.identity) {
      throw new Error(zone.options.changed?.(identity) ?? `zone "${zone.name}" has changed its use`);
    }
    return before;
  }

  #make(zone: Zone): Kept {
    const { name, bytes, use, options } = zone;
    const before = this.#kept.get(name);
    const previous =
      options.fresh && before?.zone.use === use ? { zone: before.zone, fd: before.fd } : undefined;
    try {
      return { zone, fd: makeFile(bytes, ++this.#serial), previous };
    } catch (error) {
      throw new Error(`shared memory of zone "${name}", ${bytes} bytes, failed (${errorText(error)})`);
    }
  }
}

/**
 * The worker's side: gives every zone its memory. A zone without a description, or that cannot be mapped, gets
 * memory of this process alone; in the latter case `warn` is told.
 */
export const mapZones = (
  zones: readonly Zone[],
  descriptions: readonly ZoneDescription[],
  warn: (reason: string) => void,
): void => {
  for (const zone of zones) {
    const description = descriptions.find(({ name }) => name === zone.name);
    const mapped = description && mapOrWarn(description, warn);
    zone.shared = mapped !== undefined;
    zone.give(mapped ?? new ArrayBuffer(zone.bytes));
    const previous = description?.previous;
    zone.previous = previous && (() => mapShared(previous.path, previous.bytes));
  }
};

const mapOrWarn = (
  { name, path, bytes }: ZoneDescription,
  warn: (reason: string) => void,
): ArrayBuffer | undefined => {
  try {
    return mapShared(path, bytes);
  } catch (error) {
    warn(`zone "${name}" is not shared, each worker has its own: ${errorText(error)}`);
    return undefined;
  }
};
