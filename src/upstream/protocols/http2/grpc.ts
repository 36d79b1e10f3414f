/** gRPC as a client: HTTP/2 with the client's own path and trailers. */
import type { Request } from '../../../http/request.ts';
import { escapeUri } from '../../../http/uri.ts';
import type { PeerTls, Protocol, Reply } from '../../contract.ts';
import type { Upstream } from '../../upstream.ts';
import { bodyLength, type HeadOptions, NameSet } from '../http/request-head.ts';
import { beginReply } from './protocol.ts';
import { Http2Reply, type ReplyOptions } from './reply.ts';
import { type BlockBuilder, compileBlock } from './request-block.ts';

/** The client's lines of these names are not passed on. */
const DROPPED = [
  'content-length',
  'te',
  'host',
  'connection',
  'proxy-connection',
  'transfer-encoding',
  'keep-alive',
  'expect',
  'upgrade',
] as const;

/** What a location says about all of its requests. */
export class GrpcSettings {
  readonly block: BlockBuilder;
  readonly reply: ReplyOptions;
  /** Lines of the configuration take the place of these. */
  readonly ownLength: boolean;
  readonly ownTe: boolean;

  constructor(setHeaders: HeadOptions['setHeaders'], bufferSize: number) {
    const names = setHeaders.map(({ name }) => name.toLowerCase());
    this.block = compileBlock({
      setHeaders,
      passHeaders: true,
      excluded: new NameSet([...DROPPED, ...names]),
    });
    this.reply = { bufferSize, endsWithHead: true };
    this.ownLength = names.includes('content-length');
    this.ownTe = names.includes('te');
  }
}

/** The client's path as it came, or escaped again where it has been rewritten. */
const pathOf = (request: Request): string => {
  if (request.validTarget) return request.target;
  const path = escapeUri(request.uri);
  return request.args === '' ? path : `${path}?${request.args}`;
};

export class GrpcProtocol implements Protocol {
  readonly scheme: string;
  readonly plainBody = true;
  readonly rewriteRedirect = undefined;
  readonly rewriteCookie = undefined;

  constructor(
    readonly settings: GrpcSettings,
    /** Where `grpc_set_header` sets no Host. */
    readonly authority: string,
    readonly tls: PeerTls | undefined,
  ) {
    this.scheme = tls ? 'grpcs://' : 'grpc://';
  }

  uri(): string {
    return '';
  }

  head(request: Request, u: Upstream): string {
    const { settings, authority, tls } = this;
    return settings.block(request, {
      method: request.method,
      secure: tls !== undefined,
      path: pathOf(request),
      authority,
      added: this.#added(request, u),
    });
  }

  #added(request: Request, u: Upstream): readonly string[] {
    const { ownLength, ownTe } = this.settings;
    const added: string[] = [];
    const length = ownLength ? undefined : bodyLength(request, u);
    if (length !== undefined && length >= 0) added.push('content-length', `${length}`);
    if (!ownTe && /trailers/i.test(request.headers.get('te') ?? '')) added.push('te', 'trailers');
    return added;
  }

  /** Never called: the body goes over the reply's channel. */
  bodyPiece(_upstream: Upstream, bytes: Uint8Array): readonly Uint8Array[] {
    return [bytes];
  }

  reply({ method }: Request, u: Upstream): Reply | undefined {
    return beginReply(u, method, this.settings.reply);
  }

  done(reply: Reply): void {
    if (reply instanceof Http2Reply) reply.release();
  }
}
