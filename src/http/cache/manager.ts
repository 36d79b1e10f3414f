/**
 * Keeps a store's folder and its records in step: what is there from before is noted, what nobody has asked for is
 * taken away, and so is what is too much. Runs in one worker, a few files at a time.
 */

import type { Dirent } from 'node:fs';
import { closeSync, openSync, readdirSync, readSync, rmSync, statfsSync, statSync } from 'node:fs';
import { bytePath } from '../../platform/byte-path.ts';
import { bodyStart, FIXED_BYTES } from './cache-file.ts';
import { type CacheStore, EXISTS, EXPIRE, HOLDERS, SIZE, USES } from './store.ts';

/** Between two looks at a store in which there was nothing to do, ms. */
const PAUSE = 1000;
const NAME = /^[0-9a-f]{32}$/;
/** What a process that died was writing. */
const LEFT_OVER = /^(?:[0-9a-f]{32}\.)?\d{10}$/;
/** What is still being written is not this old, s. */
const OLD = 3600;

const seconds = (): number => Math.floor(Date.now() / 1000);

const isKept = (path: string): boolean => {
  const fixed = Buffer.alloc(FIXED_BYTES);
  const fd = openSync(bytePath(path), 'r');
  try {
    return readSync(fd, fixed, 0, FIXED_BYTES, 0) === FIXED_BYTES && bodyStart(fixed) !== undefined;
  } finally {
    closeSync(fd);
  }
};

export class CacheManager {
  #timer: NodeJS.Timeout | undefined = undefined;
  /** Folders and files that the loader has still to look at. */
  #unseen: string[];

  constructor(readonly store: CacheStore) {
    this.#unseen = [store.conf.path];
    this.#wait(PAUSE);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => this.#run(), ms);
    this.#timer.unref();
  }

  #run(): void {
    const { loader, manager } = this.store.conf;
    if (this.#unseen.length > 0) {
      for (let i = 0; i < loader.files && this.#unseen.length > 0; i++) this.#see();
      this.#wait(loader.pause);
      return;
    }
    const busy = this.#expire(manager.files) || this.#shrink(manager.files);
    this.#wait(busy ? manager.pause : PAUSE);
  }

  /** Looks at one folder or file. What can't be read is left alone: it is not ours, or gone. */
  #see(): void {
    const path = this.#unseen.pop();
    if (path === undefined) return;
    try {
      const name = path.slice(path.lastIndexOf('/') + 1);
      if (NAME.test(name)) {
        this.#note(path, name);
        return;
      }
      const stat = statSync(bytePath(path));
      if (stat.isDirectory()) {
        const entries: Dirent[] = readdirSync(bytePath(path), { withFileTypes: true, encoding: 'utf8' });
        for (const entry of entries) this.#unseen.push(`${path}/${entry.name}`);
      } else if (LEFT_OVER.test(name) && stat.mtimeMs / 1000 < seconds() - OLD) {
        rmSync(bytePath(path), { force: true });
      }
    } catch {
      // Gone meanwhile.
    }
  }

  #note(path: string, name: string): void {
    const { store } = this;
    const { table } = store;
    if (!table) return;
    if (!isKept(path)) {
      rmSync(bytePath(path), { force: true });
      return;
    }
    const { size } = statSync(bytePath(path));
    const key = Buffer.from(name, 'hex').latin1Slice();
    table.lock();
    try {
      if (table.find(key) !== 0) return;
      const record = store.insert(table, key);
      if (record === 0) return;
      table.set(record, USES, 1);
      table.set(record, EXISTS, 1);
      table.set(record, SIZE, size);
      table.set(record, EXPIRE, seconds() + store.conf.inactive);
    } finally {
      table.unlock();
    }
  }

  /** Takes away what nobody has asked for in `inactive`; true when there may be more. */
  #expire(most: number): boolean {
    const { store } = this;
    const { table } = store;
    if (!table) return false;
    const now = seconds();
    for (let i = 0; i < most; i++) {
      table.lock();
      try {
        let record = table.oldest();
        while (record !== 0 && table.get(record, EXPIRE) < now && table.get(record, HOLDERS) > 0) {
          record = table.newer(record);
        }
        if (record === 0 || table.get(record, EXPIRE) >= now) return false;
        store.remove(table, record);
      } finally {
        table.unlock();
      }
    }
    return true;
  }

  /** Takes the least recently used away while there is too much; true when there may be more. */
  #shrink(most: number): boolean {
    const { store } = this;
    const { table } = store;
    const { maxSize, minFree, path } = store.conf;
    if (!table || (maxSize === Number.POSITIVE_INFINITY && minFree === 0)) return false;
    for (let i = 0; i < most; i++) {
      table.lock();
      try {
        if (this.#size() <= maxSize && this.#free(path) >= minFree) return false;
        if (!store.makeRoom(table)) return false;
      } finally {
        table.unlock();
      }
    }
    return true;
  }

  /** Bytes of all files. Within the lock. */
  #size(): number {
    const { table } = this.store;
    let size = 0;
    if (!table) return size;
    for (let record = table.oldest(); record !== 0; record = table.newer(record))
      size += table.get(record, SIZE);
    return size;
  }

  #free(path: string): number {
    if (this.store.conf.minFree === 0) return 0;
    const { bavail, bsize } = statfsSync(bytePath(path));
    return bavail * bsize;
  }
}
