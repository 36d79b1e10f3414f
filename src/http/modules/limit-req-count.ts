/** The leaky bucket of limit_req: requests of a key in excess of its rate, in thousandths (ngx_http_limit_req). */

import type { LimitZone } from '../../values/limit-zone.ts';
import type { RecordTable } from '../../zone/record-table.ts';
import { sharedNow } from '../../zone/shared-now.ts';
import type { Request } from '../request.ts';

const EXCESS = 0;
const LAST = 1;
/** Requests that have looked the record up and not yet counted: it must stay. */
const HELD = 2;
export const FIELDS = 3;

const MINUTE = 60_000;

/** The outcome of a look-up: over the burst, counted, to be counted once all zones agree, or no memory. */
export const BUSY = 0;
export const COUNTED = 1;
export const LATER = 2;
export const FULL = 3;

/** Milliseconds since, as a clock that was set back allows. */
const elapsed = (now: number, last: number): number => {
  const ms = now - last;
  return ms < -MINUTE ? 1 : Math.max(0, ms);
};

const excessNow = (table: RecordTable, record: number, rate: number, ms: number): number =>
  Math.max(0, Math.trunc(table.get(record, EXCESS) - Math.trunc((rate * ms) / 1000) + 1000));

/** Lets go of the least recently used: `force` the oldest in any case, then up to two that have nothing in excess. */
const expire = (table: RecordTable, rate: number, now: number, force: boolean): void => {
  for (let n = force ? 0 : 1; n < 3; n++) {
    const record = table.oldest();
    if (record === 0 || table.get(record, HELD) > 0) return;
    if (n > 0) {
      const ms = Math.abs(now - table.get(record, LAST));
      if (ms < MINUTE || table.get(record, EXCESS) - Math.trunc((rate * ms) / 1000) > 0) return;
    }
    table.remove(record);
  }
};

/** What `lookUp` found out beside its answer. */
export const found = { excess: 0 };

/** Looks a key up under the zone's lock; `count`: it is counted at once, else it is held until `account`. */
export const lookUp = (
  zone: LimitZone<Request>,
  table: RecordTable,
  text: string,
  burst: number,
  count: boolean,
): number => {
  const now = sharedNow();
  found.excess = 0;
  const present = table.find(text);
  if (present !== 0) {
    table.touch(present);
    const ms = elapsed(now, table.get(present, LAST));
    const excess = excessNow(table, present, zone.rate, ms);
    found.excess = excess;
    if (excess > burst) return BUSY;
    if (!count) {
      table.set(present, HELD, table.get(present, HELD) + 1);
      return LATER;
    }
    table.set(present, EXCESS, excess);
    if (ms > 0) table.set(present, LAST, now);
    return COUNTED;
  }
  expire(table, zone.rate, now, false);
  let record = table.insert(text);
  if (record === 0) {
    expire(table, zone.rate, now, true);
    record = table.insert(text);
    if (record === 0) return FULL;
  }
  table.set(record, LAST, count ? now : 0);
  table.set(record, HELD, count ? 0 : 1);
  return count ? COUNTED : LATER;
};

/** Counts a request that `lookUp` held, or (`counted` false) only lets go. Answers the excess then. */
export const account = (
  zone: LimitZone<Request>,
  table: RecordTable,
  text: string,
  counted: boolean,
): number => {
  table.lock();
  const record = table.find(text);
  let excess = 0;
  if (record !== 0) {
    table.set(record, HELD, Math.max(0, table.get(record, HELD) - 1));
    if (counted) {
      const now = sharedNow();
      const ms = elapsed(now, table.get(record, LAST));
      excess = excessNow(table, record, zone.rate, ms);
      if (ms > 0) table.set(record, LAST, now);
      table.set(record, EXCESS, excess);
    }
  }
  table.unlock();
  return excess;
};
