/**
 * One request's exchange with the servers of a group: choosing a peer, connecting or taking a pooled
 * connection, sending, reading, trying the next one, and passing the reply to the client. nginx's
 * ngx_http_upstream_t. Protocol-free: what is sent and where a reply ends is the Protocol's to say.
 *
 * Here is the state, and who is called when something happens; what is then done stands in connect.ts, send.ts,
 * next.ts, pass-head.ts, pass-body.ts and tunnel.ts.
 */
import type { BodyConsumer } from '../http/body.ts';
import type { Producer } from '../http/output.ts';
import { askForBody, prereadBody, readBody } from '../http/read-body.ts';
import type { Request } from '../http/request.ts';
import { logOf, logRequest } from '../http/request-log.ts';
import { DONE, type Verdict } from '../http/verdict.ts';
import { DEBUG, ERROR, WARN } from '../log/levels.ts';
import type { Connection, ConnectionHandler } from '../net/connection.ts';
import type { Lookup, LookupOwner } from '../net/lookup.ts';
import { monotonic } from '../net/timers.ts';
import { abort } from './abort.ts';
import { Attempt } from './attempt.ts';
import type { BodySender } from './body-sender.ts';
import { begin, choose, connect, connected, onConnectionClosed, onPeerEnd, onTimedOut } from './connect.ts';
import type { Exchange, Peer, PeerGroup, PeerSource, Protocol, Reply, UpstreamConf } from './contract.ts';
import { NEXT } from './contract.ts';
import { feedLimited, RateLimit } from './limit-rate.ts';
import { finalizeUpstream, next } from './next.ts';
import { flushPending, passBody, passEnd, passText, resume } from './pass-body.ts';
import { passHead, passInterim } from './pass-head.ts';
import type { PeerConnection } from './peer-connection.ts';
import { LINE_IGNORED, LINE_OK, NO_HEAD, type ReplyHead } from './reply-head.ts';
import { resolved } from './resolve.ts';
import { onSent, sendPiece, sendStreamEnd } from './send.ts';
import type { FramedSender } from './send-framed.ts';
import type { Spool } from './spool.ts';
import {
  AWAITING,
  BODY_ACTION,
  CONNECTING_ACTION,
  DRAINING,
  HEAD_ACTION,
  IDLE,
  OVER,
  PASSING,
  TUNNELLING,
} from './states.ts';
import { tunnelBytes } from './tunnel.ts';

/**
 * Passes `request` on to the servers of `group`: reads (or begins to stream) its body, then connects. `conf` is
 * the identity under which `keepalive N local` keeps its connections.
 */
export const startUpstream = (
  request: Request,
  conf: UpstreamConf,
  protocol: Protocol,
  group: PeerGroup,
): Verdict => {
  const upstream = new Upstream(request, conf, protocol, group, request.upstream);
  request.upstream = upstream;
  request.producer = upstream;
  const { contentLength, chunked } = request.headers;
  if (contentLength < 0 && !chunked) {
    askForBody(request);
    begin(upstream);
    return DONE;
  }
  const streams = !conf.requestBuffering && conf.passRequestBody && request.body === undefined;
  if (streams && !(chunked && protocol.needsLength)) {
    const complete = prereadBody(request);
    if (upstream.phase === OVER) return DONE;
    if (complete) {
      bodyRead(request);
      return DONE;
    }
    upstream.streamed = true;
    upstream.hasBody = true;
    upstream.bodyLength = contentLength < 0 ? -1 : contentLength;
    begin(upstream);
    return DONE;
  }
  readBody(request, bodyRead);
  return DONE;
};

const bodyRead = (request: Request): void => {
  const { upstream } = request;
  if (!upstream) return;
  const length = request.body?.length ?? 0;
  upstream.hasBody = upstream.conf.passRequestBody && length > 0;
  upstream.bodyLength = upstream.hasBody ? length : 0;
  begin(upstream);
};

export class Upstream implements ConnectionHandler, Producer, BodyConsumer, LookupOwner, Exchange {
  /** The head of the present attempt's reply. */
  head: ReplyHead = NO_HEAD;
  /** Its trailer lines: name, value, name, value ...; set by the protocol before `onReplyEnd`. */
  trailers: readonly string[] | undefined = undefined;
  /**
   * The connection may be kept although the reply is not read further: a protocol sets it before
   * `onReplyHead` when the reply has no body and nothing forbids to keep it.
   */
  keep = false;
  /** A request body is sent to the peer. */
  hasBody = false;
  /** Its length; -1: not known beforehand (a streamed chunked upload). */
  bodyLength = 0;
  /** The body is passed on as it comes (`proxy_request_buffering off`). */
  streamed = false;

