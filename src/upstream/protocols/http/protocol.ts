/** HTTP/1 as a client: what `proxy_pass` speaks. One object per location, or per request where variables say where to go. */
import type { Request } from '../../../http/request.ts';
import type { Template } from '../../../http/template.ts';
import type { PeerTls, Protocol } from '../../contract.ts';
import { HeadMemory } from './head-memory.ts';
import { HttpReply, type ReplyOptions, type ReplyTarget } from './reply.ts';
import { compileHead, type HeadBuilder, type HeadOptions, type SentBody } from './request-head.ts';
import { requestUri, type Target } from './target.ts';

/** As many replies as are kept for use again. */
const MOST_SPARE = 64;

type Rewrite = ((request: Request, value: string) => string) | undefined;
type RewriteRedirect = ((request: Request, value: string) => string | undefined) | undefined;

/** What a location says about all of its requests, wherever they go. */
export interface HttpOptions extends HeadOptions, Omit<ReplyOptions, 'memory'> {
  /** A body may have to be sent in chunks. */
  readonly streams: boolean;
  /** In place of `setHeaders` where the reply is to be kept. */
  readonly cacheHeaders?: HeadOptions['setHeaders'] | undefined;
  readonly rewriteRedirect: RewriteRedirect;
  readonly rewriteCookie: Rewrite;
}

/** The compiled form, shared by the protocol objects of a location. */
export class HttpSettings {
  readonly head: HeadBuilder;
  /** For a reply that is to be kept. */
  readonly cacheHead: HeadBuilder;
  readonly reply: ReplyOptions;
  readonly version: number;
  readonly method: Template | undefined;
  readonly plainBody: boolean;
  readonly rewriteRedirect: RewriteRedirect;
  readonly rewriteCookie: Rewrite;
  readonly spare: HttpReply[] = [];

  constructor(options: HttpOptions) {
    this.head = compileHead(options);
    this.cacheHead = options.cacheHeaders
      ? compileHead({ ...options, setHeaders: options.cacheHeaders })
      : this.head;
    const { bufferSize, passTrailers, passesServer, passesDate } = options;
    this.reply = { bufferSize, passTrailers, passesServer, passesDate, memory: new HeadMemory() };
    this.version = options.version;
    this.method = options.method;
    this.plainBody = !options.streams || options.version < 1001;
    this.rewriteRedirect = options.rewriteRedirect;
    this.rewriteCookie = options.rewriteCookie;
  }
}

export class HttpProtocol implements Protocol {
  readonly scheme: string;
  readonly plainBody: boolean;
  readonly needsLength: boolean;
  readonly rewriteRedirect: RewriteRedirect;
  readonly rewriteCookie: Rewrite;

  constructor(
    readonly settings: HttpSettings,
    readonly target: Target,
    readonly tls?: PeerTls | undefined,
  ) {
    this.scheme = tls ? 'https://' : 'http://';
    this.plainBody = settings.plainBody;
    this.needsLength = settings.version < 1001;
    this.rewriteRedirect = settings.rewriteRedirect;
    this.rewriteCookie = settings.rewriteCookie;
  }

  uri(request: Request): string {
    return requestUri(request, this.target);
  }

  head(request: Request, sent: SentBody): string {
    const { head, cacheHead } = this.settings;
    return sent.cacheable === true ? cacheHead(request, sent, this.target) : head(request, sent, this.target);
  }

  bodyPiece(sent: SentBody, bytes: Uint8Array, last: boolean): readonly (string | Uint8Array)[] {
    if (sent.bodyLength >= 0) return [bytes];
    if (bytes.length === 0) return last ? ['0\r\n\r\n'] : [];
    return [`${bytes.length.toString(16)}\r\n`, bytes, last ? '\r\n0\r\n\r\n' : '\r\n'];
  }

  reply(request: Request, upstream: ReplyTarget): HttpReply {
    const { spare, reply: options } = this.settings;
    const reply = spare.pop() ?? new HttpReply(options);
    reply.begin(upstream, this.#asksForHead(request, upstream.asGet === true));
    return reply;
  }

  done(reply: HttpReply): void {
    const { spare } = this.settings;
    reply.release();
    if (spare.length < MOST_SPARE) spare.push(reply);
  }

  #asksForHead(request: Request, asGet: boolean): boolean {
    const { method } = this.settings;
    if (asGet) return false;
    const sent = method ? method.text(request) : request.method;
    return sent.length === 4 && sent.toUpperCase() === 'HEAD';
  }
}
