/** SCGI and uwsgi as a client: a request's parameters in one packet, the body behind it, and a CGI reply. */
import type { Request } from '../../../http/request.ts';
import { logRequest } from '../../../http/request-log.ts';
import { ALERT } from '../../../log/levels.ts';
import type { PeerTls, Protocol } from '../../contract.ts';
import type { Upstream } from '../../upstream.ts';
import type { PairForm } from '../fastcgi/params.ts';
import { CgiReply } from './reply.ts';

/** What makes the packet of a request: its parameters, and those of one whose reply is to be kept. */
export interface CgiParams {
  readonly params: (request: Request) => string;
  readonly cacheParams: (request: Request) => string;
}

/** Pairs of texts that end in a zero byte. */
export const SCGI_PAIRS: PairForm = {
  before: (name) => `${name}\0`,
  length: () => '',
  between: () => '',
  after: '\0',
};

const word = (number: number): string => String.fromCharCode(number & 0xff, (number >> 8) & 0xff);

/** Pairs behind their lengths, two bytes each. */
export const UWSGI_PAIRS: PairForm = {
  before: (name) => word(name.length) + name,
  length: word,
  between: () => '',
  after: '',
};

const LARGEST_PACKET = 65535;

abstract class CgiProtocol implements Protocol {
  abstract readonly scheme: string;
  readonly plainBody = true;
  readonly needsLength = true;
  readonly rewriteRedirect = undefined;
  readonly rewriteCookie = undefined;

  constructor(
    readonly settings: CgiParams,
    readonly tls: PeerTls | undefined,
  ) {}

  abstract head(request: Request, upstream: Upstream): string | undefined;

  protected params(request: Request, { cacheable }: Upstream): string {
    const { params, cacheParams } = this.settings;
    return cacheable ? cacheParams(request) : params(request);
  }

  uri(): string {
    return '';
  }

  bodyPiece(_upstream: Upstream, bytes: Uint8Array): readonly Uint8Array[] {
    return [bytes];
  }

  reply(request: Request, upstream: Upstream): CgiReply {
    return new CgiReply(request, upstream);
  }
}

export class ScgiProtocol extends CgiProtocol {
  readonly scheme = 'scgi://';

  head(request: Request, upstream: Upstream): string {
    const length = request.body?.length ?? Math.max(0, request.headers.contentLength);
    const packet = `CONTENT_LENGTH\0${length}\0${this.params(request, upstream)}`;
    return `${packet.length}:${packet},`;
  }
}

/** `uwsgi_modifier1`, `uwsgi_modifier2` and `uwsgi_string`. */
export interface UwsgiParams extends CgiParams {
  readonly modifiers: readonly [number, number];
  readonly string: string;
}

export class UwsgiProtocol extends CgiProtocol {
  readonly scheme: string;
  readonly #own: UwsgiParams;

  constructor(settings: UwsgiParams, tls: PeerTls | undefined) {
    super(settings, tls);
    this.scheme = tls ? 'suwsgi://' : 'uwsgi://';
    this.#own = settings;
  }

  head(request: Request, upstream: Upstream): string | undefined {
    const { modifiers, string } = this.#own;
    const packet = this.params(request, upstream) + string;
    if (packet.length > LARGEST_PACKET) {
      logRequest(request, ALERT, `uwsgi request is too big: ${packet.length}`);
      return undefined;
    }
    const [first, second] = modifiers;
    return String.fromCharCode(first) + word(packet.length) + String.fromCharCode(second) + packet;
  }
}