  /** Where the exchange stands; see states.ts. */
  phase = IDLE;
  action = CONNECTING_ACTION;
  source: PeerSource | undefined = undefined;
  /** The wait for the addresses of the group's name. */
  lookup: Lookup | undefined = undefined;
  /** The peer of the present attempt, until it is released. */
  peer: Peer | undefined = undefined;
  connection: Connection | undefined = undefined;
  peerConnection: PeerConnection | undefined = undefined;
  reply: Reply | undefined = undefined;
  /** All attempts of the request, those of earlier upstreams (internal redirects) included. */
  readonly attempts: Attempt[];
  attempt: Attempt = NO_ATTEMPT;
  /** What the protocol made of the request's head, and what is sent over a channel in place of the client's body. */
  text = '';
  substitute = '';
  /** What `settle` has kept for the log. */
  uri: string | undefined = undefined;
  /** The time of the present event, and when the first and the present attempt began, on the clock of `monotonic`. */
  now = 0;
  started = 0;
  attemptStarted = 0;
  /** The present attempt failed. */
  failed = false;
  /** Something of the request has been sent in this attempt; all of it. */
  requestSent = false;
  bodySent = false;
  /** The connection was taken from the pool; a byte of the reply has come. */
  cached = false;
  answered = false;
  /** Bytes the connection had sent and received when the attempt took it over. */
  sentBefore = 0;
  sender: BodySender | undefined = undefined;
  /** The body's way over a channel. */
  framed: FramedSender | undefined = undefined;
  /** The streamed body has come to its end; the client is being held back. */
  streamEnded = false;
  streamPaused = false;

  /** Bytes of Early Hints so far. */
  hintsLength = 0;

  headerSent = false;
  buffering = true;
  /** What the cache has to do with the exchange, and `$upstream_cache_status`; '' without a cache. */
  entry: object | undefined = undefined;
  cacheStatus = '';
  /** The reply is to be kept; it has been kept before, and `head` is its head. */
  cacheable = false;
  kept = false;
  /** It comes from a cache or goes to one: conditions and ranges are ours to judge. */
  judged = false;
  /** HEAD is sent as GET, so that the reply can be kept. */
  asGet = false;
  /** The last piece of the body, not passed on yet: it may turn out to be the final one. */
  pending: Uint8Array | undefined = undefined;
  /** Where the reply waits for a slow client. */
  spool: Spool | undefined = undefined;
  /** The error that ends the request once the client has taken what came before it; 0: none. */
  cut = 0;
  /** The client is gone, and the reply is read to its end all the same (`ignore_client_abort`). */
  discarding = false;
  /** Where the reply's speed is limited (`limit_rate`); whether reading waits for it now. */
  readonly limit: RateLimit | undefined;
  limited = false;

  constructor(
    readonly request: Request,
    readonly conf: UpstreamConf,
    readonly protocol: Protocol,
    readonly group: PeerGroup,
    earlier: Upstream | undefined,
  ) {
    this.buffering = conf.buffering;
    this.limit = conf.limitRate ? new RateLimit() : undefined;
    this.attempts = earlier && earlier.attempts.length > 0 ? [...earlier.attempts, new Attempt('')] : [];
  }

  /** `http://127.0.0.1:8080/path`: whom the log is about; '' before the first attempt. */
  address(): string {
    const { peer } = this.attempt;
    if (peer === '') return '';
    const colon = peer.startsWith('unix:') ? ':' : '';
    return `${this.protocol.scheme}${peer}${colon}${this.uri ?? this.protocol.uri(this.request, this)}`;
  }

  /** The request goes on elsewhere, under another URI: the log tells the one that was asked for here. */
  settle(): void {
    this.uri ??= this.protocol.uri(this.request, this);
  }

  /** Logs what is wrong with a value of the location's. */
  invalid(level: number, message: string): void {
    logRequest(this.request, level, message);
  }

  /** Logs `message`, with what goes on and the request's context behind it. */
  log(level: number, message: string): void {
    logRequest(this.request, level, `${message} while ${this.action}`);
  }

