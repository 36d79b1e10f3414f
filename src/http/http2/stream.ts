/** One stream of HTTP/2 (RFC 9113 section 5): what a request needs of its connection. */
import { INFO } from '../../log/levels.ts';
import { Timer, type TimerOwner } from '../../net/timers.ts';
import { endOutput, endRequest, finalize, terminate } from '../finalize.ts';
import { type Data, LAST, OWNED } from '../output.ts';
import { runPhases } from '../phases.ts';
import type { BodyReader } from '../read-body.ts';
import type { Request, Stream, Tunnel } from '../request.ts';
import { CLIENT_TIMED_OUT, logRequest, sendingAction } from '../request-log.ts';
import { ERROR } from '../verdict.ts';
import { INTERNAL_ERROR, NO_ERROR, PROTOCOL_ERROR } from './frames.ts';
import { endGone, logReset } from './gone.ts';
import type { Session } from './session.ts';
import { COMPLETE, FAILED, StreamBody } from './stream-body.ts';
import { StreamFacts } from './stream-facts.ts';
import { StreamOutput } from './stream-output.ts';

export class Http2Stream extends StreamFacts implements Stream, TimerOwner {
  request!: Request;
  throttled = false;
  readonly output: StreamOutput;
  /** Made when a body is expected. */
  body: StreamBody | undefined = undefined;
  /** The client has ended its side. */
  inClosed: boolean;
  /** Nothing can be sent any more: reset, or the connection is gone. */
  broken = false;
  /** Its block is being read still. */
  inHead = true;
  /** RST_STREAM has been sent, or come. */
  #reset = false;
  #timedOut = false;
  /** The reply has been given whole, and waits to be taken. */
  #finishing = false;
  #over = false;
  #readTimer: Timer | undefined = undefined;
  #sendTimer: Timer | undefined = undefined;

  constructor(
    readonly session: Session,
    readonly id: number,
    inClosed: boolean,
  ) {
    super(session.client, session.requests);
    this.inClosed = inClosed;
    this.output = new StreamOutput(session.send, id, session.send.streamWindow);
  }

  runPhases(request: Request): void {
    runPhases(request);
  }

  // ---- the reply

  get sent(): number {
    return this.output.sent;
  }
  get headLength(): number {
    return this.output.headLength;
  }
  get congested(): boolean {
    return this.throttled || this.output.holds || this.session.send.blocked;
  }

  writeHead(request: Request): void {
    if (this.broken) return;
    this.output.head(request);
    this.session.written();
  }

  writeInterim(_request: Request, status: string, lines: readonly string[]): void {
    const code = Number(status.slice(0, 3));
    // Nobody waits for leave to send a body: windows say what may be sent.
    if (this.broken || code === 100 || lines.length === 0) return;
    this.output.interim(code, lines);
    this.session.written();
  }

  writeText(request: Request, text: string): void {
    this.write(request, Buffer.from(text, 'latin1'), LAST | OWNED);
  }

  write(request: Request, bytes: Data, flags: number): void {
    if (this.broken) return;
    const { output } = this;
    const last = (flags & LAST) !== 0;
    output.write(request, bytes, last, (flags & OWNED) !== 0);
    this.session.written();
    if (output.holds || this.session.send.blocked) this.#wait();
    if (last) endOutput(request);
  }

