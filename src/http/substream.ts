/** What carries a subrequest: the connection of its main request, but for the reply, which joins that one's or is kept. */
import type { ErrorLog } from '../log/error-log.ts';
import type { Link } from '../net/chain.ts';
import { soon, type Task } from '../net/soon.ts';
import type { TlsConnection } from '../tls/connection.ts';
import type { ClientCounters } from './counters.ts';
import { endOutput, endRequest, terminate } from './finalize.ts';
import { type BodySink, type Data, LAST, OWNED } from './output.ts';
import { runPhases } from './phases.ts';
import type { BodyReader } from './read-body.ts';
import type { Peer, ProxyProtocol, Request, Stream, Tunnel } from './request.ts';
import type { Subrequests } from './subrequests.ts';
import { Turn } from './turn.ts';
import type { Verdict } from './verdict.ts';

/** Whoever has made a subrequest. */
export interface SubrequestOwner {
  /** Sees what the subrequest comes to, at every step to its end, and answers with what is made of it. */
  verdictOf?(request: Request, verdict: Verdict): Verdict;
  /** It has ended, and its output has been written. */
  ended?(request: Request): void;
}

export class Substream implements Stream, Task, Link<Substream> {
  throttled = false;
  /** Where the reply goes. */
  output!: BodySink;
  request!: Request;
  /** Its neighbours among those that are under way. */
  before: Substream | undefined = undefined;
  after: Substream | undefined = undefined;
  /** It has ended; that has been told. */
  #ended = false;
  #told = false;

  constructor(
    readonly main: Request,
    readonly subrequests: Subrequests,
    /** How deep subrequests stand in each other. */
    readonly depth: number,
    readonly owner: SubrequestOwner,
  ) {}

  get number(): number {
    return this.main.stream.number;
  }
  get requests(): number {
    return this.main.stream.requests;
  }
  get remoteAddress(): string {
    return this.main.stream.remoteAddress;
  }
  get remotePort(): number {
    return this.main.stream.remotePort;
  }
  get localAddress(): string {
    return this.main.stream.localAddress;
  }
  get localPort(): number {
    return this.main.stream.localPort;
  }
  get unix(): boolean {
    return this.main.stream.unix;
  }
  get secure(): boolean {
    return this.main.stream.secure;
  }
  get tls(): TlsConnection | undefined {
    return this.main.stream.tls;
  }
  get peer(): Peer | undefined {
    return this.main.stream.peer;
  }
  get counters(): ClientCounters {
    return this.main.stream.counters;
  }
  get started(): number {
    return this.main.stream.started ?? 0;
  }
  get proxyProtocol(): ProxyProtocol | undefined {
    return this.main.stream.proxyProtocol;
  }
  get sent(): number {
    return this.main.stream.sent;
  }
  get headLength(): number {
    return this.main.stream.headLength;
  }
  get broken(): boolean {
    return this.main.stream.broken;
  }
  get debugLog(): ErrorLog | undefined {
    return this.main.stream.debugLog;
  }

  get congested(): boolean {
    const { output } = this;
    if (!(output instanceof Turn)) return false;
    return output.active ? this.main.stream.congested : output.full;
  }

  /** The client gets the main request's head only. */
  writeHead(): void {}

  writeInterim(): void {}

  writeText(request: Request, text: string): void {
    this.write(request, Buffer.from(text, 'latin1'), LAST | OWNED);
  }

  write(request: Request, bytes: Data, flags: number): void {
    if (this.broken || request.finished) return;
    request.bodySent += bytes.length;
    this.output.write(request, bytes, flags);
    if ((flags & LAST) === 0 || request.outputDone) return;
    endOutput(request);
  }

  /** The subrequest is over: what it has written stands in its turn, and its parent may go on. */
  finish(request: Request): void {
    if (request.finished) return;
    endRequest(request);
    this.#ended = true;
    soon(this);
  }

  /** It starts, or has ended. */
  run(): void {
    const { request, output, owner, subrequests, main } = this;
    if (main.finished || this.#told) return;
    if (!this.#ended) {
      if (!request.finished) runPhases(request);
      return;
    }
    this.#told = true;
    if (output instanceof Turn) output.close();
    owner.ended?.(request);
    subrequests.remove(this);
  }

  /** There is one connection for all: it is cut. */
  abort(request: Request): void {
    terminate(this.main, request.out.status);
  }

  runPhases(request: Request): void {
    runPhases(request);
  }

  /** A subrequest has no body of its own to read. */
  readBody(_reader: BodyReader): void {}
  pauseBody(): void {}
  resumeBody(): void {}

  upgrade(request: Request, _tunnel: Tunnel): void {
    this.abort(request);
  }

  tunnelWrite(): boolean {
    return false;
  }
}
