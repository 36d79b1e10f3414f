/** The sessions of `sticky learn`: which peer each client has got, the same for all workers. */
import type { ErrorLog } from '../log/error-log.ts';
import { WARN } from '../log/levels.ts';
import { wallClock } from '../net/timers.ts';
import { RecordTable } from '../zone/record-table.ts';
import type { Zone } from '../zone/zones.ts';

/** The one field of a record: when it was last used, ms since 1970. */
const LAST = 0;
const FIELDS = 1;
const LONGEST_SID = 32;

export class StickySessions {
  #table: RecordTable | undefined = undefined;
  #log: ErrorLog | undefined = undefined;

  constructor(
    readonly zone: Zone,
    /** Milliseconds without a request after which a session is over. */
    readonly timeout: number,
  ) {}

  /** In a worker: the zone has its memory. */
  open(log: ErrorLog): void {
    this.#log = log;
    this.#table = new RecordTable(this.zone.memory, FIELDS, LONGEST_SID);
  }

  /** The sid of the peer that the session has, '' when there is none. */
  find(id: string): string {
    const table = this.#table;
    if (!table) return '';
    table.lock();
    const record = this.#live(table, id, wallClock());
    const sid = record === 0 ? '' : table.text(record);
    table.unlock();
    return sid;
  }

  /** The session has this peer from now on; one that is not there begins only when `create`. */
  put(id: string, sid: string, create: boolean): void {
    const table = this.#table;
    if (!table) return;
    const now = wallClock();
    table.lock();
    let record = this.#live(table, id, now);
    let full = false;
    if (record === 0 && create) {
      for (let old = table.oldest(); old !== 0 && this.#over(table, old, now); old = table.oldest()) {
        table.remove(old);
      }
      record = table.insert(id);
      full = record === 0;
      if (full) {
        table.remove(table.oldest());
        record = table.insert(id);
      }
    }
    if (record !== 0) {
      table.touch(record);
      table.set(record, LAST, now);
      table.setText(record, sid);
    }
    table.unlock();
    if (!full) return;
    const where = `in sticky session zone "${this.zone.name}"`;
    this.#log?.write(WARN, `could not allocate node ${where}, expiring least recently used session`);
  }

  #live(table: RecordTable, id: string, now: number): number {
    const record = table.find(id);
    if (record === 0 || !this.#over(table, record, now)) return record;
    table.remove(record);
    return 0;
  }

  #over(table: RecordTable, record: number, now: number): boolean {
    return table.get(record, LAST) + this.timeout <= now;
  }
}
