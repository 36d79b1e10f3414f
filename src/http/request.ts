/**
 * One request, from its first line to its log line. It does not know its transport: the connection (HTTP/1
 * now) writes its reply and reads its body. Every field has its kind of value from the start, so that all
 * requests share one shape.
 */

import type { ErrorLog } from '../log/error-log.ts';
import type { ProxyProtocol } from '../net/proxy-header.ts';
import type { TlsConnection } from '../tls/connection.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { RequestBody } from './body.ts';
import type { ClientCounters } from './counters.ts';
import { HeadersIn, HeadersOut } from './headers.ts';
import type { Location, Server } from './location.ts';
import type { BodyFilter, BodySink, Producer } from './output.ts';
import type { BodyReader } from './read-body.ts';
import type { Subrequests } from './subrequests.ts';
import type { Verdict } from './verdict.ts';

/** What a request needs of the connection that carries it. */
export interface Stream extends BodySink {
  readonly number: number;
  /** Requests on this connection so far, this one included. */
  readonly requests: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** 'unix:' clients have no address. */
  readonly unix: boolean;
  readonly secure: boolean;
  /** What TLS has agreed on; undefined without it. */
  readonly tls?: TlsConnection | undefined;
  /** Who is connected in truth, while `actAs` holds. */
  readonly peer?: Peer | undefined;
  /** Takes another address for the client's until the request has ended (`set_real_ip_from`). */
  actAs?(address: string, port: number): void;
  /** The descriptor of the client's socket; -1 without one. */
  readonly descriptor?: number | undefined;
  /** The numbers of stub_status. */
  readonly counters: ClientCounters;
  /** When the connection was made, on the clock of `monotonic`, ms. */
  readonly started?: number;
  /** What a PROXY protocol header said; undefined without one. */
  readonly proxyProtocol?: ProxyProtocol | undefined;
  /** Bytes of this reply handed to the client so far, head included. */
  readonly sent: number;
  /** Bytes of the reply's head. */
  readonly headLength: number;
  /** The client is too slow: stop producing until `producer.resumeOutput`. */
  readonly congested: boolean;
  /** A limited rate holds the reply back: it counts as congested. */
  throttled?: boolean;
  /** Turns the reply's head into bytes; they go out with the first piece of the body. */
  writeHead(request: Request): void;
  /** A whole, small body that no sink changes, as latin1 text. */
  writeText(request: Request, text: string): void;
  /** An interim reply (100 Continue, 103 Early Hints): status line and lines, sent at once. */
  writeInterim(request: Request, status: string, lines: readonly string[]): void;
  /**
   * Bytes of an open file as a part of the body, which no sink is to see, without a way through this process; see
   * platform/send-file.ts. Only where the connection can.
   */
  sendFile?(request: Request, file: number, position: number, count: number): number;
  /** With `sendFile`: a piece of the body after which the producer is told in any case to go on. */
  writeAndWait?(request: Request, bytes: Uint8Array): void;
  /** A subrequest's maker sees what it comes to, and answers with what is made of it. */
  readonly owner?: { verdictOf?(request: Request, verdict: Verdict): Verdict };
  /** The request is over and logged: keep the connection, linger or close. */
  finish(request: Request): void;
  /** Begins to feed `reader` with the request's body. */
  readBody(reader: BodyReader): void;
  /** Holds the client back while a body is streamed, and lets it go on. */
  pauseBody(): void;
  resumeBody(): void;
  /** Goes on with the request's phases from where it stands. */
  runPhases(request: Request): void;
  /** The client is gone or can't be written to: nothing more is sent. */
  readonly broken: boolean;
  /** The log of a connection that `debug_connection` names; undefined for all others. */
  readonly debugLog: ErrorLog | undefined;
  /** Cuts the connection after an error that the client can't be told. */
  abort(request: Request): void;
  /** Takes the connection over for a tunnel (101): raw bytes go to `tunnel` until it closes. */
  upgrade(request: Request, tunnel: Tunnel): void;
  /** Raw bytes of a tunnel to the client; false means: wait for `Tunnel.clientDrained`. `bytes` are copied. */
  tunnelWrite(bytes: Uint8Array): boolean;
}

/** Who a client is. */
export interface Peer {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly unix: boolean;
}

/** The other end of an upgraded connection. */
export interface Tunnel {
  /** Bytes from the client, there only during the call. */
  clientBytes(bytes: Uint8Array): void;
  clientEnded(): void;
  clientDrained(): void;
  clientClosed(): void;
}

/** For configurations that refer to no variable. */
const NO_VALUES: (string | null | undefined)[] = [];

export class Request {
  /** The client's request that this one belongs to; itself unless it is a subrequest. */
  readonly main: Request;
  server: Server;
  location: Location;

  method = '';
  /** The request line as it came, for `$request`. */
  requestLine = '';
  /** The request target as it came, for `$request_uri`. */
  target = '';
  /** The path: decoded, normalized; latin1 characters are bytes. Changed by rewrites. */
  uri = '';
  /** What stands behind `?`, as it came. Changed by rewrites. */
  args = '';
  /** 9, 1000 or 1001 for HTTP/0.9, 1.0 and 1.1; 2000 for HTTP/2. */
  version = 1001;
  /** The decoded path may be sent to an upstream as `target` still (nothing was rewritten and it needed no care). */
  validTarget = true;
  /** `uri` begins as the location's name does; not so after a rewrite that stays in the location. */
  validLocation = true;
  /** `target` holds escapes or doubled slashes that decoding changed (nginx's complex_uri etc.). */
  complexTarget = false;

