/** Frames out of the bytes of a peer (RFC 9113 section 4.1), which may end anywhere. */
import { FRAME_HEAD } from '../../../http/http2/frames.ts';

export class FrameReader {
  type = 0;
  flags = 0;
  stream = 0;
  /** Bytes of the present frame's payload that are still to come; -1: no frame has begun. */
  rest = -1;
  /** The beginning of a frame's head, or of a payload that is wanted whole. */
  #begun: Buffer | undefined = undefined;
  #filled = 0;

  /** No part of a frame has been read. */
  get between(): boolean {
    return this.rest < 0 && this.#filled === 0;
  }

  /** Reads a frame's head, as far as it goes; answers where it ends. `rest` says whether it is complete. */
  readHead(bytes: Buffer, start: number, end: number): number {
    if (this.#filled === 0 && end - start >= FRAME_HEAD) {
      this.#take(bytes, start);
      return start + FRAME_HEAD;
    }
    if (start >= end) return start;
    this.#begun ??= Buffer.allocUnsafe(FRAME_HEAD);
    const begun = this.#begun;
    const taken = bytes.copy(begun, this.#filled, start, Math.min(end, start + FRAME_HEAD - this.#filled));
    this.#filled += taken;
    if (this.#filled === FRAME_HEAD) {
      this.#take(begun, 0);
      this.#forget();
    }
    return start + taken;
  }

  #take(bytes: Buffer, at: number): void {
    this.rest = bytes.readUIntBE(at, 3);
    this.type = bytes[at + 3] ?? 0;
    this.flags = bytes[at + 4] ?? 0;
    this.stream = bytes.readUInt32BE(at + 5) & 0x7fffffff;
  }

  #forget(): void {
    this.#begun = undefined;
    this.#filled = 0;
  }

  /** The whole payload once it has come, only there during the call; what has come of it is kept until then. */
  payload(bytes: Buffer, start: number, end: number): Buffer | undefined {
    const taken = Math.min(this.rest, end - start);
    if (this.#filled === 0 && taken === this.rest) {
      this.rest = -1;
      return bytes.subarray(start, start + taken);
    }
    if (taken === 0) return undefined;
    this.#begun ??= Buffer.allocUnsafe(this.rest);
    bytes.copy(this.#begun, this.#filled, start, start + taken);
    this.#filled += taken;
    this.rest -= taken;
    if (this.rest > 0) return undefined;
    const whole = this.#begun;
    this.rest = -1;
    this.#forget();
    return whole;
  }
}
