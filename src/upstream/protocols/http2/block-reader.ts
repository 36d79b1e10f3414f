/**
 * Header blocks of a peer that was told to use no dynamic table (RFC 7541): what it sends all the same is refused, in
 * nginx's words.
 */
import { decodeHuffman } from '../../../http/http2/huffman.ts';
import { STATIC } from '../../../http/http2/static-table.ts';

/** Where the fields go. False: the rest is of no more interest. */
export interface FieldTarget {
  field(name: string, value: string): boolean;
}

/** What `read` came to: the fields that are whole have been given; the target has refused one; the block is wrong, see `reason`. */
export const BLOCK_READ = 0;
export const BLOCK_REFUSED = 1;
export const BLOCK_WRONG = 2;
/** Of a field: it goes on in the next piece. */
const SHORT = 3;

const LAST_INDEX = 61;
/** What stands in a length's first octet where others follow it. */
const MORE = 0x7f;

const WRONG_NAME = /[\x00-\x20\x7fA-Z]/;
const WRONG_VALUE = /[\0\r\n]/;

const isName = (name: string): boolean => !WRONG_NAME.test(name) && name.indexOf(':', 1) < 0;

export class BlockReader {
  /** Why the last block was wrong. */
  reason = '';
  #bytes: Buffer = NOTHING;
  #position = 0;
  /** Bytes of names and values that may still come. */
  #left = 0;
  #text = '';
  /** The beginning of a field that goes on in the next piece. */
  #begun: Buffer = NOTHING;

  /** Another block begins, whose names and values may have `limit` bytes together. */
  begin(limit: number): void {
    this.#left = limit;
    this.#begun = NOTHING;
  }

  /** Reads a piece of the block; `last`: it ends with it. */
  read(piece: Buffer, last: boolean, target: FieldTarget): number {
    const begun = this.#begun;
    const bytes = begun.length > 0 ? Buffer.concat([begun, piece]) : piece;
    this.#begun = NOTHING;
    this.#bytes = bytes;
    this.#position = 0;
    let found = BLOCK_READ;
    let start = 0;
    while (found === BLOCK_READ && this.#position < bytes.length) {
      start = this.#position;
      found = this.#readField(target);
    }
    this.#bytes = NOTHING;
    if (found !== SHORT) return found;
    if (last) return this.#wrong('upstream sent truncated http2 header');
    this.#begun = Buffer.from(bytes.subarray(start));
    return BLOCK_READ;
  }

  #wrong(reason: string): number {
    this.reason = reason;
    return BLOCK_WRONG;
  }

  #readField(target: FieldTarget): number {
    const first = this.#bytes[this.#position++] ?? 0;
    if (first >= 0x80) return this.#indexed(first & 0x7f, target);
    if (first >= 0x40) return this.#literal(first & 0x3f, target);
    if (first >= 0x20) {
      const size = first & 0x1f;
      return size === 0
        ? BLOCK_READ
        : this.#wrong(`upstream sent invalid http2 dynamic table size update: ${size}`);
    }
    const index = first & 0x0f;
    return index < 0x0f ? this.#literal(index, target) : this.#farLiteral(target);
  }

  #noIndex(index: number): number {
    return this.#wrong(`upstream sent invalid http2 table index: ${index}`);
  }

  #indexed(index: number, target: FieldTarget): number {
    const field = index > LAST_INDEX ? undefined : STATIC[index];
    return field ? this.#pass(field.name.text, field.value, target) : this.#noIndex(index);
  }

  /** A literal whose name's index takes two octets. */
  #farLiteral(target: FieldTarget): number {
    if (this.#position >= this.#bytes.length) return SHORT;
    const octet = this.#bytes[this.#position++] ?? 0;
    if (octet >= 0x80) return this.#wrong('upstream sent http2 table index with continuation flag');
    return this.#literal(0x0f + octet, target);
  }

  #literal(index: number, target: FieldTarget): number {
    let name = '';
    if (index === 0) {
      const found = this.#string('name');
      if (found !== BLOCK_READ) return found;
      name = this.#text;
    } else {
      const field = index > LAST_INDEX ? undefined : STATIC[index];
      if (!field) return this.#noIndex(index);
      name = field.name.text;
    }
    const found = this.#string('value');
    if (found !== BLOCK_READ) return found;
    const value = this.#text;
    if ((index === 0 && !isName(name)) || WRONG_VALUE.test(value))
      return this.#wrong(`upstream sent invalid header: "${name}: ${value}"`);
    return this.#pass(name, value, target);
  }

  #pass(name: string, value: string, target: FieldTarget): number {
    const length = name.length + value.length;
    if (length > this.#left) return this.#wrong('upstream sent too large http2 header');
    this.#left -= length;
    return target.field(name, value) ? BLOCK_READ : BLOCK_REFUSED;
  }

  /** A string, into `#text`. */
  #string(what: 'name' | 'value'): number {
    const bytes = this.#bytes;
    const first = bytes[this.#position] ?? 0;
    const length = this.#length();
    if (length < 0) return SHORT;
    if (length > LONGEST) return this.#wrong(`upstream sent too large http2 header ${what} length`);
    if (length === 0 && what === 'name') return this.#wrong('upstream sent zero http2 header name length');
    const coded = first >= 0x80;
    const most = coded ? Math.floor((length * 8) / 5) : length;
    if (most > this.#left) return this.#wrong(`upstream sent too large http2 header ${what} length: ${most}`);
    const start = this.#position;
    const end = start + length;
    if (end > bytes.length) return SHORT;
    this.#position = end;
    const text = coded ? decodeHuffman(bytes, start, end) : bytes.latin1Slice(start, end);
    if (text === undefined) return this.#wrong('upstream sent invalid encoded header');
    this.#text = text;
    return BLOCK_READ;
  }

  /** A length of up to four octets; -1: the block ends before it does; more than LONGEST: it has more octets. */
  #length(): number {
    const bytes = this.#bytes;
    if (this.#position >= bytes.length) return -1;
    let length = (bytes[this.#position++] ?? 0) & MORE;
    if (length < MORE) return length;
    for (let shift = 0; shift <= 14; shift += 7) {
      if (this.#position >= bytes.length) return -1;
      const octet = bytes[this.#position++] ?? 0;
      length += (octet & 0x7f) << shift;
      if (octet < 0x80) return length;
    }
    return LONGEST + 1;
  }
}

const NOTHING = Buffer.alloc(0);
/** What four octets can say. */
const LONGEST = MORE + 2 ** 21 - 1;
