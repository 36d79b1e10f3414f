/** HTTP/2 as a client: what `proxy_pass` speaks with `proxy_http_version 2`, and what gRPC stands on. */
import type { Request } from '../../../http/request.ts';
import { logRequest } from '../../../http/request-log.ts';
import type { Template } from '../../../http/template.ts';
import { ERROR } from '../../../log/levels.ts';
import type { PeerTls, Protocol, Reply } from '../../contract.ts';
import type { Upstream } from '../../upstream.ts';
import { bodyLength, exclusionsOf, type HeadOptions } from '../http/request-head.ts';
import { requestUri, type Target } from '../http/target.ts';
import { Http2Link } from './link.ts';
import { Http2Reply, type ReplyOptions } from './reply.ts';
import { type BlockBuilder, compileBlock } from './request-block.ts';
import { Http2Stream } from './stream.ts';

type Rewrite = ((request: Request, value: string) => string) | undefined;
type RewriteRedirect = ((request: Request, value: string) => string | undefined) | undefined;

/** `h2`, as ALPN offers it. */
export const H2_ALPN: Uint8Array = Buffer.from('\x02h2');

const isHead = (method: string): boolean => method.length === 4 && method.toUpperCase() === 'HEAD';

/** The stream of a new attempt; undefined: its connection was another protocol's before, which is logged. */
const beginStream = (u: Upstream): Http2Stream | undefined => {
  const { connection, peerConnection, cached } = u;
  if (!connection || !peerConnection) return undefined;
  if (!cached) peerConnection.link = new Http2Link();
  const { link } = peerConnection;
  if (link instanceof Http2Link) return new Http2Stream(connection, link);
  logRequest(u.request, ERROR, 'no connection data found for keepalive http2 connection');
  return undefined;
};

/** The reply on a new stream; undefined: there can't be one, which has been logged. */
export const beginReply = (u: Upstream, method: string, options: ReplyOptions): Reply | undefined => {
  const stream = beginStream(u);
  return stream && new Http2Reply(u, stream, isHead(method), options);
};

/** What a location says about all of its requests, wherever they go. */
export interface Http2Options extends Omit<HeadOptions, 'version'> {
  readonly bufferSize: number;
  /** In place of `setHeaders` where the reply is to be kept. */
  readonly cacheHeaders?: HeadOptions['setHeaders'] | undefined;
  readonly rewriteRedirect: RewriteRedirect;
  readonly rewriteCookie: Rewrite;
}

/** The compiled form, shared by the protocol objects of a location. */
export class Http2Settings {
  readonly block: BlockBuilder;
  /** For a reply that is to be kept. */
  readonly cacheBlock: BlockBuilder;
  /** A line of the configuration says how long the body is. */
  readonly ownLength: boolean;
  readonly reply: ReplyOptions;
  readonly rewriteRedirect: RewriteRedirect;
  readonly rewriteCookie: Rewrite;

  constructor(readonly options: Http2Options) {
    const { setHeaders, cacheHeaders, passHeaders } = options;
    const compile = (headers: HeadOptions['setHeaders']): BlockBuilder =>
      compileBlock({
        setHeaders: headers,
        passHeaders,
        excluded: exclusionsOf(headers.map(({ name }) => name)),
      });
    this.block = compile(setHeaders);
    this.cacheBlock = cacheHeaders ? compile(cacheHeaders) : this.block;
    this.reply = { bufferSize: options.bufferSize, endsWithHead: false };
    this.rewriteRedirect = options.rewriteRedirect;
    this.rewriteCookie = options.rewriteCookie;
    this.ownLength = setHeaders.some(({ name }) => name.toLowerCase() === 'content-length');
  }

  get method(): Template | undefined {
    return this.options.method;
  }
}

export class Http2Protocol implements Protocol {
  readonly scheme: string;
  readonly plainBody = true;
  readonly rewriteRedirect: RewriteRedirect;
  readonly rewriteCookie: Rewrite;
  readonly tls: PeerTls | undefined;

  constructor(
    readonly settings: Http2Settings,
    readonly target: Target,
    tls: PeerTls | undefined,
  ) {
    this.scheme = tls ? 'https://' : 'http://';
    this.tls = tls;
    this.rewriteRedirect = settings.rewriteRedirect;
    this.rewriteCookie = settings.rewriteCookie;
  }

  /** As nginx, which knows it for the key of a kept reply alone. */
  uri(request: Request, { conf }: Upstream): string {
    return conf.cache ? requestUri(request, this.target) : '';
  }

  #method(request: Request, { asGet }: Upstream): string {
    const { method } = this.settings;
    if (asGet) return 'GET';
    return method ? method.text(request) : request.method;
  }

  head(request: Request, u: Upstream): string | undefined {
    const { settings, target } = this;
    const path = requestUri(request, target);
    if (path === '') {
      logRequest(request, ERROR, 'zero length URI to proxy');
      return undefined;
    }
    u.substitute = settings.options.body?.text(request) ?? '';
    const build = u.cacheable ? settings.cacheBlock : settings.block;
    return build(request, {
      method: this.#method(request, u),
      secure: this.tls !== undefined,
      path,
      authority: target.hostHeader,
      added: this.#length(request, u),
    });
  }

  #length(request: Request, u: Upstream): readonly string[] {
    const { ownLength, options } = this.settings;
    if (ownLength) return [];
    const length = options.body ? u.substitute.length : bodyLength(request, u);
    return length === undefined || length < 0 ? [] : ['content-length', `${length}`];
  }

  /** Never called: the body goes over the reply's channel. */
  bodyPiece(_upstream: Upstream, bytes: Uint8Array): readonly Uint8Array[] {
    return [bytes];
  }

  reply(request: Request, u: Upstream): Reply | undefined {
    return beginReply(u, this.#method(request, u), this.settings.reply);
  }

  done(reply: Reply): void {
    if (reply instanceof Http2Reply) reply.release();
  }
}
