/**
 * A reply of an HTTP/1 server: its head line by line, interim replies before it, and its body by length, in
 * chunks or until the server closes (RFC 9112 section 6.3). It says whether the connection may be kept.
 */
import type { Request } from '../../../http/request.ts';
import { ERROR, INFO, WARN } from '../../../log/levels.ts';
import type { Reply } from '../../contract.ts';
import type { ReplyHead } from '../../reply-head.ts';
import { CONNECTION } from '../../reply-name.ts';
import { CHUNK_DATA, CHUNKS_END, CHUNKS_INVALID, ChunkedDecoder } from './chunked.ts';
import { HeadLines, LAST_LINE, LINE, NO_LINE, UNFINISHED } from './head-lines.ts';
import { mayBeStatusLine, StatusLine } from './status-line.ts';

/** What a reply tells of itself; the engine's Upstream. */
export interface ReplyTarget {
  readonly head: ReplyHead;
  keep: boolean;
  addLine(name: string, value: string): boolean;
  onInterim(status: number, lines: readonly string[]): boolean;
  onReplyHead(): boolean;
  onReplyBody(bytes: Uint8Array): boolean;
  onReplyEnd(keep: boolean): void;
  onReplyInvalid(message: string): boolean;
  log(level: number, message: string): void;
}

/** What the location's configuration and the request say about how to read the reply. */
export interface ReplyOptions {
  /** `proxy_buffer_size`: the head, and each interim head, must fit. */
  readonly bufferSize: number;
  readonly passTrailers: boolean;
}

const STATUS_LINE = 0;
const HEADERS = 1;
const INTERIM_HEADERS = 2;
/** A body of known length. */
const LENGTH = 3;
const CHUNKS = 4;
const TRAILERS = 5;
/** All that comes, until the server closes: a body without length, HTTP/0.9, a tunnel. */
const UNTIL_CLOSE = 6;
const OVER = 7;

const SWITCHING_PROTOCOLS = 101;
const EARLY_HINTS = 103;
const TOO_MUCH = 'upstream sent more data than specified in "Content-Length" header';

export class HttpReply implements Reply {
  #upstream: ReplyTarget;
  #request: Request;
  #options: ReplyOptions;
  /** The request was HEAD: the reply has no body, whatever its head says. */
  #isHead: boolean;
  #state = STATUS_LINE;
  /** The beginning of an unfinished line, and how many bytes of the present head have come. */
  #rest = '';
  #headBytes = 0;
  #interimBytes = 0;
  readonly #status = new StatusLine();
  #interim: string[] | undefined = undefined;
  #keep = false;
  /** Bytes of the body that are still to come. */
  #length = 0;
  readonly #lines = new HeadLines();
  readonly #chunks = new ChunkedDecoder();

  constructor(upstream: ReplyTarget, request: Request, options: ReplyOptions, isHead: boolean) {
    this.#upstream = upstream;
    this.#request = request;
    this.#options = options;
    this.#isHead = isHead;
  }

  /** Makes it ready for another reply, as if it were new. */
  reset(upstream: ReplyTarget, request: Request, options: ReplyOptions, isHead: boolean): void {
    this.#upstream = upstream;
    this.#request = request;
    this.#options = options;
    this.#isHead = isHead;
    this.#state = STATUS_LINE;
    this.#rest = '';
    this.#headBytes = 0;
    this.#interimBytes = 0;
    this.#interim = undefined;
  }

  feed(bytes: Buffer, start: number, end: number): void {
    if (start >= end) return;
    switch (this.#state) {
      case LENGTH:
        this.#feedLength(bytes, start, end);
        break;
      case CHUNKS:
        this.#feedChunks(bytes, start, end);
        break;
      case TRAILERS:
        this.#feedTrailers(bytes, start, end);
        break;
      case UNTIL_CLOSE:
        this.#upstream.onReplyBody(bytes.subarray(start, end));
        break;
      case OVER:
        break;
      default:
        this.#feedHead(bytes, start, end);
    }
  }

