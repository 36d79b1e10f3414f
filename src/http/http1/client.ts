/**
 * A client's HTTP/1 connection: heads read, one request at a time answered in order, then kept, lingered on
 * or closed, as nginx does it (RFC 9112 section 9).
 */

import type { ErrorLog } from '../../log/error-log.ts';
import { DEBUG, INFO } from '../../log/levels.ts';
import type { Connection, ConnectionHandler } from '../../net/connection.ts';
import { latin1 } from '../../net/latin1.ts';
import { monotonic, wallClock } from '../../net/timers.ts';
import { UNABLE } from '../../platform/send-file.ts';
import type { TlsConnection } from '../../tls/connection.ts';
import type { ClientCounters } from '../counters.ts';
import { endRequest, finalize, terminate } from '../finalize.ts';
import type { HeadersIn } from '../headers.ts';
import type { Server } from '../location.ts';
import { type Data, LAST, OWNED } from '../output.ts';
import { runPhases } from '../phases.ts';
import { type BodyReader, discardBody, logPrematureClose } from '../read-body.ts';
import { type Peer, type ProxyProtocol, Request, type Stream, type Tunnel } from '../request.ts';
import { logHead, logOf, logRequest } from '../request-log.ts';
import type { ServerNames } from '../server-names.ts';
import { ERROR } from '../verdict.ts';
import { refusedByTls } from '../verify-client.ts';
import { HeadIntake, type IntakeOwner, MORE, REFUSED } from './head-intake.ts';
import type { AddressConf, ClientHost } from './host.ts';
import { logTls, Opening, type OpeningClient } from './opening.ts';
import { ReplyWriter, type WriterOwner } from './reply-writer.ts';

/** What the connection is doing. */
const OPENING = 0;
const IDLE = 1;
const HEAD = 2;
const BUSY = 3;
const BODY_REST = 4;
const LINGER = 5;
const TUNNEL = 6;
const CLOSED = 7;

const TIMED_OUT = 'client timed out (110: Connection timed out)';

/** How long an idle connection stays open when the worker drains, ms. */
const DRAIN_GRACE = 500;
/** How much of pipelined requests is read ahead of the present one. */
const READ_AHEAD = 65536;

export class Client implements ConnectionHandler, Stream, IntakeOwner, WriterOwner, OpeningClient {
  connection!: Connection;
  number = 0;
  requests = 0;
  remoteAddress = '';
  remotePort = 0;
  localAddress = '';
  localPort = 0;
  unix = false;
  secure = false;
  /** There from the beginning of the handshake. */
  tls: TlsConnection | undefined = undefined;
  /** The name that the client asked for in the handshake, when a server has it; '' otherwise. */
  sniHost = '';
  started = 0;
  proxyProtocol: ProxyProtocol | undefined = undefined;
  peer: Peer | undefined = undefined;
  debugLog: ErrorLog | undefined = undefined;
  readonly counters: ClientCounters;
  /** The server for what names none: the address's default, or the one that TLS was asked for. */
  server: Server;
  readonly #intake = new HeadIntake(this);
  readonly #writer = new ReplyWriter(this);
  /** While it is not known yet that it speaks HTTP/1. */
  #opening: Opening | undefined = undefined;
  #state: number;
  #request: Request | undefined = undefined;
  /** Text of an incomplete head, or of the next requests. */
  #pending = '';
  /** The time for the head that is being read runs already. */
  #headTimed = false;
  /** A request is being answered in a loop that will look at what is pending. */
  #answering = false;
  /** What is read next came while a request was being answered. */
  #behind = false;
  #reader: BodyReader | undefined = undefined;
  /** Bytes of a body that nobody has asked for yet. */
  #held: Buffer | undefined = undefined;
  #bodyExpected = false;
  #finishing = false;
  #tunnel: Tunnel | undefined = undefined;
  #lingerUntil = 0;
  /** A limited rate holds the reply back. */
  throttled = false;

