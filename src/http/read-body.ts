/**
 * Reading a request's body: whole (into memory, beyond client_body_buffer_size into a temporary file),
 * streamed to a consumer, or thrown away. The connection feeds the reader with what comes.
 */

import { CRIT, ERROR as ERROR_LEVEL, INFO, NOTICE, WARN } from '../log/levels.ts';
import { CHUNK_DATA, CHUNKS_END, CHUNKS_INVALID, ChunkedDecoder } from '../net/chunked.ts';
import { errorText } from '../platform/errno.ts';
import type { BodyConsumer, RequestBody } from './body.ts';
import { NOTHING } from './output.ts';
import type { Request } from './request.ts';
import { logRequest } from './request-log.ts';
import { TempFile } from './temp-file.ts';

const BUFFER = 0;
const STREAM = 1;
const DISCARD = 2;
/** What has come is kept in memory, until it is known whether that is all. */
const PREREAD = 3;
/** All of it goes to a file with a name, for whoever moves the file elsewhere. */
const TO_FILE = 4;
/** The mode of such a file: the group may read it, as it may that of any upload. */
const UPLOAD_MODE = 0o660;

/** A call for so few bytes costs more than moving them one by one. */
const SMALL_CHUNK = 32;

/** What `feed` met that ends the request. */
export const FINE = 0;

export class BodyReader implements RequestBody {
  length = 0;
  complete = false;
  readonly pieces: Uint8Array[] = [];
  file: TempFile | undefined = undefined;
  /** The status that what came asks for (400, 413, 500); 0 while all is well. */
  failure = FINE;
  #inMemory = 0;
  #mode: number;
  readonly #decoder: ChunkedDecoder | undefined;
  #then: ((request: Request) => void) | undefined = undefined;
  #consumer: BodyConsumer | undefined = undefined;

  constructor(
    readonly request: Request,
    mode: number,
    then: ((request: Request) => void) | undefined,
    consumer: BodyConsumer | undefined,
  ) {
    this.#mode = mode;
    this.#then = then;
    this.#consumer = consumer;
    this.#decoder = request.headers.chunked && request.version < 2000 ? new ChunkedDecoder() : undefined;
  }

  /** It is thrown away: nothing waits for it. */
  get discarding(): boolean {
    return this.#mode === DISCARD;
  }

  /** It goes on to whoever takes it, who has begun with that. */
  get streamed(): boolean {
    return this.#mode === STREAM;
  }

  /** It goes on as it comes: who takes it may hold the client back. */
  get streams(): boolean {
    return this.#mode === STREAM || this.#mode === PREREAD;
  }

  /** What has been kept is let go, and the rest is thrown away. */
  discard(): void {
    this.#mode = DISCARD;
    this.#then = undefined;
    this.#consumer = undefined;
  }

