/**
 * A client's HTTP/1 connection: heads read, one request at a time answered in order, then kept, lingered on
 * or closed, as nginx does it (RFC 9112 section 9).
 */

import { DEBUG, INFO } from '../../log/levels.ts';
import type { Connection, ConnectionHandler } from '../../net/connection.ts';
import type { Passed } from '../../net/passed.ts';
import { monotonic, wallClock } from '../../net/timers.ts';
import type { TlsFailure } from '../../tls/stream.ts';
import { breakOff, endRequest, finalize, leaveUpstreams, terminate } from '../finalize.ts';
import type { HeadersIn } from '../headers.ts';
import type { Server } from '../location.ts';
import { runPhases } from '../phases.ts';
import { discardBody, logPrematureClose } from '../read-body.ts';
import { Request, type Tunnel } from '../request.ts';
import { CLIENT_TIMED_OUT, logHead, logOf, logRequest, sendingAction } from '../request-log.ts';
import { ERROR } from '../verdict.ts';
import { refusedByTls, refusedWithoutTls } from '../verify-client.ts';
import { ClientStream } from './client-stream.ts';
import { ClientTunnel, type TunnelClient } from './client-tunnel.ts';
import type { AddressConf, ClientHost } from './host.ts';
import { Lingering, lingers } from './lingering.ts';
import { Opening, type OpeningClient } from './opening.ts';
import { RequestIntake, type RequestOwner } from './request-intake.ts';

/** What the connection is doing. */
const OPENING = 0;
const IDLE = 1;
const HEAD = 2;
const BUSY = 3;
const BODY_REST = 4;
const LINGER = 5;
/** Its bytes are the tunnel's (`client-tunnel.ts`). */
const TUNNEL = 6;
const CLOSED = 7;

/** How long an idle connection stays open when the worker drains, ms. */
const DRAIN_GRACE = 500;