  /** A line of the debug log; `message` is only made when it is on. */
  debug(message: () => string): void {
    if (logOf(this.request).level >= DEBUG) logRequest(this.request, DEBUG, message());
  }

  /** Takes a line of the reply's head. False: it is invalid, and that has been dealt with. */
  addLine(name: string, value: string): boolean {
    const { head } = this;
    const verdict = head.add(name, value);
    if (verdict === LINE_OK) return true;
    if (verdict !== LINE_IGNORED) return this.onReplyInvalid(head.reason);
    this.log(WARN, head.reason);
    return true;
  }

  /** An interim reply (1xx except 101): `lines` are name, value, name, value ... */
  onInterim(status: number, lines: readonly string[]): boolean {
    return passInterim(this, status, lines);
  }

  /** The head is complete and stands in `head`. */
  onReplyHead(): boolean {
    return passHead(this);
  }

  /** A piece of the body, decoded; only there during the call. */
  onReplyBody(bytes: Uint8Array): boolean {
    return passBody(this, bytes);
  }

  /** All of a small body, decoded, and with it the end of the reply. False: it is wanted as bytes. */
  onReplyText(text: string, keep: boolean): boolean {
    return passText(this, text, keep);
  }

  /** The reply is complete; `keep`: the connection may be used again; `peerCloses`: the peer is about to close it. */
  onReplyEnd(keep: boolean, peerCloses = false): void {
    passEnd(this, keep, peerCloses);
  }

  /**
   * What came is not a reply; `message` is the whole of nginx's line: `upstream sent no valid HTTP/1.0 header`, or ''
   * when the reason has been logged.
   */
  onReplyInvalid(message: string): boolean {
    if (message !== '') this.log(ERROR, message);
    if (this.headerSent) finalizeUpstream(this, 502);
    else next(this, NEXT.invalid_header);
    return false;
  }

  /** The reply ended before its time; what came of it still goes to the client. `message` as above. */
  onReplyCut(message: string): void {
    if (this.headerSent) flushPending(this, 0);
    this.onReplyInvalid(message);
  }

  /** The peer has said that it takes more of the body. */
  sendOn(): void {
    this.framed?.goOn();
  }

  onResolved(lookup: Lookup): void {
    this.now = monotonic();
    resolved(this, lookup);
  }

  /** The group's addresses are known now. */
  chooseAgain(): void {
    choose(this);
  }

  /** Tries another peer. */
  connectAgain(): void {
    connect(this);
  }

  onRead(bytes: Buffer, length: number): void {
    const { attempt, phase } = this;
    this.now = monotonic();
    attempt.received += length;
    if (phase === TUNNELLING) {
      tunnelBytes(this, bytes.subarray(0, length));
      return;
    }
    if (phase === AWAITING) {
      this.answered = true;
      this.action = HEAD_ACTION;
    } else if (phase === PASSING) {
      this.action = BODY_ACTION;
    } else {
      return;
    }
    if (this.limit) {
      feedLimited(this, this.limit, bytes.subarray(0, length));
      return;
    }
    if (phase === PASSING) attempt.length += length;
    this.reply?.feed(bytes, 0, length);
    if (this.pending) flushPending(this, 0);
    // Only the body renews the timeout: the head must be complete within one.
    const { connection } = this;
    if (this.phase === PASSING && connection && !connection.paused)
      connection.timer.start(this.conf.readTimeout, this.now);
  }

  onConnect(): void {
    this.now = monotonic();
    connected(this);
  }

  onEnd(): void {
    this.now = monotonic();
    onPeerEnd(this);
  }

  onClose(): void {
    this.now = monotonic();
    onConnectionClosed(this);
  }

  onTimeout(): void {
    this.now = monotonic();
    onTimedOut(this);
  }

  onDrain(): void {
    this.now = monotonic();
    onSent(this);
  }

  resumeOutput(_request: Request): void {
    this.now = monotonic();
    if (this.phase === PASSING || this.phase === DRAINING) resume(this);
  }

  abortOutput(_request: Request): void {
    this.now = monotonic();
    abort(this);
  }

  bodyPiece(_request: Request, bytes: Uint8Array): void {
    this.now = monotonic();
    sendPiece(this, bytes);
  }

  bodyEnd(_request: Request): void {
    this.now = monotonic();
    sendStreamEnd(this);
  }
}

const NO_ATTEMPT = new Attempt('');