  /** What has been read goes to `consumer`, and all that comes after. False: it has been read whole, or in other ways. */
  streamTo(consumer: BodyConsumer): boolean {
    if (this.#mode !== PREREAD || this.complete) return false;
    this.#mode = STREAM;
    this.#consumer = consumer;
    const read = this.pieces.splice(0);
    if (read.length > 0) consumer.bodyPiece(this.request, joined(read));
    return true;
  }

  /** Takes bytes from `start`; answers where the body ends in them, or `end`. Looks at `complete` and `failure` after. */
  feed(bytes: Buffer, start: number, end: number): number {
    const decoder = this.#decoder;
    if (!decoder) {
      const take = Math.min(end - start, this.request.headers.contentLength - this.length);
      this.take(bytes.subarray(start, start + take));
      if (this.length >= this.request.headers.contentLength) this.end();
      return start + take;
    }
    decoder.position = start;
    // The chunks of a read go on as one piece: the framing between them is squeezed out where they stand.
    let from = start;
    let to = start;
    let found = decoder.next(bytes, end);
    for (; found === CHUNK_DATA && this.#allows(decoder, to - from); found = decoder.next(bytes, end)) {
      const size = decoder.to - decoder.from;
      if (to === from) from = to = decoder.from;
      else if (size > SMALL_CHUNK) bytes.copyWithin(to, decoder.from, decoder.to);
      else for (let i = 0; i < size; i++) bytes[to + i] = bytes[decoder.from + i] ?? 0;
      to += size;
    }
    if (to > from) this.#pass(bytes.subarray(from, to));
    if (found === CHUNKS_INVALID && this.failure === FINE) {
      logRequest(this.request, ERROR_LEVEL, 'client sent invalid chunked body');
      this.failure = 400;
    }
    if (found === CHUNKS_END) this.end();
    return decoder.position;
  }

  /** The present chunk may still come, behind `before` bytes of the same read; else `failure` says so. */
  #allows(decoder: ChunkedDecoder, before: number): boolean {
    // As in nginx: nobody is told the length of chunks that are thrown away.
    if (this.#mode === DISCARD) return true;
    const limit = this.request.location.core.client_max_body_size;
    const received = this.length + before;
    const announced = decoder.to - decoder.from + decoder.remaining;
    if (limit === 0 || received + announced <= limit) return true;
    const lengths = `${received}+${announced} bytes`;
    logRequest(this.request, ERROR_LEVEL, `client intended to send too large chunked body: ${lengths}`);
    this.failure = 413;
    return false;
  }

  /** Takes a piece without framing, which is what a transport gives that frames bodies itself; looks at `failure` after. */
  take(bytes: Uint8Array): void {
    if (this.failure === FINE && bytes.length > 0) this.#pass(bytes);
  }

  #pass(bytes: Uint8Array): void {
    if (this.#mode === DISCARD && this.#decoder) return;
    this.length += bytes.length;
    if (this.#mode === BUFFER) this.#keep(bytes);
    else if (this.#mode === TO_FILE) this.#toFile(bytes);
    else if (this.#mode === PREREAD) this.pieces.push(Buffer.from(bytes));
    else this.#consumer?.bodyPiece(this.request, bytes);
  }

  /** As nginx: over HTTP/1 a body of known length may be up to a quarter longer than the buffer. */
  #room(size: number): number {
    return this.#decoder || this.request.version >= 2000 ? size : size + (size >> 2) - 1;
  }

  #keep(bytes: Uint8Array): void {
    const { core } = this.request.location;
    const size = core.client_body_buffer_size;
    if (this.file) {
      this.#append(this.file, bytes, size);
      return;
    }
    const always = core.client_body_in_file_only !== 'off';
    if (this.#inMemory + bytes.length <= this.#room(size) && !always) {
      this.#hold(bytes);
      return;
    }
    const file = this.#open(always, undefined);
    if (!file) return;
    const message = `a client request body is buffered to a temporary file ${file.path}`;
    logRequest(this.request, always ? NOTICE : WARN, message);
    this.#append(file, bytes, size);
  }

  #toFile(bytes: Uint8Array): void {
    const file = this.file ?? this.#open(true, UPLOAD_MODE);
    if (file) this.#append(file, bytes, this.request.location.core.client_body_buffer_size);
  }

  #hold(bytes: Uint8Array): void {
    this.#inMemory += bytes.length;
    this.pieces.push(Buffer.from(bytes));
  }

