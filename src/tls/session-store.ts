/**
 * Sessions in memory that workers share (`ssl_session_cache shared:NAME:SIZE`), and the keys of tickets beside
 * them. All zero bytes are an empty store. The oldest session makes room for a new one, as in nginx.
 *
 *     64 bytes of head | 3 ticket keys of 96 bytes | buckets | a ring of sessions
 *     session: bytes of all, next in bucket, hash, id length, live, (unused) | expiry in seconds | id | session
 */
import { randomBytes } from 'node:crypto';
import { SharedLock } from '../zone/lock.ts';
import { KEY_BYTES, parseTicketKey, type TicketKey, type TicketKeys } from './tickets.ts';

const HEAD_BYTES = 64;
/** Words of the head. */
const LOCK = 0;
const FIRST = 1;
const NEXT_FREE = 2;
const COUNT = 3;
const KEY_STRIDE = 96;
const KEYS = 3;
const BUCKETS_AT = HEAD_BYTES + KEYS * KEY_STRIDE;
/** Bytes for which there is one bucket. */
const BYTES_PER_BUCKET = 256;
/** Words of a session. */
const SIZE = 0;
const NEXT = 1;
const HASH = 2;
const ID_LENGTH = 3;
const LIVE = 4;
const HEADER_BYTES = 32;
const EXPIRY_AT = 24;
/** Instead of a session's size: the ring goes on at its beginning. */
const WRAP = -1;
/** A larger session (one with a long client certificate chain) is not kept. */
const LARGEST_SESSION = 4096;
const LARGEST_ID = 32;

const hashOf = (id: Uint8Array): number => {
  let hash = 0x811c9dc5;
  for (const byte of id) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash | 0;
};

const seconds = (): number => Math.floor(Date.now() / 1000);

export class SessionStore {
  readonly #words: Int32Array;
  readonly #bytes: Buffer;
  readonly #lock: SharedLock;
  readonly #buckets: number;
  readonly #from: number;
  readonly #to: number;

  constructor(memory: ArrayBuffer) {
    this.#words = new Int32Array(memory, 0, Math.floor(memory.byteLength / 4));
    this.#bytes = Buffer.from(memory);
    this.#lock = new SharedLock(this.#words, LOCK);
    this.#buckets = Math.max(1, Math.floor((memory.byteLength - BUCKETS_AT) / (BYTES_PER_BUCKET + 4)));
    this.#from = Math.ceil((BUCKETS_AT + this.#buckets * 4) / 8) * 8;
    this.#to = Math.floor(memory.byteLength / 8) * 8;
  }

