/**
 * The chunked coding of a body, taken apart piece by piece (RFC 9112 section 7.1). As strict as
 * nginx: lines end in CR LF, extensions and, unless they are wanted, trailers are skipped.
 */

/** What `next` found: bytes from `from` to `to`; the end; nothing more in this piece; no chunked coding. */
export const CHUNK_DATA = 0;
export const CHUNKS_END = 1;
export const CHUNKS_MORE = 2;
export const CHUNKS_INVALID = 3;

const START = 0;
const SIZE = 1;
const EXTENSION = 2;
const SIZE_LF = 3;
const DATA = 4;
const DATA_CR = 5;
const DATA_LF = 6;
const TRAILER = 7;
const TRAILER_LINE = 8;
const TRAILER_LF = 9;
const LAST_LF = 10;

const CR = 0x0d;
const LF = 0x0a;
/** A further digit would leave the whole numbers that are exact. */
const LARGEST = Number.MAX_SAFE_INTEGER / 16 - 1;

const digit = (byte: number): number => {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
};

export class ChunkedDecoder {
  /** Where the next byte to look at stands, after each call of `next`. */
  position = 0;
  from = 0;
  to = 0;
  #state = START;
  /** Bytes of the chunk that are still to come. */
  #size = 0;
  #keepTrailers = false;

  /** Bytes of the present chunk that are still to come. */
  get remaining(): number {
    return Math.max(0, this.#size);
  }

  /** Begins a new body. With `keepTrailers` the end is behind the last chunk's line: trailers are left to the caller. */
  reset(keepTrailers: boolean): void {
    this.#state = START;
    this.#size = 0;
    this.#keepTrailers = keepTrailers;
  }

  /** Goes on at `position` and reads to `end` at most. Call it again after CHUNK_DATA, with the same piece. */
  next(bytes: Uint8Array, end: number): number {
    if (this.#state === DATA && this.position < end) return this.#data(end);
    for (let at = this.position; at < end; at++) {
      const state = this.#step(bytes[at] ?? 0);
      if (state < 0) return CHUNKS_INVALID;
      this.#state = state;
      if (state === DATA) {
        this.position = at + 1;
        return at + 1 < end ? this.#data(end) : CHUNKS_MORE;
      }
      if (state === START && this.#size < 0) {
        this.position = at + 1;
        return CHUNKS_END;
      }
    }
    this.position = end;
    return CHUNKS_MORE;
  }

  #data(end: number): number {
    const length = Math.min(this.#size, end - this.position);
    this.from = this.position;
    this.to = this.from + length;
    this.position = this.to;
    this.#size -= length;
    if (this.#size === 0) this.#state = DATA_CR;
    return CHUNK_DATA;
  }

  /** The state after one byte outside of a chunk's data; -1 when it may not stand there. */
  #step(byte: number): number {
    switch (this.#state) {
      case START: {
        const first = digit(byte);
        this.#size = first;
        return first < 0 ? -1 : SIZE;
      }
      case SIZE: {
        const further = digit(byte);
        if (further >= 0) {
          if (this.#size > LARGEST) return -1;
          this.#size = this.#size * 16 + further;
          return SIZE;
        }
        if (byte === CR) return SIZE_LF;
        return byte === 0x3b || byte === 0x20 || byte === 0x09 ? EXTENSION : -1;
      }
      case EXTENSION:
        return byte === CR ? SIZE_LF : byte === LF ? -1 : EXTENSION;
      case SIZE_LF:
        if (byte !== LF) return -1;
        if (this.#size > 0) return DATA;
        return this.#keepTrailers ? this.#end() : TRAILER;
      case DATA_CR:
        return byte === CR ? DATA_LF : -1;
      case DATA_LF:
        return byte === LF ? START : -1;
      case TRAILER:
        return byte === CR ? LAST_LF : byte === LF ? -1 : TRAILER_LINE;
      case TRAILER_LINE:
        return byte === CR ? TRAILER_LF : byte === LF ? -1 : TRAILER_LINE;
      case TRAILER_LF:
        return byte === LF ? TRAILER : -1;
      default:
        return byte === LF ? this.#end() : -1;
    }
  }

  #end(): number {
    this.#size = -1;
    return START;
  }
}
