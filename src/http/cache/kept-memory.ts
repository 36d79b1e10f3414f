/**
 * Small kept replies that are asked for often, whole and read. One is given out only while its file's own record says
 * that nothing was changed, by whatever process: a hit then costs a single system call beyond the write.
 *
 * A reply takes the place of another only when it is asked for twice as often (after TinyLFU): where more replies go
 * round than there is room for, those that are here stay, and V8 need not carry each through its young generation.
 */
import { type Stats, statSync } from 'node:fs';
import { nativePath } from '../../platform/byte-path.ts';
import type { ReplyHead } from '../../upstream/reply-head.ts';
import type { KeptReply } from './cache-file.ts';
import type { CacheStore } from './store.ts';

const TOTAL = 16 << 20;
/** What a reply takes beside its body, roughly. */
const OVERHEAD = 3072;
/** How often a reply must have been asked for to be here at all. */
const OFTEN = 2;
/** How often replies are asked for is halved after so many requests: what was is not what is. */
const AGE = 131072;
const COUNTS = 65536;
const MOST_COUNTED = 255;
/** A change so soon after the one before could go unseen: the clock of the file system ticks in milliseconds. */
const UNSETTLED = 100;
const NO_THROW = { throwIfNoEntry: false } as const;

/** A kept reply's file as it was read. */
export interface Content {
  readonly kept: Readonly<KeptReply>;
  /** Undefined: it is none. */
  readonly head: ReplyHead | undefined;
  /** Bytes of the whole file, and where the body begins in it. */
  readonly length: number;
  readonly bodyStart: number;
  /** The body: as latin1 text, or where it is long as bytes. */
  readonly body: string | Buffer;
}

/** Which file it was when it was read. */
interface Remembered extends Content {
  readonly dev: number;
  readonly ino: number;
  readonly mtime: number;
  readonly ctime: number;
}

/** What a reply is kept under. */
export class KeptName {
  /** Of the file, and of the record in shared memory. */
  readonly path: string;
  readonly record: string;
  /** The reply, while it is remembered, and its place among those that are. */
  remembered: Remembered | undefined = undefined;
  place = 0;

  constructor(
    readonly store: CacheStore,
    /** The key itself, or a variant's digest. */
    readonly id: string,
    readonly isVariant: boolean,
    readonly digest: Buffer,
  ) {
    this.path = store.fileOf(digest);
    this.record = digest.latin1Slice();
  }
}

/** One for each process. */
class KeptMemory {
  readonly #names = new Map<string, KeptName>();
  /** The same, and who is to go next. */
  readonly #order: KeptName[] = [];
  #hand = 0;
  #total = 0;
  /** How often each was asked for; some share a count. */
  readonly #counts = new Uint8Array(COUNTS);
  #asked = 0;

  /** The name under which a reply is remembered. */
  find(store: CacheStore, id: string, isVariant: boolean): KeptName | undefined {
    const name = this.#names.get(id);
    return name && name.store === store && name.isVariant === isVariant ? name : undefined;
  }

  /** What is remembered of a reply, while its file is the same. */
  recall(name: KeptName): Content | undefined {
    const { remembered } = name;
    if (!remembered) return undefined;
    let stat: Stats | undefined;
    try {
      stat = statSync(nativePath(name.path), NO_THROW);
    } catch {
      // Whoever opens the file learns why.
    }
    if (
      stat &&
      stat.mtimeMs === remembered.mtime &&
      stat.ctimeMs === remembered.ctime &&
      stat.size === remembered.length &&
      stat.ino === remembered.ino &&
      stat.dev === remembered.dev
    ) {
      this.#count(name);
      return remembered;
    }
    this.#forget(name);
    return undefined;
  }

  /** A reply is about to be read from its file: whether it is worth remembering. */
  wants(name: KeptName): boolean {
    this.#count(name);
    const count = this.#countOf(name);
    if (count < OFTEN) return false;
    const other = this.#order[this.#hand];
    if (this.#total < TOTAL - OVERHEAD || !other || count > 2 * this.#countOf(other) + 1) return true;
    this.#hand = (this.#hand + 1) % this.#order.length;
    return false;
  }

  /** Remembers what was read after `stat` was asked for. */
  keep(name: KeptName, content: Content, { dev, ino, mtimeMs: mtime, ctimeMs: ctime }: Stats): void {
    if (Date.now() - ctime <= UNSETTLED) return;
    const before = this.#names.get(name.id);
    if (before) this.#forget(before);
    const cost = OVERHEAD + content.length;
    for (let other = this.#order[this.#hand]; other && this.#total + cost > TOTAL; ) {
      this.#forget(other);
      other = this.#order[this.#hand];
    }
    name.remembered = { ...content, dev, ino, mtime, ctime };
    name.place = this.#order.push(name) - 1;
    this.#names.set(name.id, name);
    this.#total += cost;
  }

  #forget(name: KeptName): void {
    const { remembered, place } = name;
    const last = this.#order.at(-1);
    if (!remembered || !last) return;
    this.#order[place] = last;
    last.place = place;
    this.#order.pop();
    if (this.#hand >= this.#order.length) this.#hand = 0;
    this.#names.delete(name.id);
    this.#total -= OVERHEAD + remembered.length;
    name.remembered = undefined;
  }

  #countOf({ digest }: KeptName): number {
    return this.#counts[digest.readUInt16LE()] ?? 0;
  }

  #count({ digest }: KeptName): void {
    const at = digest.readUInt16LE();
    const count = this.#counts[at] ?? 0;
    if (count < MOST_COUNTED) this.#counts[at] = count + 1;
    this.#asked += 1;
    if (this.#asked < AGE) return;
    this.#asked = 0;
    for (let i = 0; i < COUNTS; i++) this.#counts[i] = (this.#counts[i] ?? 0) >> 1;
  }
}

export const keptMemory = new KeptMemory();
