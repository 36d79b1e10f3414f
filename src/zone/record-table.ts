/**
 * A hash table of records in shared memory, linked from the most to the least recently used: what limit_req
 * and limit_conn keep by key. All zero bytes are an empty table, so nobody has to prepare it. Every call is
 * made between `lock` and `unlock`.
 *
 *     64 bytes of head | a word per bucket | records of a multiple of 64 bytes
 *     record: next in bucket, newer, older, hash, key length, text length | doubles | text | the key, or its digest
 *
 * Records are numbered from 1, so that 0 is "none". A million records of 64 bytes need 68 MB, as in nginx.
 */
import { createHash } from 'node:crypto';
import { SharedLock } from './lock.ts';

const HEAD_BYTES = 64;
/** Words of the head. */
const LOCK = 0;
const USED = 1;
const FREE = 2;
const NEWEST = 3;
const OLDEST = 4;
const COUNT = 5;
/** Words of a record. */
const NEXT = 0;
const NEWER = 1;
const OLDER = 2;
const HASH = 3;
const KEY_LENGTH = 4;
const TEXT_LENGTH = 5;
const LINK_WORDS = 6;
/** A key of 16 bytes, such as an IPv6 address, is kept as it is; a longer one may be kept as a digest of 16. */
const LEAST_KEY_BYTES = 16;
/** In KEY_LENGTH: the record is on the free list. */
const UNUSED = 0;

const hashOf = (key: string): number => {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) | 0;
};

const digestOf = (key: string): string =>
  createHash('sha256').update(key, 'latin1').digest().toString('latin1', 0, LEAST_KEY_BYTES);

export class RecordTable {
  /** Records that fit. */
  readonly capacity: number;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #bytes: Uint8Array;
  readonly #lock: SharedLock;
  readonly #mask: number;
  readonly #first: number;
  readonly #stride: number;
  readonly #textAt: number;
  readonly #keyAt: number;
  readonly #keyBytes: number;

  /**
   * Uses all of `memory`; each record has `fields` doubles, and room for a text of `textBytes`. Processes that share it
   * pass the same numbers.
   */
  constructor(memory: ArrayBuffer, fields: number, textBytes = 0) {
    const textAt = (LINK_WORDS + 2 * fields) * 4;
    const keyAt = textAt + textBytes;
    const record = Math.ceil((keyAt + LEAST_KEY_BYTES) / 64) * 64;
    const room = Math.max(0, Math.floor((memory.byteLength - HEAD_BYTES - 64) / (record + 4)));
    const buckets = 2 ** Math.floor(Math.log2(Math.max(1, room)));
    this.capacity = room;
    this.#words = new Int32Array(memory, 0, Math.floor(memory.byteLength / 4));
    this.#doubles = new Float64Array(memory, 0, Math.floor(memory.byteLength / 8));
    this.#bytes = new Uint8Array(memory);
    this.#lock = new SharedLock(this.#words, LOCK);
    this.#mask = buckets - 1;
    this.#first = (HEAD_BYTES + Math.ceil((buckets * 4) / 64) * 64) / 4;
    this.#stride = record / 4;
    this.#textAt = textAt;
    this.#keyAt = keyAt;
    this.#keyBytes = record - keyAt;
  }