  end(): void {
    if (this.#state === UNTIL_CLOSE) this.#finish(false);
  }

  #feedHead(bytes: Buffer, start: number, end: number): void {
    const before = this.#rest.length;
    const taken = Math.min(end - start, this.#options.bufferSize - this.#headBytes);
    const piece = bytes.latin1Slice(start, start + taken);
    const lines = this.#lines;
    lines.reset(before === 0 ? piece : this.#rest + piece);
    this.#headBytes += taken;
    this.#rest = '';
    let found = this.#state === STATUS_LINE ? this.#readStatus() : lines.next();
    if (found === NO_LINE && this.#state === STATUS_LINE) {
      this.#beginHttp09(bytes, start + taken, end);
      return;
    }
    if (found === LINE && this.#state === STATUS_LINE) {
      this.#beginLines();
      found = lines.next();
    }
    for (; found === LINE; found = lines.next()) {
      if (!this.#takeLine(lines.name, lines.value)) return;
    }
    if (found === LAST_LINE) this.#endLines(bytes, start + lines.position - before, end);
    else if (found === NO_LINE) this.#invalid(`upstream sent invalid header: "${lines.wrong}"`);
    else this.#stopHead();
  }

  /** The rest of an unfinished head waits for the next piece, unless it has grown too large. */
  #stopHead(): void {
    if (this.#headBytes >= this.#options.bufferSize) {
      this.#invalid('upstream sent too big header');
      return;
    }
    const { text, position } = this.#lines;
    this.#rest = position === 0 ? text : text.slice(position);
  }

  /** LINE, UNFINISHED, or NO_LINE for what is no status line. */
  #readStatus(): number {
    const { text } = this.#lines;
    const lf = text.indexOf('\n');
    if (lf < 0) return mayBeStatusLine(text) ? UNFINISHED : NO_LINE;
    this.#lines.position = lf + 1;
    return this.#status.read(text, lf) ? LINE : NO_LINE;
  }

  #beginLines(): void {
    const { code, text } = this.#status;
    if (code >= 100 && code < 200 && code !== SWITCHING_PROTOCOLS) {
      this.#state = INTERIM_HEADERS;
      this.#interim = [];
      return;
    }
    const { head } = this.#upstream;
    head.status = code;
    head.statusLine = text;
    this.#state = HEADERS;
  }

  #takeLine(name: string, value: string): boolean {
    if (this.#state === HEADERS) return this.#upstream.addLine(name, value);
    this.#interim?.push(name, value);
    return true;
  }

  #endLines(bytes: Buffer, next: number, end: number): void {
    if (this.#state === HEADERS) this.#endHead(bytes, next, end);
    else if (this.#endInterim()) this.feed(bytes, next, end);
  }

  /** Of interim replies only early hints are passed on, and only as many as fit. */
  #endInterim(): boolean {
    const lines = this.#interim ?? [];
    const { code, version } = this.#status;
    this.#state = STATUS_LINE;
    this.#interim = undefined;
    this.#interimBytes += this.#headBytes - (this.#lines.text.length - this.#lines.position);
    this.#headBytes = 0;
    if (code !== EARLY_HINTS) return true;
    if (version < 1001) return this.#invalid('upstream sent HTTP/1.0 response with early hints');
    if (this.#interimBytes <= this.#options.bufferSize) return this.#upstream.onInterim(code, lines);
    this.#upstream.log(INFO, 'upstream sent too big early hints');
    return true;
  }

  #endHead(bytes: Buffer, next: number, end: number): void {
    const upstream = this.#upstream;
    const { head } = upstream;
    const { status } = head;
    if (this.#status.version < 1001 && !saysKeepAlive(head)) head.connectionClose = true;
    this.#keep = !head.connectionClose;
    if (head.chunked) head.contentLength = -1;
    if (status === SWITCHING_PROTOCOLS) {
      this.#keep = false;
      head.upgrade = this.#request.headers.get('upgrade') !== undefined;
      this.#state = UNTIL_CLOSE;
    } else if (
      this.#isHead ||
      status === 204 ||
      status === 304 ||
      (head.contentLength === 0 && !head.chunked)
    ) {
      this.#length = 0;
      this.#state = LENGTH;
      upstream.keep = this.#keep && next >= end;
    } else if (head.chunked) {
      this.#chunks.reset(this.#options.passTrailers);
      this.#state = CHUNKS;
    } else if (head.contentLength > 0) {
      this.#length = head.contentLength;
      this.#state = LENGTH;
    } else {
      this.#state = UNTIL_CLOSE;
    }
    if (!upstream.onReplyHead()) return;
    if (this.#state === LENGTH && this.#length === 0) this.#endLength(next < end);
    else this.feed(bytes, next, end);
  }

  /** A reply without a head: all of it is body, what has been taken for a status line too. */
  #beginHttp09(bytes: Buffer, next: number, end: number): void {
    const upstream = this.#upstream;
    const begun = this.#lines.text;
    this.#state = UNTIL_CLOSE;
    upstream.log(ERROR, 'upstream sent no valid HTTP/1.0 header');
    this.#request.version = 9;
    upstream.head.status = 200;
    upstream.head.connectionClose = true;
    if (!upstream.onReplyHead()) return;
    if (!upstream.onReplyBody(Buffer.from(begun, 'latin1'))) return;
    this.feed(bytes, next, end);
  }

  #feedLength(bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length < this.#length) {
      this.#length -= length;
      this.#upstream.onReplyBody(bytes.subarray(start, end));
      return;
    }
    const last = start + this.#length;
    if (this.#upstream.onReplyBody(bytes.subarray(start, last))) this.#endLength(last < end);
  }