  constructor(
    readonly host: ClientHost,
    readonly address: AddressConf,
  ) {
    this.counters = host.counters;
    this.server = address.fallback;
    this.#state = Opening.wanted(address) ? OPENING : IDLE;
  }

  /** Begins to serve an accepted connection. */
  start(connection: Connection): void {
    this.connection = connection;
    this.number = connection.number;
    this.started = connection.started;
    const { address = '', port = 0 } = connection.socket.peerName();
    this.remoteAddress = address;
    this.remotePort = port;
    this.unix = address === '';
    const local = this.address.local ?? connection.socket.localName();
    this.localAddress = local.address ?? '';
    this.localPort = local.port ?? 0;
    this.debugLog = this.host.debugLog(this);
    this.counters.accept();
    this.counters.waiting(1);
    connection.timer.start(this.address.fallback.location.core.client_header_timeout);
    if (this.#state !== OPENING) return;
    this.#opening = new Opening(this);
    connection.handler = this.#opening;
  }

  begin(bytes: Buffer, length: number): void {
    this.#opening = undefined;
    this.connection.handler = this;
    this.#state = IDLE;
    if (length > 0) this.#readHead(bytes, length);
  }

  giveUp(): void {
    this.#close();
  }

  certificateRequest(server: Server): Request {
    return new Request(this, server, undefined, this.host.slots);
  }

  // ---- reading

  onRead(bytes: Buffer, length: number): void {
    switch (this.#state) {
      case BUSY:
      case BODY_REST:
        if (this.#reader) this.#feed(this.#reader, bytes, 0, length);
        else this.#keepAside(bytes, length);
        return;
      case IDLE:
      case HEAD:
        this.#readHead(bytes, length);
        return;
      case TUNNEL:
        this.#tunnel?.clientBytes(bytes.subarray(0, length));
        return;
      case LINGER:
        this.#lingerOn();
        return;
      default:
        return;
    }
  }

  /** What TLS has to say about the end of a connection that was open. */
  #logTlsFailure(state: number, { failure }: TlsConnection): void {
    if (!failure) return;
    const idle = this.requests > 0 ? 'keepalive' : 'waiting for request';
    logTls(this, failure.level, failure.text, state === HEAD ? 'reading client request headers' : idle);
  }

  /** Bytes that come while a request is being answered: its body unasked for, or the next requests. */
  #keepAside(bytes: Buffer, length: number): void {
    if (this.#bodyExpected) {
      const copy = Buffer.from(bytes.subarray(0, length));
      this.#held = this.#held ? Buffer.concat([this.#held, copy]) : copy;
      this.connection.pause();
      return;
    }
    this.#pending += latin1(bytes, 0, length);
    if (this.#pending.length >= READ_AHEAD) this.connection.pause();
  }

  #readHead(bytes: Buffer, length: number): void {
    if (this.#state === IDLE) {
      this.#state = HEAD;
      this.counters.waiting(-1);
      this.counters.reading(1);
    }
    const before = this.#pending.length;
    const text = before === 0 ? latin1(bytes, 0, length) : this.#pending + latin1(bytes, 0, length);
    this.#pending = '';
    this.#answering = true;
    this.#parse(text, bytes, before, length);
    this.#answering = false;
    if (this.#pending !== '' && this.#state === IDLE) this.#answerPending();
  }

  /** Answers the requests that have come already, one after the other until one waits. */
  #answerPending(): void {
    this.#answering = true;
    while (this.#pending !== '' && this.#state === IDLE) {
      const text = this.#pending;
      this.#pending = '';
      this.#behind = true;
      this.#state = HEAD;
      this.counters.waiting(-1);
      this.counters.reading(1);
      this.#parse(text, undefined, text.length, 0);
    }
    this.#behind = false;
    this.#answering = false;
  }

