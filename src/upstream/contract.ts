/**
 * What the parts of the upstream engine know of each other: peers and balancers | pool | engine | protocol.
 * Pool and engine do not know the protocol; a protocol says how a request is written, where a reply ends and
 * whether the connection may be kept.
 */

import type { Request } from '../http/request.ts';
import type { Verdict } from '../http/verdict.ts';
import type { ConnectTo } from '../net/connection.ts';
import type { PeerContext } from '../tls/peer-context.ts';
import type * as values from '../values/template.ts';
import type { Subject } from '../values/variables.ts';
import type { PeerConnection } from './peer-connection.ts';
import type { Upstream } from './upstream.ts';

/** A server of an upstream: one address. Its counters live in the group's zone when it has one. */
export interface Peer {
  /** As nginx prints it: `127.0.0.1:8080`, `[::1]:80`, `unix:/path`. Also the key of pooled connections. */
  readonly name: string;
  /** The `server` line as written, for messages. */
  readonly server: string;
  readonly to: ConnectTo;
}

/** What became of an attempt at a peer, told to the balancer when the peer is released. */
export const PEER_OK = 0;
/** A failure that counts for max_fails. */
export const PEER_FAILED = 1;
/** The reply was passed over (http_404, http_403), the peer is well. */
export const PEER_NEXT = 2;
/** A reused connection was closed before it gave anything: that says nothing about the peer. */
export const PEER_STALE = 3;

type Template<R extends Subject = Request> = values.Template<R>;

/** Chooses peers for one request; one is made per request by a group (round robin, hash, ...). */
export interface PeerSource {
  /** The next peer to try; undefined: none is left or alive (`no live upstreams`). */
  pick(): Peer | undefined;
  /** The peer has taken a connection, where that alone says that it is well (stream). */
  onConnect?(peer: Peer): void;
  /** The head of the peer's reply has come, and is the one that the client gets. */
  onHead(peer: Peer): void;
  /** The attempt at `peer` is over. */
  release(peer: Peer, state: number): void;
  /** How many more attempts `pick` allows. */
  tries: number;
}

/** What balancers need of whoever asks for a peer: a request, or a session of stream. */
export interface Asker {
  /** What is under way to a peer on its behalf. */
  readonly upstream: UnderWay | undefined;
}

export interface UnderWay {
  log(level: number, message: string): void;
  /** Times of the present attempt, ms; -1 while not known. */
  readonly attempt: {
    readonly connectTime: number;
    readonly headerTime: number;
    readonly responseTime: number;
  };
}

/** A named or implicit upstream, ready for requests. */
export interface PeerGroup<R extends Asker = Request> {
  readonly name: string;
  /** Made from an `upstream` block (else from a proxy_pass address). */
  readonly explicit: boolean;
  /** Undefined: its name has to be looked up first (see resolve.ts). */
  source(request: R): PeerSource | undefined;
  /** undefined when connections are not kept: no pool is ever looked at. */
  readonly pool: Pool | undefined;
}

/** The keepalive pool of a group in this worker. `tag` is the location's configuration, for `keepalive N local`. */
export interface Pool {
  /** The most recently parked connection to that peer which is proven silent, or undefined. */
  take(peer: Peer, tag: object): PeerConnection | undefined;
  /** Keeps the connection (true), or says why not (see reusable.ts): it is then the caller's to close. */
  park(connection: PeerConnection, exchange: Exchange): true | string;
  /** Closes all that is idle, and keeps nothing from then on: drain, reload. */
  close(): void;
}

/** What a pool asks about the exchange that a connection comes from. */
export interface Exchange {
  /** The location's configuration, for `keepalive N local`. */
  readonly conf: object;
  /** The attempt failed. */
  readonly failed: boolean;
  /** The whole reply has been read and nothing in it forbids to keep the connection. */
  readonly keep: boolean;
  /** The whole request has been handed to the system. */
  readonly bodySent: boolean;
  /** The time of the present event, on the clock of `monotonic`. */
  readonly now: number;
}

/** Bits of proxy_next_upstream and its like. */
export const NEXT = {
  error: 1,
  timeout: 2,
  invalid_header: 4,
  http_500: 8,
  http_502: 16,
  http_503: 32,
  http_504: 64,
  http_403: 128,
  http_404: 256,
  http_429: 512,
  updating: 1024,
  non_idempotent: 2048,
  off: 4096,
} as const;

