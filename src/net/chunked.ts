/** The chunked coding (RFC 9112 section 7.1), read piece by piece from bytes; as strict as nginx. */

/** Takes the decoded pieces, which are there only during the call. */
export interface ChunkSink {
  onChunkData(bytes: Uint8Array): void;
}

const SIZE_START = 0;
const SIZE = 1;
const EXTENSION = 2;
const EXTENSION_LF = 3;
const DATA = 4;
const DATA_CR = 5;
const DATA_LF = 6;
const TRAILER_START = 7;
const TRAILER = 8;
const TRAILER_LF = 9;
const END_LF = 10;
const DONE = 11;
const FAILED = 12;

const CR = 13;
const LF = 10;

const hex = (c: number): number => {
  if (c >= 0x30 && c <= 0x39) return c - 0x30;
  const letter = c | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
};

/** The longest trailer section that is kept, bytes; also the bound on how much of it is read. */
const TRAILER_LIMIT = 32768;

export class ChunkedDecoder {
  #state = SIZE_START;
  #size = 0;
  #digits = 0;
  #trailerBytes = 0;
  /** The trailer section as it came, latin1, when it is kept. */
  trailers = '';

  constructor(readonly keepTrailers: boolean) {}

  get done(): boolean {
    return this.#state === DONE;
  }

  get failed(): boolean {
    return this.#state === FAILED;
  }

  /** Bytes of the present chunk still to come: how much can be read at least. */
  get remaining(): number {
    return this.#state === DATA ? this.#size : 0;
  }

  /** Reads `bytes` from `start`; answers where it stopped: at `end`, behind the last chunk, or at what is wrong. */
  decode(bytes: Uint8Array, start: number, end: number, sink: ChunkSink): number {
    let i = start;
    while (i < end) {
      if (this.#state === DATA) {
        const take = Math.min(this.#size, end - i);
        this.#size -= take;
        if (this.#size === 0) this.#state = DATA_CR;
        sink.onChunkData(bytes.subarray(i, i + take));
        i += take;
        continue;
      }
      if (this.#state >= DONE) return i;
      this.#step(bytes[i] ?? 0);
      if (this.#state === FAILED) return i;
      i++;
    }
    return i;
  }

  #step(c: number): void {
    switch (this.#state) {
      case SIZE_START: {
        const digit = hex(c);
        if (digit < 0) return this.#fail();
        this.#size = digit;
        this.#digits = 1;
        this.#state = SIZE;
        return;
      }
      case SIZE: {
        const digit = hex(c);
        if (digit >= 0) {
          // 13 digits are 2^52: beyond that a number is no longer exact, and no body is that long.
          if (++this.#digits > 13) return this.#fail();
          this.#size = this.#size * 16 + digit;
          return;
        }
        if (c === CR) this.#state = EXTENSION_LF;
        else if (c === 0x3b || c === 0x20 || c === 0x09) this.#state = EXTENSION;
        else this.#fail();
        return;
      }
      case EXTENSION:
        if (c === CR) this.#state = EXTENSION_LF;
        else if (c === LF) this.#fail();
        return;
      case EXTENSION_LF:
        if (c === LF) this.#endOfSize();
        else this.#fail();
        return;
      case DATA_CR:
        if (c === CR) this.#state = DATA_LF;
        else this.#fail();
        return;
      case DATA_LF:
        if (c === LF) this.#state = SIZE_START;
        else this.#fail();
        return;
      case TRAILER_START:
        if (c === CR) this.#state = END_LF;
        else if (c === LF) this.#fail();
        else this.#keep(c, TRAILER);
        return;
      case TRAILER:
        if (c === LF) this.#fail();
        else this.#keep(c, c === CR ? TRAILER_LF : TRAILER);
        return;
      case TRAILER_LF:
        if (c === LF) this.#keep(c, TRAILER_START);
        else this.#fail();
        return;
      case END_LF:
        if (c === LF) this.#state = DONE;
        else this.#fail();
        return;
    }
  }

  #endOfSize(): void {
    this.#state = this.#size === 0 ? TRAILER_START : DATA;
  }

  #keep(c: number, state: number): void {
    if (++this.#trailerBytes > TRAILER_LIMIT) return this.#fail();
    if (this.keepTrailers) this.trailers += String.fromCharCode(c);
    this.#state = state;
  }

  #fail(): void {
    this.#state = FAILED;
  }
}
