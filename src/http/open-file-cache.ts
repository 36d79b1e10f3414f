/** `open_file_cache`: files that stay open, and what was found of them, errors included, for a while. */
import { closeSync, fstatSync, openSync, type Stats } from 'node:fs';
import { wallClock } from '../net/timers.ts';
import { nativePath } from '../platform/byte-path.ts';
import { openGuarded } from '../platform/open-at.ts';
import { fileMemory } from './file-memory.ts';
import { FOR_READING } from './held-files.ts';
import {
  failureOf,
  type LinkRule,
  type Opener,
  OpenFailure,
  type OpenFile,
  plainOpener,
  trustedLength,
} from './open-file.ts';
import type { Request } from './request.ts';

/** Times in seconds. */
export interface CacheRules {
  readonly open_file_cache_valid: number;
  readonly open_file_cache_min_uses: number;
  readonly open_file_cache_errors: boolean;
}

/** A name that was asked for lately. */
class Entry {
  fd = -1;
  uses = 0;
  /** Requests that use its descriptor. */
  users = 0;
  created = 0;
  accessed = 0;
  /** No longer in the cache: closed by its last user. */
  gone = false;

  constructor(
    readonly key: string,
    public found: Stats | OpenFailure,
  ) {}

  closeUnused(): void {
    if (this.users > 0 || this.fd < 0) return;
    closeSync(this.fd);
    this.fd = -1;
  }
}

const now = (): number => Math.floor(wallClock() / 1000);

/** One for each directive; its locations share it. */
export class OpenFileCache {
  /** The least recently used is first. */
  readonly entries = new Map<string, Entry>();

  constructor(
    readonly max: number,
    /** Seconds without use after which an entry goes. */
    readonly inactive: number,
  ) {}

  get(key: string): Entry | undefined {
    const entry = this.entries.get(key);
    if (!entry) return undefined;
    entry.uses++;
    return entry;
  }

  /** It was used just now. */
  touch(entry: Entry): void {
    entry.accessed = now();
    this.entries.delete(entry.key);
    this.entries.set(entry.key, entry);
  }

  add(entry: Entry): void {
    if (this.entries.size >= this.max) this.#expire(1);
    entry.uses = 1;
    this.entries.set(entry.key, entry);
  }

  drop(entry: Entry): void {
    this.entries.delete(entry.key);
    entry.gone = true;
    entry.closeUnused();
  }

  /** A user is done with an entry. It stays open when it is used often enough. */
  release(entry: Entry, minUses: number): void {
    entry.users--;
    if (!entry.gone) this.touch(entry);
    if (entry.gone || entry.uses < minUses) entry.closeUnused();
    this.#expire(0);
  }

  /** The `sure` oldest go, and two more that were not used for too long. */
  #expire(sure: number): void {
    let left = sure + 2;
    const time = now();
    for (const entry of this.entries.values()) {
      if (left === 0) return;
      left--;
      if (left < 2 && time - entry.accessed <= this.inactive) return;
      this.drop(entry);
    }
  }
}

/** A file of the cache while a request uses it. */
class CachedFile implements OpenFile {
  #entry: Entry | undefined;

  constructor(
    readonly path: string,
    readonly stat: Stats,
    readonly opener: CachingOpener,
    entry: Entry,
  ) {
    this.#entry = entry;
    entry.users++;
  }

  bytes(): Buffer {
    return fileMemory.read(this);
  }

  descriptor(): number {
    return this.#entry?.fd ?? -1;
  }

  close(): void {
    const entry = this.#entry;
    if (!entry) return;
    this.#entry = undefined;
    this.opener.cache.release(entry, this.opener.rules.open_file_cache_min_uses);
  }
}

export class CachingOpener implements Opener {
  constructor(
    readonly cache: OpenFileCache,
    readonly rules: CacheRules,
    readonly rule: LinkRule | undefined,
  ) {}

  open(request: Request, path: string): OpenFile | OpenFailure {
    const trusted = this.rule ? trustedLength(this.rule, request, path) : -1;
    const guard = trusted < 0 ? undefined : this.rule;
    // What one rule about links has let through is nothing to another.
    const key = guard ? `${path}\0${guard.links}${trusted}` : path;
    const entry = this.#valid(key) ?? this.#look(request, path, guard, trusted, key);
    if (entry instanceof OpenFailure) return entry;
    const { found } = entry;
    if (found instanceof OpenFailure) {
      this.cache.touch(entry);
      return guard || found.call !== 'stat()' ? found : new OpenFailure(found.code, found.text, 'open()');
    }
    const file = new CachedFile(path, found, this, entry);
    this.cache.touch(entry);
    return file;
  }

  test(request: Request, path: string): Stats | OpenFailure {
    const file = this.open(request, path);
    if (file instanceof OpenFailure) return file;
    file.close();
    return file.stat;
  }

  /** What the cache knows, unless it must be looked at again. */
  #valid(key: string): Entry | undefined {
    const entry = this.cache.get(key);
    if (!entry || now() - entry.created >= this.rules.open_file_cache_valid) return undefined;
    if (entry.fd >= 0 || entry.found instanceof OpenFailure || entry.found.isDirectory()) return entry;
    // It was not used often enough to stay open.
    return undefined;
  }

  #open(path: string, guard: LinkRule | undefined, trusted: number): number {
    return guard ? openGuarded(path, guard.links, trusted) : openSync(nativePath(path), FOR_READING);
  }

  /** Looks at the file itself and keeps what is found; a failure that is not to be kept is answered. */
  #look(
    request: Request,
    path: string,
    guard: LinkRule | undefined,
    trusted: number,
    key: string,
  ): Entry | OpenFailure {
    const { cache } = this;
    const known = cache.entries.get(key);
    let found: Stats | OpenFailure;
    let fd = -1;
    try {
      const same = known && known.fd >= 0 && !guard ? plainOpener.test(request, path) : undefined;
      if (known && same && !(same instanceof OpenFailure) && isSame(same, known.found)) {
        known.found = same;
        known.created = now();
        return known;
      }
      fd = this.#open(path, guard, trusted);
      found = fstatSync(fd);
      if (found.isDirectory()) {
        closeSync(fd);
        fd = -1;
      }
    } catch (error) {
      found = failureOf(error, guard ? 'openat()' : 'open()');
      if (!this.rules.open_file_cache_errors) {
        if (known) cache.drop(known);
        return found;
      }
    }
    return this.#keep(known, key, found, fd);
  }

  #keep(known: Entry | undefined, key: string, found: Stats | OpenFailure, fd: number): Entry {
    const { cache } = this;
    let entry = known;
    if (entry) entry.closeUnused();
    if (!entry || entry.users > 0) {
      if (entry) cache.drop(entry);
      entry = new Entry(key, found);
      cache.add(entry);
    }
    entry.found = found;
    entry.fd = fd;
    entry.created = now();
    return entry;
  }
}

const isSame = (a: Stats, b: Stats | OpenFailure): boolean =>
  !(b instanceof OpenFailure) && a.ino === b.ino && a.dev === b.dev;
