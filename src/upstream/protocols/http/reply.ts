/**
 * A reply of an HTTP/1 server: behind its head a body by length, in chunks or until the server closes
 * (RFC 9112 section 6.3), and whether the connection may be kept.
 */
import type { Request } from '../../../http/request.ts';
import { ERROR, WARN } from '../../../log/levels.ts';
import { CHUNK_DATA, CHUNKS_END, CHUNKS_INVALID, ChunkedDecoder } from '../../../net/chunked.ts';
import type { Reply } from '../../contract.ts';
import { ReplyHead } from '../../reply-head.ts';
import { DATE, SERVER } from '../../reply-name.ts';
import type { HeadMemory } from './head-memory.ts';
import { HEAD_DONE, HEAD_NONE, HeadReader } from './head-reader.ts';
import { TRAILERS_DONE, TRAILERS_INVALID, TrailerReader } from './trailers.ts';

/** What a reply tells of itself; the engine's Upstream. */
export interface ReplyTarget {
  readonly request: Request;
  /** HEAD was sent as GET. */
  readonly asGet?: boolean;
  /** Replaced by that of each reply; it does not change once it is complete, but for `upgrade`. */
  head: ReplyHead;
  /** Trailer lines: name, value, name, value ...; set before `onReplyEnd`. */
  trailers: readonly string[] | undefined;
  keep: boolean;
  addLine(name: string, value: string): boolean;
  onInterim(status: number, lines: readonly string[]): boolean;
  onReplyHead(): boolean;
  onReplyBody(bytes: Uint8Array): boolean;
  onReplyText(text: string, keep: boolean): boolean;
  onReplyEnd(keep: boolean): void;
  onReplyInvalid(message: string): boolean;
  log(level: number, message: string): void;
}

/** What the location's configuration says about how to read replies. */
export interface ReplyOptions {
  /** `proxy_buffer_size`: the head, and each interim head, must fit. */
  readonly bufferSize: number;
  readonly passTrailers: boolean;
  /** `proxy_pass_header Server` and `Date`: where the server sends none, the client gets none. */
  readonly passesServer: boolean;
  readonly passesDate: boolean;
  /** Shared by the replies of the location. */
  readonly memory: HeadMemory;
}

const HEAD = 0;
/** A body of known length. */
const LENGTH = 1;
const CHUNKS = 2;
const TRAILERS = 3;
/** All that comes, until the server closes: a body without length, HTTP/0.9, a tunnel. */
const UNTIL_CLOSE = 4;
const OVER = 5;

const SWITCHING_PROTOCOLS = 101;
const NO_CONTENT = 204;
const SURPLUS = 'upstream sent more data than specified in "Content-Length" header';
const NOT_MODIFIED = 304;

export class HttpReply implements Reply {
  behindHead = 0;
  /** Undefined between two replies: nothing of a request is held on to. */
  #upstream: ReplyTarget | undefined = undefined;
  readonly #options: ReplyOptions;
  /** The request was HEAD: the reply has no body, whatever its head says. */
  #isHead = false;
  #state = OVER;
  #keep = false;
  /** Bytes of the body that are still to come. */
  #length = 0;
  readonly #head: HeadReader;
  readonly #chunks = new ChunkedDecoder();
  #trailers: TrailerReader | undefined = undefined;

  constructor(options: ReplyOptions) {
    this.#options = options;
    this.#head = new HeadReader(options.memory);
  }

  /** Begins to read a reply for `upstream`. */
  begin(upstream: ReplyTarget, isHead: boolean): void {
    this.#upstream = upstream;
    this.#isHead = isHead;
    this.#state = HEAD;
    this.#head.reset();
  }

  /** The reply is of no more interest; another may begin. */
  release(): void {
    this.#upstream = undefined;
    this.#trailers = undefined;
    this.#state = OVER;
  }

  feed(bytes: Buffer, start: number, end: number): void {
    const upstream = this.#upstream;
    if (!upstream || start >= end) return;
    switch (this.#state) {
      case HEAD:
        this.#feedHead(upstream, bytes, start, end);
        break;
      case LENGTH:
        this.#feedLength(upstream, bytes, start, end);
        break;
      case CHUNKS:
        this.#feedChunks(upstream, bytes, start, end);
        break;
      case TRAILERS:
        this.#feedTrailers(upstream, bytes, start, end);
        break;
      case UNTIL_CLOSE:
        upstream.onReplyBody(bytes.subarray(start, end));
    }
  }

