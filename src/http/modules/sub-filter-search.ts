/**
 * The search of `sub_filter`: several patterns at once, letters of ASCII in any case, in a body that comes in
 * pieces. Horspool's shifts over the length of the shortest pattern; of patterns that begin at the same byte
 * the first one written wins.
 */
import { type Data, NOTHING } from '../output.ts';

const A = 0x41;
const Z = 0x5a;
const CASE = 0x20;
/** Bytes compared, so that capital letters equal small ones. */
const LOWER = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= A && byte <= Z ? byte | CASE : byte));
/** Shifts are kept in a byte. */
const LONGEST_SHIFT = 255;
const NONE: readonly number[] = [];

/** Patterns made ready for searching; none may be empty. */
export class Patterns {
  /** Bytes of the shortest one. */
  readonly least: number;
  /** How far the search may go on when it stands at a byte; 0: a pattern may end its first `least` bytes there. */
  readonly shifts: Uint8Array;
  /** Which patterns those are, by the byte. */
  readonly candidates: (readonly number[])[];

  /** `texts` in small letters. */
  constructor(readonly texts: readonly Data[]) {
    this.least = texts.reduce((least, { length }) => Math.min(least, length), Number.POSITIVE_INFINITY);
    const reach = Math.min(this.least, LONGEST_SHIFT);
    this.shifts = new Uint8Array(256).fill(reach);
    const byByte = new Map<number, number[]>();
    for (const [index, text] of texts.entries()) {
      for (let back = 0; back < reach; back++) this.#reach(text[this.least - 1 - back] ?? 0, back);
      const end = text[this.least - 1] ?? 0;
      byByte.set(end, [...(byByte.get(end) ?? []), index]);
    }
    this.candidates = Array.from(LOWER, (lower) => byByte.get(lower) ?? NONE);
  }

  #reach(lower: number, shift: number): void {
    const upper = lower >= (A | CASE) && lower <= (Z | CASE) ? lower ^ CASE : lower;
    for (const byte of [lower, upper]) this.shifts[byte] = Math.min(this.shifts[byte] ?? 0, shift);
  }
}

/** What a comparison comes to. */
const DIFFERENT = 0;
const EQUAL = 1;
/** All that is there is equal, but the piece ends before the pattern does. */
const PARTIAL = 2;

const compare = (data: Data, at: number, pattern: Data): number => {
  const end = Math.min(pattern.length, data.length - at);
  for (let i = 0; i < end; i++) {
    if (LOWER[data[at + i] ?? 0] !== pattern[i]) return DIFFERENT;
  }
  return end === pattern.length ? EQUAL : PARTIAL;
};

/** Replaces the patterns in one body. */
export class Replacing {
  /** The end of the last piece, that may be the beginning of a pattern. */
  #kept: Data = NOTHING;
  readonly #values: (Data | undefined)[];
  /** With `once`: how many patterns have not been met yet. */
  #left: number;
  /** Where the last search ended: the start of what must be kept. */
  #end = 0;

  constructor(
    readonly patterns: Patterns,
    /** Each pattern is replaced the first time only. */
    readonly once: boolean,
    /** What a pattern is replaced by; asked for once a body. */
    readonly replacement: (index: number) => Data,
  ) {
    this.#left = patterns.texts.length;
    this.#values = new Array<Data | undefined>(this.#left);
  }

  /**
   * Takes a piece and answers what can be sent: the piece itself where that is all. `flush`: only what may yet
   * become a match is kept back; `last`: nothing is.
   */
  feed(bytes: Data, flush: boolean, last: boolean): Data {
    const data = this.#kept.length === 0 ? bytes : Buffer.concat([this.#kept, bytes]);
    this.#kept = NOTHING;
    if (this.#left === 0) return data;
    const parts: Data[] = [];
    let sent = 0;
    let length = 0;
    let from = 0;
    for (;;) {
      const index = this.#search(data, from);
      if (index < 0) break;
      const value = this.#value(index);
      parts.push(data.subarray(sent, this.#end), value);
      length += this.#end - sent + value.length;
      sent = this.#end + (this.patterns.texts[index]?.length ?? 0);
      from = sent;
      if (this.once && --this.#left === 0) {
        this.#end = data.length;
        break;
      }
    }
    if (last) this.#end = data.length;
    else if (flush && this.#left > 0) this.#settle(data);
    if (this.#end < data.length) this.#kept = Buffer.from(data.subarray(this.#end));
    if (sent === 0) return this.#end === data.length ? data : data.subarray(0, this.#end);
    parts.push(data.subarray(sent, this.#end));
    return Buffer.concat(parts, length + this.#end - sent);
  }

  #value(index: number): Data {
    const value = this.#values[index] ?? this.replacement(index);
    this.#values[index] = value;
    return value;
  }

  /** The pattern found first from `from` on, at `#end`; -1: none, and `#end` is where one may begin. */
  #search(data: Data, from: number): number {
    const { least, shifts, candidates, texts } = this.patterns;
    const { length } = data;
    let at = from + least - 1;
    while (at < length) {
      const byte = data[at] ?? 0;
      const shift = shifts[byte] ?? 0;
      if (shift > 0) {
        at += shift;
        continue;
      }
      const start = at - least + 1;
      for (const index of candidates[byte] ?? NONE) {
        if (this.once && this.#values[index]) continue;
        const found = compare(data, start, texts[index] ?? NOTHING);
        if (found === DIFFERENT) continue;
        this.#end = start;
        return found === EQUAL ? index : -1;
      }
      at++;
    }
    this.#end = Math.min(length, at - least + 1);
    return -1;
  }

  /** Moves `#end` on to where a pattern may begin in truth. */
  #settle(data: Data): void {
    const { texts } = this.patterns;
    while (this.#end < data.length) {
      for (const text of texts) if (compare(data, this.#end, text) === PARTIAL) return;
      this.#end++;
    }
  }
}