  /** The body's file; undefined when there can't be one, and `failure` says so. */
  #open(kept: boolean, mode: number | undefined): TempFile | undefined {
    try {
      this.file = new TempFile(this.request.location.core.bodyTempPath, kept, mode);
    } catch (error) {
      this.#failFile(error);
    }
    return this.file;
  }

  /** Pieces go to the file in writes of up to `size` bytes, however small they come. */
  #append(file: TempFile, bytes: Uint8Array, size: number): void {
    if (this.#inMemory + bytes.length <= size) this.#hold(bytes);
    else if (this.#spill(file)) this.#write(file, bytes);
  }

  /** What waits in memory goes to the file. */
  #spill(file: TempFile): boolean {
    const pieces = this.pieces.splice(0);
    this.#inMemory = 0;
    return pieces.length === 0 || this.#write(file, joined(pieces));
  }

  #write(file: TempFile, bytes: Uint8Array): boolean {
    try {
      file.append(bytes);
      return true;
    } catch (error) {
      this.#failFile(error);
      return false;
    }
  }

  #failFile(error: unknown): void {
    logRequest(this.request, CRIT, `writing a client request body failed (${errorText(error)})`);
    this.failure = 500;
  }

  /** All of it has been taken. */
  end(): void {
    this.complete = true;
    if (this.failure !== FINE) return;
    // A body of no bytes is a file too.
    if (this.#mode === TO_FILE) this.#toFile(NOTHING);
    else if (this.#mode === BUFFER && this.request.location.core.client_body_in_file_only !== 'off')
      this.#keep(NOTHING);
    if (this.file && this.#mode !== DISCARD) this.#spill(this.file);
  }

  /** The body is there: tells who waits for it. */
  finish(): void {
    const then = this.#then;
    this.#then = undefined;
    const consumer = this.#consumer;
    this.#consumer = undefined;
    if (then) then(this.request);
    else consumer?.bodyEnd(this.request);
  }

  release(): void {
    const { file } = this;
    if (!file) return;
    this.file = undefined;
    if (this.#mode === TO_FILE || this.request.location.core.client_body_in_file_only === 'clean')
      file.remove();
    file.close();
  }
}

const joined = (pieces: readonly Uint8Array[]): Uint8Array =>
  pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces);

const expected = (request: Request): boolean => request.headers.contentLength > 0 || request.headers.chunked;

/** Sends `100 Continue` where the client waits for it, once. */
export const askForBody = (request: Request): void => {
  if (!request.headers.expectContinue || request.expectTested || request.version < 1001) return;
  request.expectTested = true;
  request.stream.writeInterim(request, '100 Continue', []);
};

/** Reads the whole body, then calls `then`: at once when there is none or all of it has come. */
export const readBody = (request: Request, then: (request: Request) => void): void => {
  askForBody(request);
  if (request.body !== undefined || request !== request.main) {
    then(request);
    return;
  }
  if (!expected(request)) {
    if (request.headers.contentLength === 0) keepEmpty(request);
    then(request);
    return;
  }
  const reader = new BodyReader(request, BUFFER, then, undefined);
  request.body = reader;
  request.stream.readBody(reader);
};

/** A body of no bytes is a file too, where bodies are kept in files. */
const keepEmpty = (request: Request): void => {
  if (request.location.core.client_body_in_file_only === 'off') return;
  const reader = new BodyReader(request, BUFFER, undefined, undefined);
  request.body = reader;
  reader.end();
};

/**
 * Reads the whole body into a file with a name (`request.body.file`), which is removed with the request unless it has
 * been moved; then calls `then`. Without Content-Length and chunks there is no body, and no file. Answers FINE, or the
 * status of a failure.
 */
export const readBodyToFile = (request: Request, then: (request: Request) => void): number => {
  askForBody(request);
  const { contentLength, chunked } = request.headers;
  if (request.body !== undefined || (contentLength < 0 && !chunked) || request !== request.main) {
    then(request);
    return FINE;
  }
  const reader = new BodyReader(request, TO_FILE, then, undefined);
  request.body = reader;
  if (chunked || contentLength > 0) {
    request.stream.readBody(reader);
    return FINE;
  }
  reader.feed(Buffer.alloc(0), 0, 0);
  if (reader.failure === FINE) reader.finish();
  return reader.failure;
};

/**
 * Takes what has come of the body already, into memory. True: that is all of it (or there is none); else the
 * client is held back until `streamBody` goes on. A body that is refused ends the request.
 */
export const prereadBody = (request: Request): boolean => {
  askForBody(request);
  if (request.body !== undefined || !expected(request) || request !== request.main) return true;
  const reader = new BodyReader(request, PREREAD, undefined, undefined);
  request.body = reader;
  request.stream.readBody(reader);
  if (!reader.complete && reader.failure === FINE) request.stream.pauseBody();
  return reader.complete;
};

/** Gives the body to `consumer` as it comes. */
export const streamBody = (request: Request, consumer: BodyConsumer): void => {
  if (request.body instanceof BodyReader && request.body.streamTo(consumer)) {
    request.stream.resumeBody();
    return;
  }
  if (request.body !== undefined || !expected(request) || request !== request.main) {
    consumer.bodyEnd(request);
    return;
  }
  askForBody(request);
  const reader = new BodyReader(request, STREAM, undefined, consumer);
  request.body = reader;
  request.stream.readBody(reader);
};

/** Throws the body away as it comes, unless it is being read. */
export const discardBody = (request: Request): void => {
  if (request !== request.main || request.body !== undefined) return;
  askForBody(request);
  if (!expected(request)) return;
  const reader = new BodyReader(request, DISCARD, undefined, undefined);
  request.body = reader;
  request.stream.readBody(reader);
};

/** For the log, when a client goes away in the middle of a request; `action` begins with ` while`. */
export const logPrematureClose = (request: Request, action = ''): void =>
  logRequest(request, INFO, `client prematurely closed connection${action}`);
