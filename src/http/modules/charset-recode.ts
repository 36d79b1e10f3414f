/** Bytes of one charset as those of another: through a table, from UTF-8, or to it. */
import { type Data, NOTHING } from '../output.ts';

/** Takes a body piece by piece. What it answers may be the very piece, where nothing in it changes. */
export interface Recoder {
  recode(bytes: Data): Data;
}

/** One byte for one. */
export class ByteRecoder implements Recoder {
  constructor(readonly table: Uint8Array) {}

  recode(bytes: Data): Data {
    const { table } = this;
    const first = bytes.findIndex((byte) => table[byte] !== byte);
    if (first < 0) return bytes;
    const changed = Buffer.from(bytes);
    for (let i = first; i < changed.length; i++) changed[i] = table[changed[i] ?? 0] ?? 0;
    return changed;
  }
}

/** What each byte becomes in UTF-8. */
export type Utf8Table = readonly Data[];

/** So many bytes before the first that grows are passed as they are, as nginx does. */
const PASSED = 512;

export class ToUtf8 implements Recoder {
  constructor(readonly table: Utf8Table) {}

  recode(bytes: Data): Data {
    const { table } = this;
    // As in nginx, a piece without a longer character is not looked at any closer.
    const first = bytes.findIndex((byte) => table[byte]?.length !== 1);
    if (first < 0) return bytes;
    const start = first > PASSED ? first : 0;
    let length = start;
    for (let i = start; i < bytes.length; i++) length += table[bytes[i] ?? 0]?.length ?? 0;
    const recoded = Buffer.allocUnsafe(length);
    recoded.set(bytes.subarray(0, start));
    let to = start;
    for (let i = start; i < bytes.length; i++) {
      for (const byte of table[bytes[i] ?? 0] ?? NOTHING) recoded[to++] = byte;
    }
    return recoded;
  }
}

/** The byte of a code point below 65536, in pages of 256; 0 or no page: it has none. */
export type BytePages = readonly (Uint8Array | undefined)[];

/** No character: the bytes are not UTF-8, or there are too few of them. */
const INVALID = 0x110000;
const INCOMPLETE = -1;
/** Bytes of the longest character. */
const LONGEST = 4;
/** Room for the longest entity. */
const ENTITY = 16;
const UNKNOWN = 0x3f;

/** Reads one character outside of ASCII at a time. */
export class Utf8Reader {
  /** Behind the character that was read. */
  at = 0;

  /** The code point at `at`; `at` stays where it is when the character is incomplete. */
  read(bytes: Data, end: number): number {
    const first = bytes[this.at] ?? 0;
    if (first < 0xc2 || first >= 0xf8) {
      this.at++;
      return INVALID;
    }
    const more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (end - this.at <= more) return INCOMPLETE;
    let code = first & (0x3f >> more);
    this.at++;
    for (let i = 0; i < more; i++) {
      const byte = bytes[this.at++] ?? 0;
      if (byte < 0x80) return INVALID;
      code = (code << 6) | (byte & 0x3f);
    }
    const valid = more === 3 ? 0xffff : more === 2 ? 0x7ff : 0x7f;
    return code > valid && code < INVALID ? code : INVALID;
  }
}

export class FromUtf8 implements Recoder {
  readonly #reader = new Utf8Reader();
  /** The beginning of a character that the last piece ended in. */
  readonly #saved = Buffer.alloc(LONGEST);
  #savedLength = 0;
  #out = Buffer.alloc(0);
  #length = 0;

  constructor(readonly pages: BytePages) {}

  recode(bytes: Data): Data {
    const first = this.#savedLength > 0 ? 0 : bytes.findIndex((byte) => byte >= 0x80);
    if (first < 0 || bytes.length === 0) return bytes;
    this.#out = Buffer.allocUnsafe(bytes.length + ENTITY);
    this.#out.set(bytes.subarray(0, first));
    this.#length = first;
    const start = this.#savedLength > 0 ? this.#complete(bytes) : first;
    this.#rest(bytes, start);
    return this.#out.subarray(0, this.#length);
  }

  /** Ends the saved character; answers how many of `bytes` belong to it. */
  #complete(bytes: Data): number {
    const saved = this.#saved;
    const taken = Math.min(LONGEST - this.#savedLength, bytes.length);
    saved.set(bytes.subarray(0, taken), this.#savedLength);
    const length = this.#savedLength + taken;
    const reader = this.#reader;
    reader.at = 0;
    const code = reader.read(saved, length);
    if (code === INCOMPLETE) {
      this.#savedLength = length;
      return bytes.length;
    }
    this.#put(code);
    const used = Math.max(reader.at, this.#savedLength) - this.#savedLength;
    this.#savedLength = 0;
    return used;
  }

  #rest(bytes: Data, start: number): void {
    const reader = this.#reader;
    const end = bytes.length;
    let at = start;
    while (at < end) {
      if (this.#out.length - this.#length < ENTITY) this.#grow(end - at);
      const byte = bytes[at] ?? 0;
      if (byte < 0x80) {
        this.#out[this.#length++] = byte;
        at++;
        continue;
      }
      reader.at = at;
      const code = reader.read(bytes, end);
      if (code === INCOMPLETE) {
        this.#saved.set(bytes.subarray(at));
        this.#savedLength = end - at;
        return;
      }
      at = reader.at;
      this.#put(code);
    }
  }

  #put(code: number): void {
    if (code >= INVALID) {
      this.#out[this.#length++] = UNKNOWN;
      return;
    }
    const byte = code < 0x10000 ? this.pages[code >> 8]?.[code & 0xff] : 0;
    if (byte) this.#out[this.#length++] = byte;
    else this.#length += this.#out.latin1Write(`&#${code};`, this.#length);
  }

  #grow(left: number): void {
    const larger = Buffer.allocUnsafe(this.#out.length * 2 + left + ENTITY);
    larger.set(this.#out.subarray(0, this.#length));
    this.#out = larger;
  }
}
