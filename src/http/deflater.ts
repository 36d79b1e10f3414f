/**
 * Compression of a stream of pieces, each at once: Node's own streams compress on other threads, which costs
 * more than it gains for the sizes of web replies. The handle below Node's stream is used, which can do so.
 */
import { constants, createGzip, gzipSync } from 'node:zlib';

/** What is used of the handle that Node keeps below a zlib stream. */
interface Handle {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputOffset: number,
    inputLength: number,
    output: Uint8Array,
    outputOffset: number,
    outputLength: number,
  ): void;
  reset(): void;
}
interface Stream {
  readonly _handle?: Handle | null;
  /** What is left of the output's room and of the input after a write. */
  readonly _writeState?: Uint32Array;
}

export interface DeflateOptions {
  /** 1 to 9. */
  readonly level: number;
  /** 9 to 15. */
  readonly windowBits: number;
  /** 1 to 9. */
  readonly memLevel: number;
}

/** Takes compressed bytes, which are only there during the call. */
export interface Output {
  deflated(bytes: Uint8Array): void;
}

const ROOM = 65536;
const room = Buffer.allocUnsafeSlow(ROOM);
/** Idle ones of each kind are kept: making one costs a quarter of a megabyte to be cleared. */
const KEPT = 8;
const idle = new Map<string, Deflater[]>();

export class Deflater {
  readonly #stream: Stream;
  /** Where the handle can't be used: pieces wait for the end. */
  #held: Uint8Array[] | undefined;

  constructor(
    readonly options: DeflateOptions,
    readonly kind: string,
  ) {
    this.#stream = createGzip({ ...options }) as unknown as Stream;
    this.#held = this.#stream._handle && this.#stream._writeState ? undefined : [];
  }

  /** Compresses `bytes`; `flush`: what has been taken must come out; `last`: the end of the stream. */
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
      if (left < ROOM) output.deflated(room.subarray(0, ROOM - left));
      offset = bytes.length - unread;
      if (left > 0) return;
    }
  }

  #hold(bytes: Uint8Array, last: boolean, output: Output): void {
    this.#held ??= [];
    this.#held.push(Buffer.from(bytes));
    if (!last) return;
    output.deflated(gzipSync(Buffer.concat(this.#held), this.options));
    this.#held = [];
  }

  /** Makes it ready for another stream. */
  release(): void {
    const list = idle.get(this.kind) ?? [];
    if (list.length >= KEPT) return;
    this.#stream._handle?.reset();
    list.push(this);
    idle.set(this.kind, list);
  }
}

/** A deflater for one stream; `release` it at the end. */
export const takeDeflater = (options: DeflateOptions): Deflater => {
  const kind = `${options.level}/${options.windowBits}/${options.memLevel}`;
  return idle.get(kind)?.pop() ?? new Deflater(options, kind);
};