  /**
   * Reads the head in `text`, whose last `length` characters are the bytes at the start of `bytes`, from
   * character `before` on; `bytes` is only used for what stands behind the head.
   */
  #parse(text: string, bytes: Buffer | undefined, before: number, length: number): void {
    const intake = this.#intake;
    const found = intake.read(text);
    const { request } = intake;
    if (found === MORE) {
      this.#pending = intake.rest;
      if (request && !this.#headTimed) {
        this.#headTimed = true;
        this.connection.timer.start(request.location.core.client_header_timeout);
      }
      return;
    }
    if (!request) return;
    if (found === REFUSED) this.#refuse(request, intake.status, intake.reason);
    else this.#dispatch(request, text, intake.end, bytes, before, length);
  }

  get descriptor(): number {
    return this.connection.descriptor;
  }

  get names(): ServerNames {
    return this.address.names;
  }

  newRequest(headers: HeadersIn): Request {
    const request = new Request(this, this.server, undefined, this.host.slots, headers);
    request.startedAt = wallClock();
    request.started = monotonic();
    request.pipelined = this.#behind;
    this.#behind = false;
    this.requests++;
    this.#request = request;
    this.#writer.begin();
    this.throttled = false;
    this.#headTimed = false;
    this.counters.request();
    return request;
  }

  /** A head that is not a request: answered, and the connection is closed. */
  #refuse(request: Request, status: number, reason: string): void {
    if (request.method === '') request.method = 'GET';
    request.keepAlive = false;
    request.lingering = status === 494;
    this.#pending = '';
    this.#toBusy();
    logRequest(request, INFO, reason);
    finalize(request, status);
  }

  #toBusy(): void {
    this.#state = BUSY;
    this.counters.reading(-1);
    this.counters.writing(1);
  }

  /** The head is complete: what follows is the body or the next request. */
  #dispatch(
    request: Request,
    text: string,
    end: number,
    bytes: Buffer | undefined,
    before: number,
    length: number,
  ): void {
    this.#toBusy();
    this.connection.timer.stop();
    const { headers } = request;
    if (request.method !== 'CONNECT' && request.version >= 1000) {
      request.keepAlive = headers.connectionClose
        ? false
        : request.version > 1000 || headers.connectionKeepAlive;
    }
    if (this.host.draining) request.keepAlive = false;
    if (!request.keepAlive) this.connection.gather();
    const hasBody = headers.contentLength > 0 || headers.chunked;
    this.#bodyExpected = hasBody;
    request.lingering = hasBody;
    if (end < text.length) {
      if (hasBody) {
        const from = end - before;
        this.#held =
          bytes && from >= 0
            ? Buffer.from(bytes.subarray(from, length))
            : Buffer.from(text.slice(end), 'latin1');
      } else {
        this.#pending = text.slice(end);
      }
    }
    if (headers.contentLength === 0 && !headers.chunked) this.#bodyExpected = false;
    if (logOf(request).level >= DEBUG) logHead(request);
    if (this.address.tls && this.#refuseByTls(request)) return;
    runPhases(request);
  }

  /** Requests on a TLS port without TLS, or without the certificate that the server wants. */
  #refuseByTls(request: Request): boolean {
    if (!this.tls) {
      logRequest(
        request,
        INFO,
        'client sent plain HTTP request to HTTPS port while reading client request headers',
      );
      finalize(request, 497);
      return true;
    }
    return refusedByTls(request, this.tls, this.sniHost);
  }

  runPhases(request: Request): void {
    runPhases(request);
  }

  // ---- the request's body

  readBody(reader: BodyReader): void {
    this.#reader = reader;
    const held = this.#held;
    this.#held = undefined;
    if (held) this.#feed(reader, held, 0, held.length);
    if (this.#reader === reader && !this.connection.closed) {
      this.connection.resume();
      if (!reader.discarding) this.connection.timer.start(reader.request.location.core.client_body_timeout);
    }
  }

  #feed(reader: BodyReader, bytes: Buffer, start: number, end: number): void {
    const { request } = reader;
    const stop = reader.feed(bytes, start, end);
    if (!reader.discarding) request.requestLength += stop - start;
    if (reader.failure !== 0) {
      this.#reader = undefined;
      this.#bodyExpected = false;
      request.keepAlive = false;
      if (this.#state === BODY_REST) this.#close();
      else this.#failBody(request, reader.failure);
      return;
    }
    if (!reader.complete) {
      if (this.#state === BODY_REST) this.connection.timer.start(request.location.core.lingering_timeout);
      else if (!reader.discarding) this.connection.timer.start(request.location.core.client_body_timeout);
      return;
    }
    this.#reader = undefined;
    this.#bodyExpected = false;
    request.lingering = false;
    this.connection.timer.stop();
    if (stop < end) this.#pending += latin1(bytes, stop, end);
    if (this.#state === BODY_REST) this.#next(request);
    else reader.finish();
  }

  /** The body is refused: the exchange with an upstream ends, if one has begun. */
  #failBody(request: Request, status: number): void {
    const { producer } = request;
    if (producer) {
      request.producer = undefined;
      producer.abortOutput(request);
    }
    if (!request.finished) finalize(request, status);
  }

  pauseBody(): void {
    this.connection.pause();
  }

  resumeBody(): void {
    this.connection.resume();
  }

  // ---- the reply

  get sent(): number {
    return this.#writer.sent;
  }

  get headLength(): number {
    return this.#writer.headLength;
  }

  get congested(): boolean {
    return this.throttled || this.#writer.congested;
  }

  get broken(): boolean {
    return this.connection.closed || this.#state === CLOSED;
  }

  writeHead(request: Request): void {
    this.#writer.writeHead(request);
  }

  writeInterim(_request: Request, status: string, lines: readonly string[]): void {
    this.#writer.writeInterim(status, lines);
  }

  writeText(request: Request, text: string): void {
    if (request.headerOnly || request.chunkedOut || this.broken) {
      this.write(request, Buffer.from(text, 'latin1'), LAST | OWNED);
      return;
    }
    this.#writer.writeText(request, text);
    request.outputDone = true;
  }

  write(request: Request, bytes: Data, flags: number): void {
    if (this.broken) return;
    this.#writer.write(request, bytes, flags);
    if ((flags & LAST) === 0) return;
    request.outputDone = true;
    if (request.finalizing) {
      request.finalizing = false;
      finalize(request, 0);
    }
  }

  sendFile(request: Request, file: number, position: number, count: number): number {
    if (this.broken || request.chunkedOut || request.headerOnly) return UNABLE;
    return this.#writer.sendFile(request, file, position, count);
  }

  writeAndWait(request: Request, bytes: Data): void {
    if (!this.broken) this.#writer.writeAndWait(request, bytes);
  }

  sendingTimedOut(request: Request): void {
    const what = request.upstream ? 'sending to client' : 'sending response to client';
    logRequest(request, INFO, `${TIMED_OUT} while ${what}`);
    this.#timedOut(request);
  }

  #timedOut(request: Request): void {
    const { reset_timedout_connection: reset } = request.location.core;
    if (this.#finishing) this.#end(request);
    else terminate(request, 408);
    if (reset) this.connection.reset();
    else this.connection.destroy();
  }

  onDrain(): void {
    this.#writer.drained();
    const request = this.#request;
    if (this.#state === TUNNEL) {
      this.#tunnel?.clientDrained();
    } else if (this.#finishing && request) {
      this.#finishing = false;
      this.#finished(request);
    } else if (!this.throttled) {
      request?.resumeOutput();
    }
  }

  // ---- the end of a request

  finish(request: Request): void {
    this.#writer.flushHead();
    if (this.connection.blocked && this.connection.queued > 0 && !this.broken) {
      this.#finishing = true;
      this.#writer.watch(request);
      return;
    }
    this.#finished(request);
  }

  /** Everything of the reply has been taken by the system. */
  #finished(request: Request): void {
    const reader = this.#reader;
    if (reader && !reader.discarding) {
      request.keepAlive = false;
      reader.discard();
    }
    this.#end(request);
    if (this.broken || this.connection.ended) {
      this.#close();
    } else if (this.#bodyExpected && request.keepAlive) {
      this.#readRest(request);
    } else {
      this.#next(request);
    }
  }

  /** The rest of a body that nobody wanted is read before the next request. */
  #readRest(request: Request): void {
    this.#state = BODY_REST;
    const { core } = request.location;
    this.connection.timer.start(core.lingering_timeout);
    if (this.#reader) {
      this.connection.resume();
      return;
    }
    discardBody(request);
  }

  #end(request: Request): void {
    if (request.finished) return;
    this.counters.writing(-1);
    endRequest(request);
    if (this.peer) this.#actAsItself(this.peer);
  }

  actAs(address: string, port: number): void {
    this.peer ??= { remoteAddress: this.remoteAddress, remotePort: this.remotePort, unix: this.unix };
    this.remoteAddress = address;
    this.remotePort = port;
    this.unix = false;
  }

  #actAsItself(peer: Peer): void {
    this.peer = undefined;
    this.remoteAddress = peer.remoteAddress;
    this.remotePort = peer.remotePort;
    this.unix = peer.unix;
  }

  /** After a request and all of its body: the next one, an idle wait, or the end. */
  #next(request: Request): void {
    const { core } = request.location;
    const keep = request.keepAlive && !(this.host.draining && core.keepalive_min_timeout === 0);
    if (!keep) {
      const unread = this.#bodyExpected || this.#pending !== '' || this.connection.paused;
      if (
        core.lingering_close === 'always' ||
        (core.lingering_close === 'on' && (request.lingering || unread))
      ) {
        this.#linger(request);
      } else {
        this.#close();
      }
      return;
    }
    this.#request = undefined;
    this.#intake.reset();
    this.#reader = undefined;
    this.#held = undefined;
    this.counters.waiting(1);
    this.#state = IDLE;
    this.connection.timer.start(core.keepalive);
    // Within #answerPending the next one waits for its turn there: no request runs inside another's end.
    if (this.#pending !== '' && !this.#answering) this.#answerPending();
    if (this.connection.paused) this.connection.resume();
  }

  /** Our side is shut; the client's bytes are thrown away for a while, so that it can read the reply. */
  #linger(request: Request): void {
    const { core } = request.location;
    this.#state = LINGER;
    this.#pending = '';
    this.#held = undefined;
    this.#lingerUntil = monotonic() + core.lingering_time;
    this.connection.end();
    this.connection.resume();
    this.connection.timer.start(Math.min(core.lingering_timeout, core.lingering_time));
  }

  /** More bytes to throw away: another lingering_timeout, but no longer than lingering_time in all. */
  #lingerOn(): void {
    const left = this.#lingerUntil - monotonic();
    const { lingering_timeout: timeout } = (this.#request?.location ?? this.server.location).core;
    if (left <= 0) this.#close();
    else this.connection.timer.start(Math.min(timeout, left));
  }

  abort(request: Request): void {
    this.#writer.dropHead();
    this.#end(request);
    this.#close();
  }

  #close(): void {
    if (this.#state <= IDLE) this.counters.waiting(-1);
    else if (this.#state === HEAD) this.counters.reading(-1);
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    this.#writer.remove();
    this.connection.close();
    // What is queued still goes out, but not for longer than a client may take over any reply.
    if (this.connection.queued > 0) this.connection.timer.start(this.server.location.core.send_timeout);
  }

  // ---- what happens to the connection

  onEnd(): void {
    const request = this.#request;
    switch (this.#state) {
      case BUSY:
        if (this.#reader && request && !this.#reader.discarding) {
          logPrematureClose(request);
          this.#failBodyByClose(request);
        } else if (request?.upstream && request.producer) {
          request.producer.abortOutput(request);
        } else if (request?.subrequests && request.subrequests.count > 0) {
          request.subrequests.clientGone();
        } else if (request && !this.#reader && (!request.complete || this.#finishing)) {
          // It waits in a phase (limit_req and its like), or for room, with an answer that nobody will read.
          logPrematureClose(request);
          terminate(request, 499);
        }
        return;
      case HEAD:
        if (request) {
          logPrematureClose(request, this.#intake.breakOff(request));
          this.counters.reading(-1);
          this.counters.writing(1);
          this.#state = BUSY;
          terminate(request, 400);
          return;
        }
        this.#close();
        return;
      case TUNNEL:
        this.#tunnel?.clientEnded();
        return;
      case IDLE:
        if (this.requests > 0) {
          const log = this.debugLog ?? this.host.log;
          if (log.level >= INFO) {
            log.write(INFO, `client ${this.remoteAddress} closed keepalive connection`, this.number);
          }
        } else {
          this.log(INFO, 'client closed connection while waiting for request');
        }
        this.#close();
        return;
      default:
        this.#close();
    }
  }

  #failBodyByClose(request: Request): void {
    this.#reader = undefined;
    const { producer } = request;
    if (producer) producer.abortOutput(request);
    if (!request.finished) terminate(request, 400);
  }

  onClose(): void {
    const state = this.#state;
    const request = this.#request;
    this.#writer.remove();
    if (this.tls) this.#logTlsFailure(state, this.tls);
    if (state <= IDLE) this.counters.waiting(-1);
    else if (state === HEAD) {
      this.counters.reading(-1);
      if (request) this.counters.writing(1);
    }
    this.#state = CLOSED;
    this.counters.close();
    this.host.gone(this);
    if (state === TUNNEL) {
      this.#tunnel?.clientClosed();
    } else if (request && !request.finished) {
      if (this.#finishing) this.#end(request);
      else {
        request.producer?.abortOutput(request);
        if (!request.finished) terminate(request, state === HEAD ? 400 : ERROR);
      }
    }
  }

  onConnect(): void {}

  onTimeout(): void {
    const request = this.#request;
    switch (this.#state) {
      case CLOSED:
        this.connection.destroy();
        return;
      case IDLE:
        if (this.requests === 0) this.log(INFO, `${TIMED_OUT} while waiting for request`);
        this.#close();
        return;
      case HEAD:
        if (!request) {
          this.#close();
          return;
        }
        logRequest(request, INFO, `${TIMED_OUT}${this.#intake.breakOff(request)}`);
        this.counters.reading(-1);
        this.counters.writing(1);
        this.#state = BUSY;
        this.#timedOut(request);
        return;
      case BUSY:
        if (!request || !this.#reader) return;
        this.#failBodyByTimeout(request);
        return;
      default:
        this.#close();
    }
  }

  #failBodyByTimeout(request: Request): void {
    this.#reader = undefined;
    const { producer } = request;
    if (producer) producer.abortOutput(request);
    if (!request.finished) this.#timedOut(request);
  }

  // ---- tunnels

  upgrade(_request: Request, tunnel: Tunnel): void {
    this.#tunnel = tunnel;
    this.#state = TUNNEL;
    this.connection.timer.stop();
    const early = this.#pending;
    this.#pending = '';
    this.#writer.flushHead();
    this.connection.resume();
    if (early !== '') tunnel.clientBytes(Buffer.from(early, 'latin1'));
  }

  tunnelWrite(bytes: Uint8Array): boolean {
    if (this.#request) this.#request.bodySent += bytes.length;
    return this.connection.writeBytes(Buffer.from(bytes));
  }

  // ---- the worker

  /** The worker drains: an idle connection is closed, a busy one says so in its reply. */
  drain(): void {
    if (this.#state <= IDLE && !this.#opening?.shaking) {
      // The client's next request may be on its way: it is answered, with `Connection: close`.
      const { keepalive_min_timeout: least } = this.address.fallback.location.core;
      this.connection.timer.start(Math.max(least, DRAIN_GRACE));
    } else if (this.#request && !this.#request.headerSent) {
      this.#request.keepAlive = false;
    }
  }

  destroy(): void {
    this.connection.destroy();
  }

  log(level: number, message: string): void {
    const log = this.debugLog ?? this.host.log;
    if (log.level >= level)
      log.write(
        level,
        `${message}, client: ${this.unix ? 'unix:' : this.remoteAddress}, server: ${this.address.text}`,
        this.number,
      );
  }
}
