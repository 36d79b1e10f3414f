/** One `proxy_cache_path`: its folder, and the records of what is in it, which all workers share. */
import { rmSync } from 'node:fs';
import { RecordTable } from '../../zone/record-table.ts';
import type { Zone } from '../../zone/zones.ts';

/** Fields of a record. */
export const USES = 0;
/** Requests that have it in hand: it is not taken away from under them. */
export const HOLDERS = 1;
/** There is a file. */
export const EXISTS = 2;
/** Somebody fetches it, until the time in LOCKED_UNTIL at the latest (ms, on the shared clock). */
export const UPDATING = 3;
export const LOCKED_UNTIL = 4;
/** The status that was kept in place of a reply, and until when. */
export const ERROR_STATUS = 5;
export const VALID = 6;
/** When it is taken away unless it is asked for again, seconds since the epoch. */
export const EXPIRE = 7;
/** Bytes of the file. */
export const SIZE = 8;
const FIELDS = 9;

/** What the directive says. Times in seconds, sizes in bytes. */
export interface StoreConf {
  readonly path: string;
  readonly levels: readonly number[];
  readonly useTempPath: boolean;
  readonly inactive: number;
  readonly maxSize: number;
  readonly minFree: number;
  /** Files that are looked at, or taken away, before there is a pause; and that pause in ms. */
  readonly loader: { readonly files: number; readonly pause: number };
  readonly manager: { readonly files: number; readonly pause: number };
}

export class CacheStore {
  table: RecordTable | undefined = undefined;

  constructor(
    readonly name: string,
    readonly zone: Zone,
    readonly conf: StoreConf,
  ) {}

  /** In a worker: the memory is there. */
  open(): RecordTable {
    this.table = new RecordTable(this.zone.memory, FIELDS);
    return this.table;
  }

  /** The file of a key of 16 bytes. */
  fileOf(key: Buffer): string {
    const name = key.toString('hex');
    let folder = '';
    let end = name.length;
    for (const level of this.conf.levels) {
      folder += `${name.slice(end - level, end)}/`;
      end -= level;
    }
    return `${this.conf.path}/${folder}${name}`;
  }

  /** A record for the key, with room made for it where there is none. 0: all are in use. Within the lock. */
  insert(table: RecordTable, key: string): number {
    return table.insert(key) || (this.makeRoom(table) ? table.insert(key) : 0);
  }

  /** Takes the least recently used away that nobody holds. False: there is none. Within the lock. */
  makeRoom(table: RecordTable): boolean {
    for (let record = table.oldest(); record !== 0; record = table.newer(record)) {
      if (table.get(record, HOLDERS) > 0) continue;
      this.remove(table, record);
      return true;
    }
    return false;
  }

  /** Takes a record and its file away. Within the lock. */
  remove(table: RecordTable, record: number): void {
    const key = Buffer.from(table.key(record), 'latin1');
    table.remove(record);
    rmSync(this.fileOf(key), { force: true });
  }
}
