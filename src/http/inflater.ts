/** Decompression of a stream of pieces, each at once and on this thread; the counterpart of deflater.ts. */
import { constants, createGunzip, gunzipSync } from 'node:zlib';
import type { ZlibStream } from './zlib-handle.ts';

const ROOM = 65536;
const room = Buffer.allocUnsafeSlow(ROOM);
const KEPT = 8;
const idle: Inflater[] = [];

/** zlib's numbers for what may go wrong. */
const DATA_ERROR = -3;
const BUF_ERROR = -5;

export class Inflater {
  readonly #stream: ZlibStream;
  /** Where the handle can't be used: pieces wait for the end. */
  #held: Uint8Array[] | undefined;
  #input: Uint8Array = room;
  #offset = 0;
  #mode: number = constants.Z_NO_FLUSH;
  /** The end of the stream comes behind this piece. */
  #last = false;
  /** zlib's number for what is wrong with the data; 0 while nothing is. */
  failure = 0;
  /** There may be more of the last piece: `next` has not come to its end. */
  more = false;

  constructor() {
    this.#stream = createGunzip() as unknown as ZlibStream;
    const { _handle: handle, _writeState: state } = this.#stream;
    this.#held = handle && state ? undefined : [];
    if (!handle) return;
    handle.onerror = (_message, errno) => {
      this.failure = errno;
    };
  }

  /** Takes a piece; what becomes of it is asked for with `next` while there is `more`. `bytes` must last as long. */
  take(bytes: Uint8Array, flush: boolean, last: boolean): void {
    if (this.#held) {
      this.#held.push(Buffer.from(bytes));
      this.more = last;
      return;
    }
    this.#input = bytes;
    this.#offset = 0;
    this.#mode = flush ? constants.Z_SYNC_FLUSH : constants.Z_NO_FLUSH;
    this.#last = last;
    this.more = true;
  }

  /** The piece that was taken goes on as a copy: its own bytes are about to change. */
  keep(): void {
    this.#input = Buffer.from(this.#input.subarray(this.#offset));
    this.#offset = 0;
  }

  /** Some more of the data, up to 64 KiB, there until the next call. Sets `failure` when it is wrong or ends too early. */
  next(): Uint8Array {
    const { _handle: handle, _writeState: state } = this.#stream;
    if (this.#held || !handle || !state) return this.#whole();
    const input = this.#input;
    handle.writeSync(this.#mode, input, this.#offset, input.length - this.#offset, room, 0, ROOM);
    if (this.failure !== 0) {
      this.more = false;
      return room.subarray(0, 0);
    }
    const [left = 0, unread = 0] = state;
    this.#offset = input.length - unread;
    this.more = left === 0;
    if (left > 0) this.#close(unread);
    return room.subarray(0, ROOM - left);
  }

  /** All that the piece holds is out. The end is asked for apart: what comes before an error there is to be had. */
  #close(unread: number): void {
    // Zeros behind the stream, which Node takes for padding and leaves unread.
    if (unread > 0) this.failure = DATA_ERROR;
    if (!this.#last || this.failure !== 0) return;
    this.#last = false;
    this.#mode = constants.Z_FINISH;
    this.more = true;
  }

  #whole(): Uint8Array {
    this.more = false;
    try {
      return gunzipSync(Buffer.concat(this.#held ?? []));
    } catch (error) {
      const early = error instanceof Error && 'code' in error && error.code === 'Z_BUF_ERROR';
      this.failure = early ? BUF_ERROR : DATA_ERROR;
      return room.subarray(0, 0);
    }
  }

  /** Makes it ready for another stream. */
  release(): void {
    this.#input = room;
    if (this.failure !== 0 || this.#held || idle.length >= KEPT) return;
    this.#stream._handle?.reset();
    idle.push(this);
  }
}

/** An inflater for one stream; `release` it at the end. */
export const takeInflater = (): Inflater => idle.pop() ?? new Inflater();