/** Bits of proxy_ignore_headers and its like. */
export const IGNORE = {
  'X-Accel-Redirect': 1,
  'X-Accel-Expires': 2,
  'X-Accel-Limit-Rate': 4,
  'X-Accel-Buffering': 8,
  'X-Accel-Charset': 16,
  Expires: 32,
  'Cache-Control': 64,
  'Set-Cookie': 128,
  Vary: 256,
} as const;

/** `proxy_bind`: what connections come from; nothing where the value is empty. */
export interface LocalAddress<R extends Subject = Request> {
  readonly address: Template<R>;
  /** It need not be an address of this machine. */
  readonly transparent: boolean;
}

/** What proxy_* and fastcgi_* have in common, merged for one location. Times in ms, sizes in bytes. */
export interface UpstreamConf {
  readonly connectTimeout: number;
  readonly sendTimeout: number;
  readonly readTimeout: number;
  /** Bits of NEXT. */
  readonly nextUpstream: number;
  /** 0: no limit. */
  readonly nextUpstreamTries: number;
  readonly nextUpstreamTimeout: number;
  readonly buffering: boolean;
  readonly requestBuffering: boolean;
  readonly bufferSize: number;
  readonly buffers: { readonly count: number; readonly size: number };
  readonly busyBuffersSize: number;
  readonly maxTempFileSize: number;
  readonly tempPath: TempPath;
  readonly interceptErrors: boolean;
  readonly ignoreClientAbort: boolean;
  readonly forceRanges: boolean;
  readonly socketKeepalive: boolean;
  readonly passRequestHeaders: boolean;
  readonly passRequestBody: boolean;
  /** Bits of IGNORE. */
  readonly ignoreHeaders: number;
  /** Lower-case names that are not passed to the client, defaults and hide/pass worked in. */
  readonly hidden: ReadonlySet<string>;
  /** The same for the names that have a kind (reply-name.ts), a bit each: most lines of most replies. */
  readonly hiddenKinds: number;
  readonly bind: LocalAddress | undefined;
  /** Bytes a second read from the upstream; undefined without a limit. */
  readonly limitRate: Template | undefined;
  readonly method: Template | undefined;
  /** Where replies are kept and found again. */
  readonly cache?: ReplyCache | undefined;
  /** `proxy_pass_trailers`; off where missing. */
  readonly passTrailers?: boolean;
  /** 1xx replies other than 100 and 101 are passed to the client (with `early_hints`); off where missing. */
  readonly passEarlyHints?: boolean;
  /** X-Accel-Buffering is not heeded (memcached, gRPC). */
  readonly fixedBuffering?: boolean;
  /** A 404 of the peer is ours (memcached). */
  readonly intercept404?: boolean;
}

/** What keeps replies for other requests (`proxy_cache`): the engine asks it at each step of an exchange. */
export interface ReplyCache {
  /** Before the first attempt. True: the request has been answered with a kept reply, or waits for one, or has failed. */
  begin(upstream: Upstream): boolean;
  /**
   * No further attempt follows on `reason` (bits of NEXT). True: a kept reply has answered. `failed`: there is no
   * reply at all, so that `stale-if-error` counts too.
   */
  standsIn(upstream: Upstream, reason: number, failed: boolean): boolean;
  /** A 304 to a condition of the cache's own. True: the kept reply is good again, and has answered. */
  revalidated(upstream: Upstream): boolean;
  /** The head is complete: decides whether the reply is kept, `upstream.cacheable`. */
  head(upstream: Upstream): void;
  /** A decoded piece of a reply that is kept. */
  body(upstream: Upstream, bytes: Uint8Array): void;
  /** The whole of it has come. */
  complete(upstream: Upstream): void;
  /** The exchange is over, with that verdict: what is not complete is let go. */
  close(upstream: Upstream, verdict: Verdict): void;
}

/** `client_body_temp_path` and its like: a folder with up to three levels of hashed folders inside. */
export interface TempPath {
  readonly path: string;
  readonly levels: readonly number[];
}

/** TLS to the peers of a location, or of a server of stream (`proxy_ssl_*`). */
export interface PeerTls<R extends Subject = Request> {
  readonly context: PeerContext;
  /** `proxy_ssl_name`; undefined: the group's. */
  readonly name: Template<R> | undefined;
  /** What ALPN offers (RFC 7301), as it goes on the wire; missing: nothing. */
  readonly alpn?: Uint8Array | undefined;
  /** The name is sent (`proxy_ssl_server_name`). */
  readonly sendsName: boolean;
  /** The peer's certificate must be good, and for that name. */
  readonly verifies: boolean;
  /** Gives a connection of OpenSSL's a certificate that variables name. '', or what went wrong. */
  readonly certify: ((subject: R, ssl: number) => string) | undefined;
}