  /** A subrequest has those of its main request. */
  headers: HeadersIn;
  readonly out: HeadersOut = new HeadersOut();
  /** The first sink of the reply's body. */
  sink: BodySink;
  /** The last filter that changes what the body says; see filter-chain.ts. */
  lastFilter: BodyFilter | undefined = undefined;
  producer: Producer | undefined = undefined;
  body: RequestBody | undefined = undefined;
  /** The exchange with an upstream server, the latest one. */
  upstream: Upstream | undefined = undefined;

  /** A filter waits for something, and can't take more. */
  stalled = false;
  /** Of a main request that has made any. */
  subrequests: Subrequests | undefined = undefined;

  /** Milliseconds on the wall clock and on the clock of `monotonic` when the first byte came. */
  startedAt = 0;
  started = 0;
  /** Bytes of the head and body read. */
  requestLength = 0;
  /** Where the phase machine stands; see phases.ts. */
  phase = 0;
  handler = 0;
  /** What `satisfy any` has met so far in the access phase. */
  accessCode = 0;
  uriChanged = false;
  /** How many internal redirects and rewrites may follow. */
  uriChanges = 11;
  /** An internal redirect, error page or subrequest: `internal` locations are open to it. */
  internal = false;
  /** Captures of the last regular expression, [0] is the whole match. */
  captures: RegExpExecArray | undefined = undefined;
  /** The request's own values of variables, by slot; null: known to be not found. */
  readonly values: (string | null | undefined)[];
  /** State that modules keep on a request: of which module, what, of which module, what ...; made when first used. */
  #contexts: unknown[] | undefined = undefined;
  #endings: (() => void)[] | undefined = undefined;

  /** A header filter refuses the reply: the status (412, 416) that takes its place, or ERROR; 0 otherwise. */
  refused = 0;
  /** The reply is sent whatever the request's conditions are: an upstream has had its say about them. */
  unconditional = false;
  headerSent = false;
  headerOnly = false;
  keepAlive = false;
  /** Its first bytes came together with the end of the one before. */
  pipelined = false;
  chunkedOut = false;
  /** The whole body has been handed to the connection. */
  outputDone = false;
  /** The request's end has been reached; nothing more may be done with it. */
  finished = false;
  /** It has ended, and its `post_action` runs. */
  afterAction = false;
  /** An error page is being made: the status that asked for it. */
  errorStatus = 0;
  /** No further error page is looked for (without `recursive_error_pages`). */
  inErrorPage = false;
  /** The location's own content handler has declined. */
  withoutHandler = false;
  /** Unread bytes of the client are waited for after the reply (`lingering_close`). */
  lingering = false;
  /** The reply has been handed over whole: `$request_completion`. */
  complete = false;
  /** Finalized while a sink still holds parts of the body (gzip, a rate limit): it ends with the last of them. */
  finalizing = false;
  expectTested = false;
  /** A file answers it. */
  sendsFile = false;
  /** Bytes a second the reply may use; 0 without a limit; -1: what the location says. */
  limitRate = -1;
  /** Bytes of body written, for $body_bytes_sent. */
  bodySent = 0;
  remoteUser = '';

  constructor(
    readonly stream: Stream,
    server: Server,
    parent: Request | undefined,
    slots: number,
    headers?: HeadersIn,
  ) {
    if (parent) {
      this.main = parent.main;
      this.headers = parent.headers;
      this.values = parent.values;
    } else {
      this.main = this;
      this.headers = headers ?? new HeadersIn();
      this.values = slots === 0 ? NO_VALUES : new Array<string | null | undefined>(slots);
    }
    this.server = server;
    this.location = server.location;
    this.sink = stream;
  }

  /** Its producer shall wait until it is asked to go on. */
  get congested(): boolean {
    return this.stalled || this.stream.congested || this.subrequests?.congested === true;
  }

  /** The client can take more: whoever's output it waits for goes on. */
  resumeOutput(): void {
    const request = this.subrequests === undefined ? this : this.subrequests.active;
    request.producer?.resumeOutput(request);
  }

  /** Runs `done` when the request is over, after its log line; also through internal redirects. */
  atEnd(done: () => void): void {
    this.#endings ??= [];
    this.#endings.push(done);
  }

  /** For the end of the request: what `atEnd` was given runs. */
  runEndings(): void {
    const endings = this.#endings;
    if (!endings) return;
    this.#endings = undefined;
    for (const done of endings) done();
  }

  /** A module's own state for this request. `owner` is the module, or any object that is its alone. */
  context<T>(owner: Key<T>): T | undefined {
    const contexts = this.#contexts;
    const at = contexts === undefined ? -1 : contexts.indexOf(owner);
    return at < 0 ? undefined : (contexts?.[at + 1] as T);
  }

  /** Forgets what modules kept: before an internal redirect. */
  clearContexts(): void {
    this.#contexts = undefined;
  }

  setContext<T>(owner: Key<T>, value: T): void {
    const contexts = this.#contexts;
    const at = contexts === undefined ? -1 : contexts.indexOf(owner);
    if (contexts === undefined) this.#contexts = [owner, value];
    else if (at < 0) contexts.push(owner, value);
    else contexts[at + 1] = value;
  }
}

/** An identity with a type, under which a module keeps its state on requests. */
export interface Key<T> {
  readonly owner: string;
  readonly type?: T;
}
export const contextKey = <T>(owner: string): Key<T> => ({ owner });

export type { ProxyProtocol };
