/** What one request has to do with one kept reply (ngx_http_file_cache): looked for, waited for, made, let go. */
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { CRIT } from '../../log/levels.ts';
import { Timer, type TimerOwner, wallClock } from '../../net/timers.ts';
import { errorText } from '../../platform/errno.ts';
import type { RecordTable } from '../../zone/record-table.ts';
import { sharedNow } from '../../zone/shared-now.ts';
import { moveFile } from '../move-file.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import type { TempFile } from '../temp-file.ts';
import { encodeKept, type KeptReply, unknownReply } from './cache-file.ts';
import { KeptFile, renewTimes } from './kept-file.ts';
import { KeptName, keptMemory } from './kept-memory.ts';
import {
  type CacheStore,
  ERROR_STATUS,
  EXISTS,
  EXPIRE,
  HOLDERS,
  LOCKED_UNTIL,
  SIZE,
  UPDATING,
  USES,
  VALID,
} from './store.ts';
import { variantOf } from './variant.ts';

/** What `look` finds. A status (100 and above): it was kept in place of a reply. */
export const FRESH = 1;
/** Past its time, and this request is the one to fetch it anew. */
export const STALE = 2;
/** Past its time, and another request fetches it. */
export const UPDATED_ELSEWHERE = 3;
export const ABSENT = 4;
/** Absent, and not to be kept by this request. */
export const SCARCE = 5;
/** Another request fetches it: look again when `lookAgain` is called. */
export const WAITS = 6;
export const FAILED = 7;

/** How a request looks for it. Times in ms. */
export interface LookConf {
  readonly minUses: number;
  readonly lock: boolean;
  readonly lockTimeout: number;
  readonly lockAge: number;
}

/** The longest time between two looks at what another request fetches, ms. */
const POLL = 50;
const FILE_MODE = 0o600;

export const nowSeconds = (): number => Math.floor(wallClock() / 1000);

/** Who has looked. */
export interface EntryOwner {
  /** It is worth looking again. */
  lookAgain(entry: CacheEntry): void;
}

export class CacheEntry implements TimerOwner {
  kept: Readonly<KeptReply>;
  readonly file: KeptFile = new KeptFile();
  /** What is being written. */
  temp: TempFile | undefined = undefined;
  /** Past its time, but usable: while it is updated, after an error. */
  usableUpdating = false;
  usableOnError = false;
  /** The status that is to be kept in place of a reply. */
  errorStatus = 0;
  readonly #main: KeptName;
  #name: KeptName;
  #record = 0;
  #updating = false;
  #lockedUntil = 0;
  #lockTimeout: number;
  #waitUntil = 0;
  #timer: Timer | undefined = undefined;
  #done = false;

  constructor(
    readonly request: Request,
    readonly store: CacheStore,
    readonly table: RecordTable,
    key: string,
    readonly conf: LookConf,
    readonly owner: EntryOwner,
  ) {
    this.kept = unknownReply(key);
    this.#main =
      keptMemory.find(store, key, false) ??
      new KeptName(store, key, false, createHash('md5').update(key, 'latin1').digest());
    this.#name = this.#main;
    this.#lockTimeout = conf.lockTimeout;
  }

  get path(): string {
    return this.#name.path;
  }

  /** Looks for the reply. */
  look(): number {
    const found = this.#take();
    if (found === FAILED || found === SCARCE || found >= 100) return found;
    const opened = this.#open();
    if (opened !== ABSENT) return opened;
    return found === ABSENT && this.conf.minUses > 1 ? SCARCE : this.#lock();
  }

  /** A record for a reply that was not looked for (it was bypassed). False: there is no room. */
  create(): boolean {
    return this.#take() !== FAILED;
  }