  /** Waits for the table; puts it in order when the process that held it died. */
  lock(): void {
    if (this.#lock.lock()) this.#rebuild();
  }

  unlock(): void {
    this.#lock.unlock();
  }

  /** Records in use. */
  get count(): number {
    return this.#head(COUNT);
  }

  /** The record of a key (bytes as a latin1 string, not empty), or 0. */
  find(key: string): number {
    const stored = key.length > this.#keyBytes ? digestOf(key) : key;
    const hash = hashOf(key);
    let record = this.#head(this.#bucket(hash));
    while (record !== 0) {
      if (this.#link(record, HASH) === hash && this.#holds(record, key.length, stored)) return record;
      record = this.#link(record, NEXT);
    }
    return 0;
  }

  /** A new record, the most recently used, its fields zero; 0 when none is free. The key must not be present. */
  insert(key: string): number {
    let record = this.#head(FREE);
    if (record !== 0) {
      this.#words[FREE] = this.#link(record, NEXT);
    } else {
      if (this.#head(USED) >= this.capacity) return 0;
      record = this.#head(USED) + 1;
      this.#words[USED] = record;
    }
    const at = this.#at(record);
    const stored = key.length > this.#keyBytes ? digestOf(key) : key;
    const start = at * 4 + this.#keyAt;
    for (let i = 0; i < stored.length; i++) this.#bytes[start + i] = stored.charCodeAt(i);
    this.#doubles.fill(0, (at + LINK_WORDS) / 2, (at * 4 + this.#textAt) / 8);
    this.#words[at + TEXT_LENGTH] = 0;
    this.#words[at + HASH] = hashOf(key);
    this.#words[at + KEY_LENGTH] = key.length;
    this.#chain(record);
    this.#toFront(record);
    this.#words[COUNT] = this.#head(COUNT) + 1;
    return record;
  }

  /** Makes it the most recently used. */
  touch(record: number): void {
    if (this.#head(NEWEST) === record) return;
    this.#takeOut(record);
    this.#toFront(record);
  }

  /** The least recently used, or 0. */
  oldest(): number {
    return this.#head(OLDEST);
  }

  /** The next more recently used than `record`, or 0. */
  newer(record: number): number {
    return this.#link(record, NEWER);
  }

  remove(record: number): void {
    const bucket = this.#bucket(this.#link(record, HASH));
    let at = bucket;
    while (this.#head(at) !== record) at = this.#at(this.#head(at)) + NEXT;
    this.#words[at] = this.#link(record, NEXT);
    this.#takeOut(record);
    this.#release(record);
    this.#words[COUNT] = this.#head(COUNT) - 1;
  }

  /** The key of a record; its digest where it is too long to be kept. */
  key(record: number): string {
    const at = this.#at(record);
    const length = this.#words[at + KEY_LENGTH] ?? 0;
    const start = at * 4 + this.#keyAt;
    const end = start + (length > this.#keyBytes ? LEAST_KEY_BYTES : length);
    return Buffer.from(this.#bytes.subarray(start, end)).latin1Slice();
  }

  get(record: number, field: number): number {
    return this.#doubles[(this.#at(record) + LINK_WORDS) / 2 + field] ?? 0;
  }

  set(record: number, field: number, value: number): void {
    this.#doubles[(this.#at(record) + LINK_WORDS) / 2 + field] = value;
  }

  /** The text of a record, '' at first. */
  text(record: number): string {
    const at = this.#at(record);
    const start = at * 4 + this.#textAt;
    const end = start + (this.#words[at + TEXT_LENGTH] ?? 0);
    return Buffer.from(this.#bytes.subarray(start, end)).latin1Slice();
  }

  /** Gives a record a text (latin1), which must fit. */
  setText(record: number, text: string): void {
    const at = this.#at(record);
    const start = at * 4 + this.#textAt;
    for (let i = 0; i < text.length; i++) this.#bytes[start + i] = text.charCodeAt(i);
    this.#words[at + TEXT_LENGTH] = text.length;
  }

  #head(word: number): number {
    return this.#words[word] ?? 0;
  }

  #link(record: number, word: number): number {
    return this.#words[this.#at(record) + word] ?? 0;
  }

  #at(record: number): number {
    return this.#first + (record - 1) * this.#stride;
  }

  #bucket(hash: number): number {
    return HEAD_BYTES / 4 + (hash & this.#mask);
  }

  #holds(record: number, length: number, stored: string): boolean {
    const at = this.#at(record);
    if (this.#words[at + KEY_LENGTH] !== length) return false;
    const start = at * 4 + this.#keyAt;
    for (let i = 0; i < stored.length; i++) {
      if (this.#bytes[start + i] !== stored.charCodeAt(i)) return false;
    }
    return true;
  }

  #chain(record: number): void {
    const bucket = this.#bucket(this.#link(record, HASH));
    this.#words[this.#at(record) + NEXT] = this.#head(bucket);
    this.#words[bucket] = record;
  }

  #toFront(record: number): void {
    const newest = this.#head(NEWEST);
    const at = this.#at(record);
    this.#words[at + NEWER] = 0;
    this.#words[at + OLDER] = newest;
    this.#words[newest === 0 ? OLDEST : this.#at(newest) + NEWER] = record;
    this.#words[NEWEST] = record;
  }

  #takeOut(record: number): void {
    const newer = this.#link(record, NEWER);
    const older = this.#link(record, OLDER);
    this.#words[newer === 0 ? NEWEST : this.#at(newer) + OLDER] = older;
    this.#words[older === 0 ? OLDEST : this.#at(older) + NEWER] = newer;
  }

  #release(record: number): void {
    const at = this.#at(record);
    this.#words[at + KEY_LENGTH] = UNUSED;
    this.#words[at + NEXT] = this.#head(FREE);
    this.#words[FREE] = record;
  }

  /** Links anew every record that was complete; their order of use is lost. */
  #rebuild(): void {
    const used = Math.min(this.#head(USED), this.capacity);
    this.#words.fill(0, FREE, this.#first);
    this.#words[USED] = used;
    for (let record = 1; record <= used; record++) {
      if (this.#link(record, KEY_LENGTH) === UNUSED) {
        this.#release(record);
      } else {
        this.#chain(record);
        this.#toFront(record);
        this.#words[COUNT] = this.#head(COUNT) + 1;
      }
    }
  }
}