export class Client
  extends ClientStream
  implements ConnectionHandler, RequestOwner, OpeningClient, TunnelClient
{
  readonly #intake = new RequestIntake(this, this.body);
  /** While it is not known yet that it speaks HTTP/1. */
  #opening: Opening | undefined = undefined;
  #state: number;
  #request: Request | undefined = undefined;
  /** The reply has been given whole, and waits to be taken. */
  #finishing = false;
  #lingering: Lingering | undefined = undefined;

  constructor(host: ClientHost, address: AddressConf) {
    super(host, address);
    this.#state = Opening.wanted(address) ? OPENING : IDLE;
  }

  /** Begins to serve an accepted connection, or one that was handed on. */
  start(connection: Connection, passed?: Passed): void {
    this.identify(connection, passed);
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
    if (length > 0) this.#intake.read(bytes, length);
  }

  certificateRequest(server: Server): Request {
    return new Request(this, server, undefined, this.host.slots);
  }

  // ---- reading

  onRead(bytes: Buffer, length: number): void {
    switch (this.#state) {
      case BUSY:
      case BODY_REST:
        if (!this.body.take(bytes, length)) this.#intake.readAhead(bytes, length);
        return;
      case IDLE:
      case HEAD:
        this.#intake.read(bytes, length);
        return;
      case LINGER:
        if (!this.#lingering?.goesOn()) this.close();
        return;
      default:
        return;
    }
  }

  get idle(): boolean {
    return this.#state === IDLE;
  }

  headBegins(): void {
    this.#state = HEAD;
    this.counters.waiting(-1);
    this.counters.reading(1);
  }

  newRequest(headers: HeadersIn): Request {
    const request = new Request(this, this.server, undefined, this.host.slots, headers);
    request.startedAt = wallClock();
    request.started = monotonic();
    request.pipelined = this.#intake.begin();
    this.requests++;
    this.#request = request;
    this.writer.begin();
    this.throttled = false;
    this.counters.request();
    return request;
  }

  /** A head that is not a request: answered, and the connection is closed. */
  refuse(request: Request, status: number, reason: string): void {
    if (request.method === '') request.method = 'GET';
    request.keepAlive = false;
    request.lingering = status === 494;
    this.#toBusy();
    logRequest(request, INFO, reason);
    finalize(request, status);
  }

  #toBusy(): void {
    this.#state = BUSY;
    this.counters.reading(-1);
    this.counters.writing(1);
  }

  serve(request: Request): void {
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
    if (logOf(request).level >= DEBUG) logHead(request);
    if (this.address.tls && this.#refusedByTls(request)) return;
    runPhases(request);
  }

  #refusedByTls(request: Request): boolean {
    return this.tls ? refusedByTls(request, this.tls) : refusedWithoutTls(request);
  }

  // ---- the request's body

  get readsRest(): boolean {
    return this.#state === BODY_REST;
  }

  cameBehind(bytes: Buffer, from: number, to: number): void {
    this.#intake.keep(bytes, from, to);
  }

  // ---- the reply

  get broken(): boolean {
    return this.connection.closed || this.#state === CLOSED;
  }

  sendingTimedOut(request: Request): void {
    logRequest(request, INFO, CLIENT_TIMED_OUT + sendingAction(request));
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
    this.writer.drained();
    const request = this.#request;
    if (this.#finishing && request) {
      this.#finishing = false;
      this.#finished(request);
    } else if (!this.throttled) {
      request?.resumeOutput();
    }
  }

  // ---- the end of a request

  finish(request: Request): void {
    this.writer.flushHead();
    if (this.connection.blocked && this.connection.queued > 0 && !this.broken) {
      this.#finishing = true;
      this.writer.watch(request);
      return;
    }
    this.#finished(request);
  }

  /** Everything of the reply has been taken by the system. */
  #finished(request: Request): void {
    this.body.unwanted(request);
    this.#end(request);
    if (this.broken || this.connection.ended) {
      this.close();
    } else if (this.body.expected && request.keepAlive) {
      this.#readRest(request);
    } else {
      this.next(request);
    }
  }

  /** The rest of a body that nobody wanted is read before the next request. */
  #readRest(request: Request): void {
    this.#state = BODY_REST;
    const { core } = request.location;
    this.connection.timer.start(core.lingering_timeout);
    if (this.body.reader) this.connection.resume();
    else discardBody(request);
  }

  #end(request: Request): void {
    if (request.finished) return;
    this.counters.writing(-1);
    endRequest(request);
    if (this.peer) this.actAsItself(this.peer);
  }

  /** After a request and all of its body: the next one, an idle wait, or the end. */
  next(request: Request): void {
    const { core } = request.location;
    const keep = request.keepAlive && !(this.host.draining && core.keepalive_min_timeout === 0);
    if (!keep) {
      const unread = this.body.expected || this.#intake.waiting || this.connection.paused;
      if (lingers(request, unread)) this.#linger(request);
      else this.close();
      return;
    }
    this.#request = undefined;
    this.#intake.reset();
    this.body.forget();
    this.counters.waiting(1);
    this.#state = IDLE;
    this.connection.timer.start(core.keepalive);
    this.#intake.goOn();
    if (this.connection.paused) this.connection.resume();
  }

  #linger(request: Request): void {
    this.#state = LINGER;
    this.#intake.takePending();
    this.body.forget();
    this.#lingering = new Lingering(this.connection, request);
  }

  abort(request: Request): void {
    this.writer.dropHead();
    this.#end(request);
    this.close();
  }

  close(): void {
    if (this.#state <= IDLE) this.counters.waiting(-1);
    else if (this.#state === HEAD) this.counters.reading(-1);
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    this.writer.remove();
    this.connection.close();
    // What is queued still goes out, but not for longer than a client may take over any reply.
    if (this.connection.queued > 0) this.connection.timer.start(this.server.location.core.send_timeout);
  }

  // ---- what happens to the connection

  onEnd(): void {
    const request = this.#request;
    switch (this.#state) {
      case BUSY:
        if (request) this.#leftWhileBusy(request);
        return;
      case HEAD:
        if (request) {
          logPrematureClose(request, this.#intake.breakOff(request));
          this.#toBusy();
          terminate(request, 400);
          return;
        }
        this.close();
        return;
      case IDLE:
        if (this.requests > 0) this.logKeptEnd(INFO);
        else this.log(INFO, 'client closed connection while waiting for request');
        this.close();
        return;
      default:
        this.close();
    }
  }

  /** The client goes away while its request is being answered. */
  #leftWhileBusy(request: Request): void {
    const { reader } = this.body;
    if (reader && !reader.discarding) {
      logPrematureClose(request);
      this.body.reader = undefined;
      breakOff(request, 400);
    } else if (!leaveUpstreams(request) && !reader && (!request.complete || this.#finishing)) {
      // It waits in a phase (limit_req and its like), or for room, with an answer that nobody will read.
      logPrematureClose(request);
      terminate(request, 499);
    }
  }

  /** Logs what TLS has to say about the end of a connection that was open. */
  #logTlsFailure(state: number, request: Request | undefined, { level, text }: TlsFailure): void {
    if (state === HEAD && request) {
      logRequest(request, level, text + this.#intake.breakOff(request));
      return;
    }
    if (state === BUSY && request) {
      logRequest(request, level, text + sendingAction(request));
      return;
    }
    this.logTls(level, text, this.requests > 0 ? 'keepalive' : 'waiting for request');
  }

  onClose(): void {
    const state = this.#state;
    const request = this.#request;
    this.writer.remove();
    // What ended a handshake has been said.
    if (this.tls?.failure && !this.#opening) this.#logTlsFailure(state, request, this.tls.failure);
    if (state <= IDLE) this.counters.waiting(-1);
    else if (state === HEAD) {
      this.counters.reading(-1);
      if (request) this.counters.writing(1);
    }
    this.#state = CLOSED;
    this.counters.close();
    this.host.gone(this);
    if (request && !request.finished && state !== TUNNEL) {
      if (this.#finishing) this.#end(request);
      else breakOff(request, state === HEAD ? 400 : ERROR);
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
        if (this.requests === 0) this.log(INFO, `${CLIENT_TIMED_OUT} while waiting for request`);
        this.close();
        return;
      case HEAD:
        if (!request) {
          this.close();
          return;
        }
        logRequest(request, INFO, `${CLIENT_TIMED_OUT}${this.#intake.breakOff(request)}`);
        this.#toBusy();
        this.#timedOut(request);
        return;
      case BUSY:
        if (!request || !this.body.reader) return;
        this.body.reader = undefined;
        request.producer?.abortOutput(request);
        if (!request.finished) this.#timedOut(request);
        return;
      default:
        this.close();
    }
  }

  // ---- tunnels

  upgrade(_request: Request, tunnel: Tunnel): void {
    this.#state = TUNNEL;
    this.connection.timer.stop();
    this.connection.handler = new ClientTunnel(this, tunnel);
    const early = this.#intake.takePending();
    this.writer.flushHead();
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
}