  /** Takes the record in hand. FRESH: there may be a file; ABSENT: it is new. */
  #take(): number {
    const { table, store } = this;
    const key = this.#name.record;
    table.lock();
    try {
      let record = this.#record === 0 ? table.find(key) : this.#record;
      let found = FRESH;
      if (record === 0) {
        record = store.insert(table, key);
        if (record === 0) return FAILED;
        table.set(record, USES, 1);
        table.set(record, HOLDERS, 1);
        found = ABSENT;
      } else {
        if (this.#record === 0) {
          table.set(record, USES, table.get(record, USES) + 1);
          table.set(record, HOLDERS, table.get(record, HOLDERS) + 1);
        }
        found = this.#known(record);
      }
      this.#record = record;
      table.set(record, EXPIRE, nowSeconds() + store.conf.inactive);
      table.touch(record);
      return found;
    } finally {
      table.unlock();
    }
  }

  /** What a record that was there says. */
  #known(record: number): number {
    const { table } = this;
    const status = table.get(record, ERROR_STATUS);
    if (status !== 0) {
      if (table.get(record, VALID) >= nowSeconds()) return status;
      table.set(record, ERROR_STATUS, 0);
      table.set(record, VALID, 0);
      return ABSENT;
    }
    if (table.get(record, EXISTS) !== 0 || table.get(record, USES) >= this.conf.minUses) return FRESH;
    return SCARCE;
  }

  /** Opens and reads the file; ABSENT when there is none that will do. */
  #open(): number {
    const { path, request } = this;
    let found: Readonly<KeptReply> | string | undefined;
    try {
      found = this.file.open(this.#name, this.kept.key);
    } catch (error) {
      logRequest(request, CRIT, `open() "${path}" failed (${errorText(error)})`);
      return FAILED;
    }
    if (typeof found === 'string') logRequest(request, CRIT, `cache file "${path}" ${found}`);
    if (typeof found !== 'object') return ABSENT;
    this.kept = found;
    if (this.kept.vary !== '') {
      const variant = variantOf(request, this.#main.digest, this.kept.vary);
      if (!variant.equals(this.kept.variant)) return this.#lookForVariant(variant);
    }
    this.#noteFile();
    return this.#age();
  }

  /** The file is for a request with other headers: the one for these has a key of its own. */
  #lookForVariant(variant: Buffer): number {
    this.file.close();
    if (this.#name.isVariant) {
      logRequest(this.request, CRIT, `cache file "${this.path}" has incorrect vary hash`);
      return ABSENT;
    }
    this.#letGo();
    const id = variant.latin1Slice();
    this.#name = keptMemory.find(this.store, id, true) ?? new KeptName(this.store, id, true, variant);
    const { key } = this.kept;
    this.kept = unknownReply(key);
    return this.look();
  }

  /** The file may be there from before the records were. */
  #noteFile(): void {
    const { table } = this;
    if (table.get(this.#record, EXISTS) !== 0) return;
    table.lock();
    table.set(this.#record, EXISTS, 1);
    table.set(this.#record, SIZE, this.file.length);
    table.unlock();
  }

  #age(): number {
    const { valid, updating, error } = this.kept;
    const now = nowSeconds();
    if (valid >= now) return FRESH;
    this.usableUpdating = valid + updating >= now;
    this.usableOnError = valid + error >= now;
    const { table } = this;
    table.lock();
    const busy = table.get(this.#record, UPDATING) !== 0;
    if (!busy) {
      table.set(this.#record, UPDATING, 1);
      this.#updating = true;
      this.#lockedUntil = table.get(this.#record, LOCKED_UNTIL);
    }
    table.unlock();
    return busy ? UPDATED_ELSEWHERE : STALE;
  }

  /** Of several requests for what is absent one fetches it, where `cache_lock` says so. */
  #lock(): number {
    if (!this.conf.lock) return ABSENT;
    const { table } = this;
    const now = sharedNow();
    table.lock();
    if (table.get(this.#record, UPDATING) === 0 || table.get(this.#record, LOCKED_UNTIL) <= now) {
      this.#lockedUntil = now + this.conf.lockAge;
      table.set(this.#record, UPDATING, 1);
      table.set(this.#record, LOCKED_UNTIL, this.#lockedUntil);
      this.#updating = true;
    }
    table.unlock();
    if (this.#updating) return ABSENT;
    if (this.#lockTimeout === 0) return SCARCE;
    if (this.#waitUntil === 0) this.#waitUntil = now + this.#lockTimeout;
    this.#timer ??= new Timer(this);
    this.#timer.start(Math.min(POLL, this.#waitUntil - now));
    return WAITS;
  }

  onTimer(timer: Timer): void {
    if (this.#done) return;
    const now = sharedNow();
    const left = this.#waitUntil - now;
    if (left <= 0) {
      this.#lockTimeout = 0;
    } else {
      const busy = this.table.get(this.#record, UPDATING) !== 0;
      if (busy && this.table.get(this.#record, LOCKED_UNTIL) > now) {
        timer.start(Math.min(POLL, left));
        return;
      }
    }
    this.owner.lookAgain(this);
  }

  /** Begins a file with `reply` in it, in `temp`. Throws the system's error. */
  write(reply: Readonly<KeptReply>, temp: TempFile): void {
    this.temp = temp;
    let kept = reply;
    if (reply.vary !== '') {
      const variant = variantOf(this.request, this.#main.digest, reply.vary);
      kept = { ...reply, variant };
      if (this.#name.isVariant && !variant.equals(this.#name.digest)) this.#backToMain();
    } else if (this.#name.isVariant) {
      this.#backToMain();
    }
    this.kept = kept;
    temp.append(encodeKept(kept));
  }

  /** What the reply varies with has changed: it is kept under the main key again. */
  #backToMain(): void {
    this.#letGo();
    this.#name = this.#main;
    this.#take();
  }

  /** The reply is whole: it takes its place. */
  complete(): void {
    const { temp, table, request } = this;
    if (!temp || this.#done) return;
    this.temp = undefined;
    const moved = moveFile(request, temp.path, this.path, {
      mode: FILE_MODE,
      pathMode: FILE_MODE,
      time: -1,
      createPath: true,
      deleteSource: true,
    });
    temp.close();
    table.lock();
    const record = this.#record;
    if (moved) {
      table.set(record, EXISTS, 1);
      table.set(record, SIZE, temp.length);
    }
    table.set(record, ERROR_STATUS, 0);
    table.set(record, UPDATING, 0);
    table.set(record, HOLDERS, table.get(record, HOLDERS) - 1);
    table.unlock();
    this.#end();
  }

  /** Opens the file that was looked at before. False: it is gone. */
  openAgain(): boolean {
    if (this.file.isOpen) return true;
    try {
      return typeof this.file.open(this.#name, this.kept.key) === 'object';
    } catch {
      return false;
    }
  }

  /** After a revalidation: the times of the file are written anew. */
  renew(): void {
    try {
      renewTimes(this.path, this.kept);
    } catch (error) {
      logRequest(this.request, CRIT, `open() "${this.path}" failed (${errorText(error)})`);
    }
  }

  /** Lets go of all that was not completed. May be called again. */
  free(): void {
    this.file.close();
    if (this.#done) return;
    const { temp } = this;
    if (temp) {
      rmSync(temp.path, { force: true });
      temp.close();
      this.temp = undefined;
    }
    this.#letGo();
    this.#end();
  }

  #letGo(): void {
    const { table } = this;
    const record = this.#record;
    if (record === 0) return;
    this.#record = 0;
    table.lock();
    const holders = table.get(record, HOLDERS) - 1;
    table.set(record, HOLDERS, holders);
    if (this.#updating && table.get(record, LOCKED_UNTIL) === this.#lockedUntil) {
      table.set(record, UPDATING, 0);
    }
    if (this.errorStatus !== 0) {
      table.set(record, ERROR_STATUS, this.errorStatus);
      table.set(record, VALID, this.kept.valid);
    } else if (table.get(record, EXISTS) === 0 && holders === 0 && this.conf.minUses === 1) {
      table.remove(record);
    }
    table.unlock();
    this.#updating = false;
  }

  #end(): void {
    this.#done = true;
    this.#record = 0;
    this.#updating = false;
    this.#timer?.remove();
  }
}
