/**
 * Access logs whose path has variables: opened for each line as in nginx, or kept open by `open_log_file_cache`.
 */
import { closeSync, fstatSync, openSync, statSync, writeSync } from 'node:fs';
import { errorText } from '../platform/errno.ts';

/** `open_log_file_cache`. Times in milliseconds. */
export interface LogFileCacheSpec {
  readonly max: number;
  /** A file not used `minUses` times in so long is closed. */
  readonly inactive: number;
  readonly minUses: number;
  /** After so long it is looked whether the name still leads to the open file. */
  readonly valid: number;
}

interface OpenFile {
  readonly fd: number;
  /** Uses since `countedAt`. */
  uses: number;
  countedAt: number;
  usedAt: number;
  checkedAt: number;
}

const open = (path: string): number => openSync(path, 'a', 0o644);

export class VariableFiles {
  readonly #cache: LogFileCacheSpec | undefined;
  /** From the least to the most recently used. */
  readonly #files = new Map<string, OpenFile>();

  /** Without `cache` a file is open for one line only. */
  constructor(cache: LogFileCacheSpec | undefined) {
    this.#cache = cache;
  }

  /**
   * Writes one line, without its line feed, at `now` milliseconds. Undefined when it is written; else the reason
   * in nginx's words, for level crit.
   */
  log(path: string, line: string, now: number): string | undefined {
    const bytes = Buffer.from(`${line}\n`, 'latin1');
    let fd: number;
    try {
      fd = this.#cache ? this.#cached(path, now, this.#cache) : open(path);
    } catch (error) {
      return `open() "${path}" failed (${errorText(error)})`;
    }
    try {
      writeSync(fd, bytes);
      return undefined;
    } catch (error) {
      return `write() to "${path}" failed (${errorText(error)})`;
    } finally {
      if (!this.#cache) closeSync(fd);
    }
  }

  /** Closes what is open: the configuration is no longer served, or the files are to be opened anew (USR1). */
  close(): void {
    for (const path of [...this.#files.keys()]) this.#drop(path);
  }

  #cached(path: string, now: number, cache: LogFileCacheSpec): number {
    this.#expire(now, cache);
    let file = this.#files.get(path);
    if (file && now - file.checkedAt >= cache.valid && !this.#current(path, file, now)) {
      this.#drop(path);
      file = undefined;
    }
    file ??= { fd: open(path), uses: 0, countedAt: now, usedAt: now, checkedAt: now };
    if (now - file.countedAt >= cache.inactive) {
      file.uses = 0;
      file.countedAt = now;
    }
    file.uses++;
    file.usedAt = now;
    this.#files.delete(path);
    this.#files.set(path, file);
    if (this.#files.size > cache.max) this.#dropOldest();
    return file.fd;
  }

  #current(path: string, file: OpenFile, now: number): boolean {
    file.checkedAt = now;
    try {
      const [named, held] = [statSync(path), fstatSync(file.fd)];
      return named.ino === held.ino && named.dev === held.dev;
    } catch {
      return false;
    }
  }

  #expire(now: number, cache: LogFileCacheSpec): void {
    for (const [path, file] of this.#files) {
      const unused = now - file.usedAt >= cache.inactive;
      const rare = now - file.countedAt >= cache.inactive && file.uses < cache.minUses;
      if (!unused && !rare) return;
      this.#drop(path);
    }
  }

  #dropOldest(): void {
    for (const path of this.#files.keys()) {
      this.#drop(path);
      return;
    }
  }

  #drop(path: string): void {
    const file = this.#files.get(path);
    if (!file) return;
    this.#files.delete(path);
    closeSync(file.fd);
  }
}
