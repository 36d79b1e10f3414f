/**
 * What goes out on a connection: frames of all streams, gathered until the end of what the event loop is at, so that
 * many replies leave in one system call. Small frames gather as text, larger pieces in a buffer behind it.
 */
import type { Connection } from '../../net/connection.ts';
import { textOf } from '../../net/latin1.ts';
import { FRAME_HEAD } from './frames.ts';

const BUFFER_SIZE = 65536;
/** Pieces up to this size gather as text. */
const SMALL = 1024;
/** Buffers that wait for the next use, for all connections. */
const MOST_SPARE = 4;
const spare: Buffer[] = [];

export class FrameWriter {
  #text = '';
  #buffer: Buffer | undefined = undefined;
  #used = 0;

  constructor(readonly connection: Connection) {}

  /** Something waits for `flush`. */
  get pending(): boolean {
    return this.#text !== '' || this.#used > 0;
  }

  /** Whole frames, as text. */
  text(frames: string): void {
    this.#text += frames;
    if (this.#text.length >= BUFFER_SIZE) this.flush();
  }

  /** A frame's head and its payload: a part of `bytes`, which are only there during the call. */
  frame(head: string, bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length <= SMALL) {
      this.text(length === 0 ? head : head + textOf(bytes.subarray(start, end)));
      return;
    }
    const text = this.#text + head;
    if (this.#used + text.length + length > BUFFER_SIZE) {
      this.flush();
      if (length > BUFFER_SIZE - FRAME_HEAD) {
        this.connection.writeBoth(head, Buffer.from(bytes.subarray(start, end)));
        return;
      }
      this.#put(head);
    } else {
      this.#text = '';
      this.#put(text);
    }
    this.#buffer?.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), this.#used);
    this.#used += length;
  }

  #put(text: string): void {
    this.#buffer ??= spare.pop() ?? Buffer.allocUnsafeSlow(BUFFER_SIZE);
    this.#buffer.latin1Write(text, this.#used);
    this.#used += text.length;
  }

  /** Hands over all that waits. */
  flush(): void {
    const text = this.#text;
    const buffer = this.#buffer;
    this.#text = '';
    if (!buffer) {
      if (text !== '') this.connection.writeText(text);
      return;
    }
    if (this.#used + text.length <= BUFFER_SIZE) {
      if (text !== '') this.#put(text);
      this.#write(buffer);
    } else {
      this.#write(buffer);
      this.connection.writeText(text);
    }
  }

  #write(buffer: Buffer): void {
    const { connection } = this;
    const used = buffer.subarray(0, this.#used);
    this.#buffer = undefined;
    this.#used = 0;
    connection.writeBytes(used);
    // Not taken at once: the bytes must stay as they are.
    if (connection.queued > 0) return;
    if (spare.length < MOST_SPARE) spare.push(buffer);
  }
}