  #endLength(surplus: boolean): void {
    if (surplus) this.#upstream.log(WARN, TOO_MUCH);
    this.#finish(this.#keep && !surplus);
  }

  #feedChunks(bytes: Buffer, start: number, end: number): void {
    const upstream = this.#upstream;
    const chunks = this.#chunks;
    chunks.position = start;
    for (;;) {
      const found = chunks.next(bytes, end);
      if (found === CHUNK_DATA) {
        if (!upstream.onReplyBody(bytes.subarray(chunks.from, chunks.to))) return;
      } else if (found === CHUNKS_END) {
        this.#endChunks(bytes, chunks.position, end);
        return;
      } else {
        if (found === CHUNKS_INVALID) this.#invalid('upstream sent invalid chunked response');
        return;
      }
    }
  }

  #endChunks(bytes: Buffer, next: number, end: number): void {
    if (this.#options.passTrailers) {
      this.#state = TRAILERS;
      this.#rest = '';
      this.#headBytes = 0;
      this.feed(bytes, next, end);
      return;
    }
    if (next < end) this.#upstream.log(WARN, 'upstream sent data after final chunk');
    this.#finish(this.#keep && next >= end);
  }

  #feedTrailers(bytes: Buffer, start: number, end: number): void {
    const upstream = this.#upstream;
    const lines = this.#lines;
    const before = this.#rest.length;
    const taken = Math.min(end - start, this.#options.bufferSize - this.#headBytes);
    lines.reset(this.#rest + bytes.latin1Slice(start, start + taken));
    this.#headBytes += taken;
    let found = lines.next();
    for (; found === LINE; found = lines.next()) {
      upstream.head.trailers ??= [];
      upstream.head.trailers.push(lines.name, lines.value);
    }
    if (found === NO_LINE) {
      this.#invalid(`upstream sent invalid trailer: "${lines.wrong}"`);
    } else if (found === LAST_LINE) {
      const surplus = start + lines.position - before < end;
      if (surplus) upstream.log(WARN, 'upstream sent data after trailers');
      this.#finish(this.#keep && !surplus);
    } else if (this.#headBytes >= this.#options.bufferSize) {
      this.#invalid('upstream sent too big trailers');
    } else {
      this.#rest = lines.text.slice(lines.position);
    }
  }

  #invalid(message: string): false {
    this.#state = OVER;
    this.#upstream.onReplyInvalid(message);
    return false;
  }

  #finish(keep: boolean): void {
    this.#state = OVER;
    this.#upstream.onReplyEnd(keep);
  }
}

/** An HTTP/1.0 server keeps the connection only when it says so. */
const saysKeepAlive = (head: ReplyHead): boolean => {
  const { names, values } = head;
  for (let i = 0; i < names.length; i++) {
    if (names[i]?.kind === CONNECTION && /keep-alive/i.test(values[i] ?? '')) return true;
  }
  return false;
};