  end(): void {
    if (this.#upstream && this.#state === UNTIL_CLOSE) this.#finish(this.#upstream, false);
  }

  #feedHead(upstream: ReplyTarget, bytes: Buffer, start: number, end: number): void {
    const head = this.#head;
    const found = head.read(upstream, bytes, start, end, this.#options.bufferSize);
    if (found === HEAD_DONE) this.#endHead(upstream, bytes, head.next, end);
    else if (found === HEAD_NONE) this.#beginHttp09(upstream, bytes, head.next, end);
  }

  #endHead(upstream: ReplyTarget, bytes: Buffer, next: number, end: number): void {
    const { head } = upstream;
    this.#keep = !head.connectionClose;
    const { passesServer, passesDate } = this.#options;
    const { out } = upstream.request;
    if (passesServer && (head.seen & (1 << SERVER)) === 0) out.withoutServer = true;
    if (passesDate && (head.seen & (1 << DATE)) === 0) out.withoutDate = true;
    this.#length = 0;
    this.behindHead = end - next;
    this.#state = this.#bodyState(upstream);
    const empty = this.#state === LENGTH && this.#length === 0;
    if (empty) upstream.keep = this.#keep && next >= end;
    // Its reply is over before anything behind the head is looked at.
    if (head.status === NO_CONTENT && next < end) upstream.log(WARN, SURPLUS);
    if (!upstream.onReplyHead()) return;
    if (empty) this.#endLength(upstream, next < end);
    else if (!this.#passWhole(upstream, end - next)) this.feed(bytes, next, end);
  }

  /** A body of known length that came with the head and has been decoded with it goes on as text. */
  #passWhole(upstream: ReplyTarget, length: number): boolean {
    if (this.#state !== LENGTH || length !== this.#length) return false;
    const text = this.#head.textBehind(length);
    if (text === undefined) return false;
    this.#state = OVER;
    if (upstream.onReplyText(text, this.#keep)) return true;
    this.#state = LENGTH;
    return false;
  }

  /** How the body's end is found. */
  #bodyState({ head, request }: ReplyTarget): number {
    const { status, contentLength } = head;
    if (status === SWITCHING_PROTOCOLS) {
      this.#keep = false;
      head.upgrade = request.headers.get('upgrade') !== undefined;
      return UNTIL_CLOSE;
    }
    if (this.#isHead || status === NO_CONTENT || status === NOT_MODIFIED) return LENGTH;
    if (head.chunked) {
      this.#chunks.reset(this.#options.passTrailers);
      return CHUNKS;
    }
    if (contentLength < 0) return UNTIL_CLOSE;
    this.#length = contentLength;
    return LENGTH;
  }

  /** A reply without a head: all of it is body, what has been taken for a status line too. */
  #beginHttp09(upstream: ReplyTarget, bytes: Buffer, next: number, end: number): void {
    const { begun } = this.#head;
    this.#state = UNTIL_CLOSE;
    this.behindHead = begun.length + end - next;
    upstream.log(ERROR, 'upstream sent no valid HTTP/1.0 header');
    upstream.request.version = 9;
    const head = new ReplyHead();
    head.status = 200;
    head.connectionClose = true;
    upstream.head = head;
    if (!upstream.onReplyHead()) return;
    if (upstream.onReplyBody(Buffer.from(begun, 'latin1'))) this.feed(bytes, next, end);
  }

  #feedLength(upstream: ReplyTarget, bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length < this.#length) {
      this.#length -= length;
      upstream.onReplyBody(bytes.subarray(start, end));
      return;
    }
    const last = start + this.#length;
    if (upstream.onReplyBody(bytes.subarray(start, last))) this.#endLength(upstream, last < end);
  }

  #endLength(upstream: ReplyTarget, surplus: boolean): void {
    if (surplus) {
      upstream.log(WARN, SURPLUS);
    }
    this.#finish(upstream, this.#keep && !surplus);
  }

  #feedChunks(upstream: ReplyTarget, bytes: Buffer, start: number, end: number): void {
    const chunks = this.#chunks;
    chunks.position = start;
    let found = chunks.next(bytes, end);
    for (; found === CHUNK_DATA; found = chunks.next(bytes, end)) {
      if (!upstream.onReplyBody(bytes.subarray(chunks.from, chunks.to))) return;
    }
    if (found === CHUNKS_END) this.#endChunks(upstream, bytes, chunks.position, end);
    else if (found === CHUNKS_INVALID) this.#invalid(upstream, 'upstream sent invalid chunked response');
  }

  #endChunks(upstream: ReplyTarget, bytes: Buffer, next: number, end: number): void {
    if (this.#options.passTrailers) {
      this.#trailers = new TrailerReader();
      this.#state = TRAILERS;
      this.feed(bytes, next, end);
      return;
    }
    if (next < end) upstream.log(WARN, 'upstream sent data after final chunk');
    this.#finish(upstream, this.#keep && next >= end);
  }

  #feedTrailers(upstream: ReplyTarget, bytes: Buffer, start: number, end: number): void {
    const trailers = this.#trailers;
    if (!trailers) return;
    const found = trailers.read(bytes, start, end, this.#options.bufferSize);
    if (found === TRAILERS_INVALID) {
      this.#invalid(upstream, trailers.reason);
    } else if (found === TRAILERS_DONE) {
      upstream.trailers = trailers.lines;
      const surplus = trailers.next < end;
      if (surplus) upstream.log(WARN, 'upstream sent data after trailers');
      this.#finish(upstream, this.#keep && !surplus);
    }
  }

  #invalid(upstream: ReplyTarget, message: string): void {
    this.#state = OVER;
    upstream.onReplyInvalid(message);
  }

  #finish(upstream: ReplyTarget, keep: boolean): void {
    this.#state = OVER;
    upstream.onReplyEnd(keep);
  }
}
