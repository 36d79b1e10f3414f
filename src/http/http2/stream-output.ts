/** The reply of one stream: its frames, as far as the windows of client and connection let them go. */
import type { Data } from '../output.ts';
import type { Request } from '../request.ts';
import { CONTINUATION, DATA, END_HEADERS, END_STREAM, FRAME_HEAD, frameHead, HEADERS } from './frames.ts';
import { fields, headBlock, interimBlock } from './reply-head.ts';
import type { SendSide } from './send-side.ts';

export class StreamOutput {
  /** Bytes of frames so far; of these, what is not body. */
  sent = 0;
  headLength = 0;
  /** Our side of the stream has been ended. */
  closed = false;
  /** What waits for room: pieces, and whether the body ends with them. */
  readonly #held: Data[] = [];
  #last = false;

  constructor(
    readonly side: SendSide,
    readonly id: number,
    /** Bytes that the client takes of this stream; negative after it has lowered them. */
    public window: number,
  ) {}

  /** The body could not be sent as far as it has been given. */
  get holds(): boolean {
    return this.#held.length > 0 || (this.#last && !this.closed);
  }

  /** What waits of the body has no room in the windows, whatever the connection takes. */
  get stuck(): boolean {
    return this.#held.length > 0 && (this.window <= 0 || this.side.window <= 0);
  }

  head(request: Request): void {
    const { out } = request;
    const block = headBlock(request);
    const ends = request.headerOnly || (out.contentLength === 0 && out.trailers === undefined);
    this.#headers(block, ends);
  }

  interim(status: number, lines: readonly string[]): void {
    this.#headers(interimBlock(status, lines), false);
  }

  #headers(block: string, ends: boolean): void {
    const { side } = this;
    const text = side.tableUpdate() + block;
    const size = side.frameSize;
    let flags = ends ? END_STREAM : 0;
    let type = HEADERS;
    let frames = '';
    if (text.length <= size) {
      frames = frameHead(text.length, type, flags | END_HEADERS, this.id) + text;
    } else {
      for (let from = 0; from < text.length; from += size) {
        const part = text.slice(from, from + size);
        if (from + size >= text.length) flags |= END_HEADERS;
        frames += frameHead(part.length, type, flags, this.id) + part;
        type = CONTINUATION;
        flags = 0;
      }
    }
    this.sent += frames.length;
    this.headLength += frames.length;
    side.counted(text.length, frames.length);
    side.writer.text(frames);
    if (ends) this.closed = true;
  }

  /** A piece of the body; what has no room is held, copied unless `owned`. */
  write(request: Request, bytes: Data, last: boolean, owned: boolean): void {
    const length = request.headerOnly ? 0 : bytes.length;
    if (this.closed) return;
    if (last) this.#last = true;
    const wait = this.#held.length > 0 || (length > 0 && this.side.blocked);
    const sent = wait ? 0 : this.#send(request, bytes, 0, length, last);
    if (sent === length) return;
    const rest = bytes.subarray(sent, length);
    this.#held.push(owned ? rest : Buffer.from(rest));
  }

  /** Sends on what is held, as far as there is room now. True: all of it. */
  resume(request: Request): boolean {
    const held = this.#held;
    for (let piece = held[0]; piece; piece = held[0]) {
      if (this.side.blocked) return false;
      const sent = this.#send(request, piece, 0, piece.length, this.#last && held.length === 1);
      if (sent < piece.length) {
        held[0] = piece.subarray(sent);
        return false;
      }
      held.shift();
    }
    return true;
  }

  /** Nothing of it is wanted any more. */
  drop(): void {
    this.#held.length = 0;
    this.#last = false;
  }

  /** Sends what the windows have room for; answers up to where. */
  #send(request: Request, bytes: Data, start: number, end: number, last: boolean): number {
    const { side } = this;
    const { trailers } = request.out;
    const withTrailers = trailers !== undefined && trailers.length > 0;
    const ends = last && !withTrailers;
    const most = end === start ? 0 : Math.min(side.chunkSize(request.location), side.frameSize);
    let position = start;
    while (position < end) {
      const size = Math.min(most, end - position, this.window, side.window);
      if (size <= 0) return position;
      const closes = ends && position + size === end;
      this.window -= size;
      side.window -= size;
      this.#count(request, size);
      side.writer.frame(
        frameHead(size, DATA, closes ? END_STREAM : 0, this.id),
        bytes,
        position,
        position + size,
      );
      position += size;
      if (closes) this.closed = true;
    }
    if (!last || this.closed) return position;
    if (withTrailers) {
      this.#headers(fields(trailers), true);
    } else {
      this.#count(request, 0);
      side.writer.text(frameHead(0, DATA, END_STREAM, this.id));
      this.closed = true;
    }
    return position;
  }

  #count(request: Request, size: number): void {
    request.bodySent += size;
    this.sent += FRAME_HEAD + size;
    this.headLength += FRAME_HEAD;
    this.side.counted(size, FRAME_HEAD + size);
  }
}
