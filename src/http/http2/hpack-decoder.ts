/** Decodes header blocks (RFC 7541), piece by piece, with nginx's limits on integers, fields and whole heads. */
import { DynamicTable, TABLE_SIZE } from './dynamic-table.ts';
import { Field } from './field.ts';
import { COMPRESSION_ERROR, ENHANCE_YOUR_CALM, FRAME_SIZE_ERROR, PROTOCOL_ERROR } from './frames.ts';
import { decodeHuffman } from './huffman.ts';

/** Where the fields of a block go. */
export interface FieldSink {
  field(field: Field): void;
}

/** The octets of an integer, the one with the prefix included. */
const INTEGER_OCTETS = 4;
/** What reading a number or string may come to instead. */
const SHORT = -1;
const TOO_LONG = -2;
const FAILED = -3;

const INCORRECT_BLOCK = 'client sent header block with incorrect length';
const INCORRECT_FIELD = 'client sent header field with incorrect length';

export class HpackDecoder {
  /** Why the last block was refused: an error code, and nginx's words. */
  code = 0;
  reason = '';
  readonly #table = new DynamicTable();
  #position = 0;
  #text = '';
  /** Why there is too little, if no more comes. */
  #shortage = INCORRECT_BLOCK;
  #left = 0;
  /** The block ends with what is being decoded; it has no byte so far. */
  #last = false;
  #empty = true;

  constructor(
    /** The longest string as it is sent, and all names and values of a block together. */
    readonly fieldLimit: number,
    readonly headLimit: number,
  ) {}

  /** Another block begins. */
  begin(): void {
    this.#left = this.headLimit;
    this.#empty = true;
  }

  /**
   * Decodes the fields that are whole in `bytes` from `start` to `end`. Answers where the first incomplete one
   * begins (`end` when there is none), or -1 with `code` and `reason` set. `last`: the block ends at `end`.
   */
  decode(bytes: Buffer, start: number, end: number, last: boolean, sink: FieldSink): number {
    let position = start;
    this.#last = last;
    if (start < end) this.#empty = false;
    else if (last && this.#empty) return this.#fail(FRAME_SIZE_ERROR, INCORRECT_BLOCK);
    while (position < end) {
      const next = this.#next(bytes, position, end, sink);
      if (next === SHORT) return last ? this.#fail(FRAME_SIZE_ERROR, this.#shortage) : position;
      if (next < 0) return -1;
      position = next;
    }
    return position;
  }

  #fail(code: number, reason: string): number {
    this.code = code;
    this.reason = reason;
    return FAILED;
  }

  #next(bytes: Buffer, start: number, end: number, sink: FieldSink): number {
    const first = bytes[start] ?? 0;
    if (first >= 0x80) {
      const index = this.#integer(bytes, start, end, 0x7f);
      if (index < 0) return this.#noIndex(index, 'header index');
      const field = this.#table.at(index);
      return field ? this.#pass(field, sink) : this.#noField(index);
    }
    if (first >= 0x20 && first < 0x40) {
      const size = this.#integer(bytes, start, end, 0x1f);
      if (size < 0) return this.#noIndex(size, 'size update');
      if (size > TABLE_SIZE)
        return this.#fail(COMPRESSION_ERROR, `client sent invalid table size update: ${size}`);
      this.#table.resize(size);
      return this.#position;
    }
    const indexed = first >= 0x40;
    const index = this.#integer(bytes, start, end, indexed ? 0x3f : 0x0f);
    if (index < 0) return this.#noIndex(index, 'header index');
    const known = index === 0 ? undefined : this.#table.at(index);
    if (index !== 0 && !known) return this.#noField(index);
    let name = '';
    if (!known) {
      const found = this.#string(bytes, end);
      if (found < 0) return found;
      name = this.#text;
      if (name === '') return this.#fail(PROTOCOL_ERROR, 'client sent zero header name length');
    }
    const found = this.#string(bytes, end);
    if (found < 0) return found;
    const field = known ? known.withValue(this.#text) : Field.of(name, this.#text);
    const next = this.#pass(field, sink);
    if (indexed && next >= 0) this.#table.add(field);
    return next;
  }

  #pass(field: Field, sink: FieldSink): number {
    const length = field.name.text.length + field.value.length;
    if (length > this.#left) return this.#fail(ENHANCE_YOUR_CALM, 'client sent too large header');
    this.#left -= length;
    const position = this.#position;
    sink.field(field);
    return position;
  }

  #noIndex(found: number, what: string): number {
    if (found === TOO_LONG)
      return this.#fail(COMPRESSION_ERROR, `client sent header block with too long ${what} value`);
    this.#shortage = INCORRECT_BLOCK;
    return SHORT;
  }

  #noField(index: number): number {
    if (index === 0) return this.#fail(COMPRESSION_ERROR, 'client sent invalid hpack table index 0');
    const beyond = this.#table.beyond(index);
    return this.#fail(COMPRESSION_ERROR, `client sent out of bound hpack table index: ${beyond}`);
  }

  /** A number at `start`, whose first octet shares its byte by `mask`; leaves `#position` behind it. */
  #integer(bytes: Buffer, start: number, end: number, mask: number): number {
    let value = (bytes[start] ?? 0) & mask;
    let position = start + 1;
    if (value === mask) {
      const stop = Math.min(end, start + INTEGER_OCTETS);
      for (let shift = 0; ; shift += 7) {
        if (position >= stop) {
          const cut = stop === end && (this.#last || stop < start + INTEGER_OCTETS);
          return cut ? SHORT : TOO_LONG;
        }
        const octet = bytes[position++] ?? 0;
        value += (octet & 0x7f) << shift;
        if (octet < 0x80) break;
      }
    }
    this.#position = position;
    return value;
  }

  /** A string at `#position`, into `#text`. Answers 0, SHORT or FAILED. */
  #string(bytes: Buffer, end: number): number {
    const start = this.#position;
    if (start >= end) {
      this.#shortage = INCORRECT_BLOCK;
      return SHORT;
    }
    const coded = (bytes[start] ?? 0) >= 0x80;
    const length = this.#integer(bytes, start, end, 0x7f);
    if (length === TOO_LONG)
      return this.#fail(COMPRESSION_ERROR, 'client sent header field with too long length value');
    if (length < 0) {
      this.#shortage = INCORRECT_BLOCK;
      return SHORT;
    }
    if (length > this.fieldLimit) return this.#fail(ENHANCE_YOUR_CALM, 'client sent too large header field');
    const from = this.#position;
    const to = from + length;
    if (to > end) {
      this.#shortage = INCORRECT_FIELD;
      return SHORT;
    }
    this.#position = to;
    if (!coded) {
      this.#text = bytes.latin1Slice(from, to);
      return 0;
    }
    const text = decodeHuffman(bytes, from, to);
    if (text === undefined) return this.#fail(COMPRESSION_ERROR, 'client sent invalid encoded header field');
    this.#text = text;
    return 0;
  }
}