  /** Keeps a session for `lifetime` seconds. False when it is too large to be kept. */
  add(id: Uint8Array, session: Uint8Array, lifetime: number): boolean {
    const size = Math.ceil((HEADER_BYTES + id.length + session.length) / 8) * 8;
    if (session.length > LARGEST_SESSION || id.length > LARGEST_ID || size > this.#to - this.#from)
      return false;
    this.#enter();
    const at = this.#room(size);
    const hash = hashOf(id);
    const bucket = this.#bucket(hash);
    const word = at / 4;
    this.#words[word + SIZE] = size;
    this.#words[word + NEXT] = this.#words[bucket] ?? 0;
    this.#words[word + HASH] = hash;
    this.#words[word + ID_LENGTH] = id.length;
    this.#words[word + LIVE] = session.length;
    this.#bytes.writeDoubleLE(seconds() + lifetime, at + EXPIRY_AT);
    this.#bytes.set(id, at + HEADER_BYTES);
    this.#bytes.set(session, at + HEADER_BYTES + id.length);
    this.#words[bucket] = at;
    this.#words[NEXT_FREE] = at + size;
    this.#words[COUNT] = (this.#words[COUNT] ?? 0) + 1;
    this.#lock.unlock();
    return true;
  }

  /** The session of an id; undefined when there is none, or its time is over. */
  find(id: Uint8Array): Buffer | undefined {
    this.#enter();
    const at = this.#search(id);
    let found: Buffer | undefined;
    if (at !== 0) {
      if (this.#bytes.readDoubleLE(at + EXPIRY_AT) > seconds()) {
        const from = at + HEADER_BYTES + id.length;
        found = Buffer.from(this.#bytes.subarray(from, from + (this.#words[at / 4 + LIVE] ?? 0)));
      } else {
        this.#unlink(at);
      }
    }
    this.#lock.unlock();
    return found;
  }

  remove(id: Uint8Array): void {
    this.#enter();
    const at = this.#search(id);
    if (at !== 0) this.#unlink(at);
    this.#lock.unlock();
  }

  /** A process that died here may have left anything: the sessions go, the keys stay. */
  #enter(): void {
    if (!this.#lock.lock()) return;
    this.#words.fill(0, FIRST, HEAD_BYTES / 4);
    this.#words.fill(0, BUCKETS_AT / 4, this.#from / 4);
  }

  #bucket(hash: number): number {
    return BUCKETS_AT / 4 + ((hash >>> 0) % this.#buckets);
  }

  #search(id: Uint8Array): number {
    const hash = hashOf(id);
    let at = this.#words[this.#bucket(hash)] ?? 0;
    while (at !== 0) {
      const from = at + HEADER_BYTES;
      const same = this.#words[at / 4 + HASH] === hash && this.#words[at / 4 + ID_LENGTH] === id.length;
      if (same && this.#bytes.compare(id, 0, id.length, from, from + id.length) === 0) return at;
      at = this.#words[at / 4 + NEXT] ?? 0;
    }
    return 0;
  }

  /** Takes a session out of its bucket; its bytes come free when it is the oldest. */
  #unlink(at: number): void {
    let link = this.#bucket(this.#words[at / 4 + HASH] ?? 0);
    while (this.#words[link] !== at) link = (this.#words[link] ?? 0) / 4 + NEXT;
    this.#words[link] = this.#words[at / 4 + NEXT] ?? 0;
    this.#words[at / 4 + LIVE] = 0;
  }

  /** Drops the oldest session. */
  #drop(): void {
    const first = this.#first();
    const size = this.#words[first / 4 + SIZE] ?? 0;
    if (first >= this.#to || size === WRAP) {
      this.#words[FIRST] = this.#from;
      return;
    }
    if (this.#words[first / 4 + LIVE] !== 0) this.#unlink(first);
    this.#words[FIRST] = first + size;
    this.#words[COUNT] = (this.#words[COUNT] ?? 1) - 1;
  }

  #first(): number {
    return this.#words[FIRST] || this.#from;
  }

  /** A place for `size` bytes. */
  #room(size: number): number {
    for (;;) {
      if (this.#words[COUNT] === 0) {
        this.#words[FIRST] = this.#from;
        return this.#from;
      }
      const first = this.#first();
      const next = this.#words[NEXT_FREE] || this.#from;
      if (next > first) {
        if (this.#to - next >= size) return next;
        if (first - this.#from >= size) {
          if (next < this.#to) this.#words[next / 4 + SIZE] = WRAP;
          return this.#from;
        }
      } else if (first - next >= size) {
        return next;
      }
      this.#drop();
    }
  }

  // ---- ticket keys: the present, the last, and the next one

  /** The keys for tickets made now, that live `lifetime` seconds. Expiries are kept beside the keys. */
  rotate(lifetime: number): { readonly keys: readonly TicketKey[]; readonly expiries: readonly number[] } {
    const now = seconds();
    const expiry = now + lifetime;
    this.#enter();
    if (this.#expiry(0) === 0) {
      this.#fill(0, expiry);
      this.#move(0, 2);
    }
    if (this.#expiry(1) < now) {
      this.#move(0, 1);
      this.#move(2, 0);
      this.#fill(2, 0);
    }
    if (expiry > this.#expiry(0)) this.#bytes.writeDoubleLE(expiry, this.#keyAt(0) + KEY_BYTES);
    const keys = [0, 1].flatMap((index) => {
      const at = this.#keyAt(index);
      return parseTicketKey(this.#bytes.subarray(at, at + KEY_BYTES)) ?? [];
    });
    const expiries = [this.#expiry(0), this.#expiry(1)];
    this.#lock.unlock();
    return { keys, expiries };
  }

  #keyAt(index: number): number {
    return HEAD_BYTES + index * KEY_STRIDE;
  }

  #expiry(index: number): number {
    return this.#bytes.readDoubleLE(this.#keyAt(index) + KEY_BYTES);
  }

  #fill(index: number, expiry: number): void {
    this.#bytes.set(randomBytes(KEY_BYTES), this.#keyAt(index));
    this.#bytes.writeDoubleLE(expiry, this.#keyAt(index) + KEY_BYTES);
  }

  #move(from: number, to: number): void {
    this.#bytes.copyWithin(this.#keyAt(to), this.#keyAt(from), this.#keyAt(from) + KEY_STRIDE);
  }
}

/** Ticket keys that rotate in a store: a copy is good until the present one must live longer. */
export class StoreKeys implements TicketKeys {
  #keys: readonly TicketKey[] = [];
  #expiries: readonly number[] = [0, 0];

  constructor(
    readonly store: SessionStore,
    readonly lifetime: number,
  ) {}

  current(): readonly TicketKey[] {
    const now = seconds();
    const [present = 0, last = 0] = this.#expiries;
    if (present >= now + this.lifetime && last >= now) return this.#keys;
    const { keys, expiries } = this.store.rotate(this.lifetime);
    this.#keys = keys;
    this.#expiries = expiries;
    return keys;
  }
}