/**
 * A protocol to upstream servers, bound to one location's configuration (proxy_pass with all around it).
 * One object per location; the state of one request is in Upstream and in the Reply.
 */
export interface Protocol {
  /** For messages: `http://`, `fastcgi://`. */
  readonly scheme: string;
  /** undefined: connections stay as they are. */
  readonly tls?: PeerTls | undefined;
  /** What follows the peer's name in messages: the path asked for (`/path?args`), or '' . */
  uri(request: Request, upstream: Upstream): string;
  /**
   * The request as bytes in a latin1 string, made once per request and sent again at each retry: the head,
   * and all else that is sent when there is no body (`upstream.hasBody` is false). undefined: it can't be made, which
   * has been logged.
   */
  head(request: Request, upstream: Upstream): string | undefined;
  /**
   * A piece of the request's body as it goes on the wire; `last` with the final (maybe empty) one. Only
   * called when `upstream.hasBody`. The result may refer to `bytes`, which the engine keeps valid until sent.
   */
  bodyPiece(upstream: Upstream, bytes: Uint8Array, last: boolean): readonly (string | Uint8Array)[];
  /** The wire form of a body piece is the piece itself: `bodyPiece` is not called. */
  readonly plainBody: boolean;
  /** A streamed body whose length is not known can't be sent (HTTP/1.0): it is read whole first. */
  readonly needsLength?: boolean;
  /** A connection is all that is wanted of a peer: nothing is sent, and the reply is made, not read (`feed` is called once). */
  readonly unasked?: boolean;
  /**
   * A reply says itself where it ends, also one without a body: after 204 and 304 it is read to there, so that the
   * connection can be kept. As in nginx, unless the upstream gave no reason phrase.
   */
  readonly endsApart?: boolean;
  /**
   * Reads the reply of a new attempt. Made for each attempt; may be taken from a pool of the protocol's. undefined: the
   * connection is not fit for one, which has been logged.
   */
  reply(request: Request, upstream: Upstream): Reply | undefined;
  /** The reply will not be fed again: it may go back to the protocol's pool. */
  done?(reply: Reply): void;
  /** Rewrites Location and the address in Refresh (proxy_redirect); undefined: they pass as they are, or this one does. */
  readonly rewriteRedirect: ((request: Request, value: string) => string | undefined) | undefined;
  /** Rewrites Set-Cookie (proxy_cookie_domain, _path, _flags). */
  readonly rewriteCookie: ((request: Request, value: string) => string) | undefined;
}

/**
 * How an attempt's request goes out where requests and replies share frames and the peer says how much it takes
 * (HTTP/2). Its body may go on behind the reply's head.
 */
export interface Channel {
  /** The bytes that begin the request: what `Protocol.head` made, in frames. `last`: no body follows. */
  open(head: string, last: boolean): string;
  /** Bytes of the body that a frame may have at present; 0: the peer has to say that it takes more. */
  readonly room: number;
  /** What stands before so many bytes of the body, which are sent at once. */
  dataHead(length: number, last: boolean): string;
}

/**
 * Reads one reply from the peer's bytes and pushes what it finds into the engine, in this order:
 * `upstream.onInterim()` for each 1xx but 101 (nothing of it is kept), `upstream.addLine(name, value)` for each
 * line with `upstream.head.status` and `statusLine` set, `upstream.onReplyHead()` once the head is complete,
 * `upstream.onReplyBody(bytes)` for each decoded piece, `upstream.onReplyEnd(keep)` at the end (or both at once by
 * `upstream.onReplyText(text, keep)`, which may be refused); `upstream.onReplyInvalid(message)` when it is not a
 * reply. Where one of these answers false the reply is of no more interest (another peer is tried, the request is
 * over): return at once and touch nothing.
 */
export interface Reply {
  /** How many of the bytes that brought the head's end stood behind it; set before `onReplyHead`. */
  readonly behindHead: number;
  /** The way of the request, where it has one of its own. */
  readonly channel?: Channel;
  /** `bytes` from `start` to `end` came; they are only there during the call. */
  feed(bytes: Buffer, start: number, end: number): void;
  /**
   * The peer has closed its side. Where that ends the reply in order (a body until close): `onReplyEnd(false)`;
   * else nothing: the engine reports the premature close.
   */
  end(): void;
}

export { ReplyHead } from './reply-head.ts';
