/** The body of one request: what the client may send, what has come, and who takes it (RFC 9113 section 5.2). */
import { ERROR, INFO } from '../../log/levels.ts';
import type { BodyReader } from '../read-body.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { LARGEST_WINDOW } from './frames.ts';
import { bodyAction } from './gone.ts';

/** What a piece came to. */
export const TAKEN = 0;
/** The body is complete. */
export const COMPLETE = 1;
/** `failure` is the status that the request ends with. */
export const FAILED = 2;

export class StreamBody {
  failure = 0;
  reader: BodyReader | undefined = undefined;
  /** Held back by who takes the body: what still comes waits. */
  paused = false;
  /** All of it has come. */
  ended = false;
  /** What came before anybody asked, or while held back; not more than the window. */
  #held: Buffer[] = [];
  /**
   * Bytes of the window when everything has been taken; 0: the client may send as it likes, and what comes is
   * buffered, into a file beyond what memory may hold.
   */
  #room: number;

  constructor(
    readonly request: Request,
    /** Bytes that the client may send now. */
    public window: number,
  ) {
    this.#room = window;
  }

  /** Bytes from the client; answers TAKEN, COMPLETE or FAILED. */
  take(bytes: Buffer, start: number, end: number, last: boolean): number {
    if (last) this.ended = true;
    const { reader } = this;
    if (reader && !this.paused && !reader.streams) return this.#feed(reader, bytes.subarray(start, end));
    if (end > start) this.#held.push(Buffer.from(bytes.subarray(start, end)));
    return TAKEN;
  }

  /** Somebody reads: gets what has come already. */
  begin(reader: BodyReader): number {
    this.reader = reader;
    return this.#passHeld(reader);
  }

  /** The client may send on: by how much its window grows. `most`: how much of a streamed body may be on its way. */
  open(most: number): number {
    const before = this.#room;
    if (this.reader?.streams) this.#room = Math.max(before, Math.min(most, LARGEST_WINDOW));
    else this.#room = 0;
    const more = this.#room === 0 ? LARGEST_WINDOW - this.window : this.#room - before;
    this.window += more;
    return more;
  }

  /** Passes on together what a read has brought of a streamed body. */
  deliver(): number {
    return this.reader?.streams && !this.paused ? this.#passHeld(this.reader) : TAKEN;
  }

  /** Goes on where `paused` has stopped. */
  resume(): number {
    this.paused = false;
    return this.reader ? this.#passHeld(this.reader) : TAKEN;
  }

  #passHeld(reader: BodyReader): number {
    const held = this.#held;
    if (held.length > 0) {
      this.#held = [];
      const [only] = held;
      const bytes = held.length === 1 && only ? only : Buffer.concat(held);
      if (this.#pass(reader, bytes) === FAILED) return FAILED;
    }
    return this.ended && this.#held.length === 0 ? this.#end(reader) : TAKEN;
  }

  #feed(reader: BodyReader, bytes: Uint8Array): number {
    if (bytes.length > 0 && this.#pass(reader, bytes) === FAILED) return FAILED;
    return this.ended ? this.#end(reader) : TAKEN;
  }

  #pass(reader: BodyReader, bytes: Uint8Array): number {
    const { request } = this;
    const { contentLength } = request.headers;
    const length = reader.length + bytes.length;
    request.requestLength += bytes.length;
    if (contentLength >= 0) {
      if (length > contentLength)
        return this.#fail(400, INFO, 'client intended to send body data larger than declared');
    } else if (!reader.discarding) {
      const most = request.location.core.client_max_body_size;
      if (most > 0 && length > most) {
        return this.#fail(413, ERROR, `client intended to send too large chunked body: ${length} bytes`);
      }
    }
    reader.take(bytes);
    this.failure = reader.failure;
    return this.failure === 0 ? TAKEN : FAILED;
  }

  #end(reader: BodyReader): number {
    const { contentLength } = this.request.headers;
    if (contentLength >= 0 && reader.length !== contentLength) {
      const received = `only ${reader.length} out of ${contentLength} bytes of request body received`;
      return this.#fail(400, INFO, `client prematurely closed stream: ${received}`);
    }
    reader.end();
    this.failure = reader.failure;
    return this.failure === 0 ? COMPLETE : FAILED;
  }

  #fail(status: number, level: number, reason: string): number {
    logRequest(this.request, level, reason + bodyAction(this.request, this));
    this.failure = status;
    return FAILED;
  }

  /** Bytes to add to the client's window now; 0 for none. `arriving`: of a frame that is being read. */
  grant(arriving: number): number {
    if (this.ended || this.paused || !this.reader || this.reader.discarding) return 0;
    const whole = this.#room === 0 ? LARGEST_WINDOW : this.#room - arriving;
    const least = this.#room === 0 ? LARGEST_WINDOW / 4 : whole;
    if (this.window >= least) return 0;
    const more = whole - this.window;
    this.window = whole;
    return more;
  }
}
