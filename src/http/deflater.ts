/**
 * Compression of a stream of pieces, each at once: Node's own streams compress on other threads, which costs
 * more than it gains for the sizes of web replies. The handle below Node's stream is used, which can do so.
 */
import { constants, createGzip, gzipSync } from 'node:zlib';
import type { ZlibStream } from './zlib-handle.ts';

export interface DeflateOptions {
  /** 1 to 9. */
  readonly level: number;
  /** 9 to 15. */
  readonly windowBits: number;
  /** 1 to 9. */
  readonly memLevel: number;
}

/** Takes compressed bytes, which are only there during the call; `end`: all of what was written is out. */
export interface Output {
  deflated(bytes: Uint8Array, end: boolean): void;
}

const ROOM = 65536;
const room = Buffer.allocUnsafeSlow(ROOM);
/** Idle ones of each kind are kept: making one costs a quarter of a megabyte to be cleared. */
const KEPT = 8;

/** Compresses one stream at a time. */
export class Deflater {
  readonly #stream: ZlibStream;
  /** Where the handle can't be used: pieces wait for the end. */
  #held: Uint8Array[] | undefined;

  constructor(readonly options: DeflateOptions) {
    this.#stream = createGzip({ ...options }) as unknown as ZlibStream;
    this.#held = this.#stream._handle && this.#stream._writeState ? undefined : [];
  }

  /**
   * Compresses `bytes`; `flush`: what has been taken must come out; `last`: the end of the stream. `output` is
   * called at least once.
   */
  write(bytes: Uint8Array, flush: boolean, last: boolean, output: Output): void {
    const { _handle: handle, _writeState: state } = this.#stream;
    if (this.#held || !handle || !state) {
      this.#hold(bytes, last, output);
      return;
    }
    const mode = last ? constants.Z_FINISH : flush ? constants.Z_SYNC_FLUSH : constants.Z_NO_FLUSH;
    let offset = 0;
    for (;;) {
      handle.writeSync(mode, bytes, offset, bytes.length - offset, room, 0, ROOM);
      const [left = 0, unread = 0] = state;
      output.deflated(room.subarray(0, ROOM - left), left > 0);
      if (left > 0) return;
      offset = bytes.length - unread;
    }
  }

  #hold(bytes: Uint8Array, last: boolean, output: Output): void {
    this.#held ??= [];
    this.#held.push(Buffer.from(bytes));
    output.deflated(last ? gzipSync(Buffer.concat(this.#held), this.options) : room.subarray(0, 0), true);
    if (last) this.#held = [];
  }

  reset(): void {
    this.#stream._handle?.reset();
  }
}

/** Deflaters of one kind, used again and again. */
export class DeflaterPool {
  readonly #idle: Deflater[] = [];

  constructor(readonly options: DeflateOptions) {}

  take(): Deflater {
    return this.#idle.pop() ?? new Deflater(this.options);
  }

  /** Takes one back whose stream has ended or is given up. */
  give(deflater: Deflater): void {
    if (this.#idle.length >= KEPT) return;
    deflater.reset();
    this.#idle.push(deflater);
  }
}

const pools = new Map<string, DeflaterPool>();

/** The one pool for these options. */
export const deflaterPool = (options: DeflateOptions): DeflaterPool => {
  const kind = `${options.level}/${options.windowBits}/${options.memLevel}`;
  const known = pools.get(kind);
  if (known) return known;
  const pool = new DeflaterPool(options);
  pools.set(kind, pool);
  return pool;
};