  /** The client has send_timeout to make room. */
  #wait(): void {
    const { waiting } = this.session;
    waiting.delete(this);
    waiting.add(this);
    this.#sendTimer ??= new Timer(this);
    this.#sendTimer.start(this.request.location.core.send_timeout);
  }

  /** There is room again, in this stream's window or on the connection. */
  resumeOutput(): void {
    const { request, output, session } = this;
    if (this.#over || request.finished) return;
    const before = output.sent;
    const free = output.resume(request) && !session.send.blocked;
    if (output.sent !== before) session.written();
    if (!free) {
      if (output.sent !== before) this.#wait();
      return;
    }
    session.waiting.delete(this);
    this.#sendTimer?.stop();
    if (this.#finishing) this.#finished();
    else if (!this.throttled) request.resumeOutput();
  }

  finish(_request: Request): void {
    if (this.broken) {
      this.#end();
      return;
    }
    const { connection } = this.session;
    if (this.output.holds || (connection.blocked && connection.queued > 0)) {
      this.#finishing = true;
      this.#wait();
      return;
    }
    this.#finished();
  }

  /** The reply has been taken. A body that nobody wants is not waited for. */
  #finished(): void {
    const reader = this.body?.reader;
    if (reader && !reader.complete && !reader.discarding) reader.discard();
    this.#close(this.output.closed ? (this.inClosed ? undefined : NO_ERROR) : INTERNAL_ERROR);
  }

  abort(request: Request): void {
    const { output } = this;
    output.drop();
    // As nginx has it, a client that is not answered (444) is told the same as one that was too slow.
    const late = this.#timedOut || request.out.status === 444;
    const code = output.closed ? NO_ERROR : late ? PROTOCOL_ERROR : INTERNAL_ERROR;
    this.#close(output.closed && this.inClosed ? undefined : code);
  }

  /** The end: `code` for RST_STREAM where one side is still open. */
  #close(code: number | undefined): void {
    if (code !== undefined && !this.#reset && !this.broken) {
      this.#reset = true;
      this.session.sendReset(this.id, code);
    }
    this.broken = true;
    this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.broken = true;
    this.#readTimer?.remove();
    this.#sendTimer?.remove();
    const { counters } = this;
    if (this.inHead) counters.reading(-1);
    else counters.writing(-1);
    endRequest(this.request);
    this.session.remove(this);
  }

  // ---- the request

  /** The head is complete and runs, or is refused. */
  headRead(): void {
    this.inHead = false;
    this.#readTimer?.stop();
    this.counters.reading(-1);
    this.counters.writing(1);
    const { headers } = this.request;
    if (!this.inClosed && (headers.contentLength > 0 || headers.chunked))
      this.body = new StreamBody(this.request, this.session.preread);
  }

  /** Part of its head has come: the rest may take client_header_timeout. */
  awaitHead(): void {
    this.#readTimer ??= new Timer(this);
    if (!this.#readTimer.running)
      this.#readTimer.start(this.request.server.location.core.client_header_timeout);
  }

  /** Bytes of the body, of a DATA frame that has been found right. */
  data(bytes: Buffer, start: number, end: number, last: boolean): void {
    if (last) this.inClosed = true;
    const { body, request } = this;
    if (!body || this.broken) return;
    this.session.guard.payload += end - start;
    this.#look(body, body.take(bytes, start, end, last));
    this.session.goOnLater(this);
    if (!request.finished && body.reader && !body.ended && !body.paused && !body.reader.discarding)
      this.#awaitBody();
  }

  #awaitBody(): void {
    this.#readTimer ??= new Timer(this);
    this.#readTimer.start(this.request.location.core.client_body_timeout);
  }

  readBody(reader: BodyReader): void {
    const { body, request } = this;
    if (!body) {
      // A body of no bytes.
      reader.end();
      reader.finish();
      return;
    }
    const { client_body_buffer_size: buffer } = request.location.core;
    const { contentLength } = request.headers;
    const most = contentLength < 0 || contentLength > buffer ? buffer : contentLength + 1;
    const found = body.begin(reader);
    if (found === FAILED) reader.failure = body.failure;
    this.#look(body, found);
    if (request.finished || body.ended || reader.discarding) return;
    const more = body.open(most);
    if (more > 0) this.session.sendWindow(this.id, more);
    this.session.goOnLater(this);
    this.#awaitBody();
  }

  #look(body: StreamBody, found: number): void {
    const { reader } = body;
    if (found === FAILED) this.#failBody(body.failure);
    else if (found === COMPLETE && reader) {
      this.#readTimer?.stop();
      this.body = undefined;
      reader.finish();
    }
  }

  /** The body is refused: the exchange with an upstream ends, if one has begun. */
  #failBody(status: number): void {
    const { request } = this;
    const { producer } = request;
    this.body = undefined;
    this.#readTimer?.stop();
    if (producer) {
      request.producer = undefined;
      producer.abortOutput(request);
    }
    if (!request.finished) finalize(request, status);
  }

  pauseBody(): void {
    if (!this.body) return;
    this.body.paused = true;
    this.#readTimer?.stop();
  }

  resumeBody(): void {
    const { body } = this;
    if (!body?.paused) return;
    this.#look(body, body.resume());
    if (this.body === body && !this.request.finished && !body.paused) {
      this.session.goOnLater(this);
      this.#awaitBody();
    }
  }

  /** A read is over: a streamed body is passed on, and the client may send more where there is room. */
  goOn(): void {
    const { body } = this;
    if (body) this.#look(body, body.deliver());
    const more = this.body?.grant(this.session.arriving(this)) ?? 0;
    if (more > 0 && !this.broken) this.session.sendWindow(this.id, more);
  }

  // ---- what happens to the stream

  /** RST_STREAM of the client's. */
  onReset(code: number): void {
    this.inClosed = true;
    this.#reset = true;
    logReset(this.request, this.body, this.id, code);
    this.onClose();
  }

  /** The connection refuses to go on with it. */
  refuse(code: number): void {
    if (this.#reset) return;
    this.#reset = true;
    this.session.sendReset(this.id, code);
    this.onClose();
  }

  /** Nobody waits for the reply any more: the stream is reset, or the connection is gone. */
  onClose(): void {
    const { body } = this;
    this.broken = true;
    this.output.drop();
    this.body = undefined;
    if (!this.#over) endGone(this.request, body, this.inHead);
  }

  onTimer(timer: Timer): void {
    const { request, body } = this;
    this.#timedOut = true;
    if (request.location.core.reset_timedout_connection) this.session.resetAtEnd();
    if (timer === this.#sendTimer) {
      logRequest(request, INFO, CLIENT_TIMED_OUT + sendingAction(request));
      terminate(request, 408);
    } else if (this.inHead) {
      logRequest(request, INFO, `${CLIENT_TIMED_OUT} while reading client request headers`);
      terminate(request, 408);
    } else if (body) {
      this.body = undefined;
      if (body.reader?.streamed !== true) logRequest(request, INFO, CLIENT_TIMED_OUT);
      terminate(request, 408);
    }
    this.session.written();
  }

  upgrade(request: Request, _tunnel: Tunnel): void {
    terminate(request, ERROR);
  }

  tunnelWrite(): boolean {
    return true;
  }
}
