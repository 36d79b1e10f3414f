/** FastCGI as a client of responders: what `fastcgi_pass` speaks. One object per location. */
import type { Request } from '../../../http/request.ts';
import type { Protocol } from '../../contract.ts';
import type { Upstream } from '../../upstream.ts';
import { beginRequest, paramsStream, STDIN_END, stdinRecords } from './records.ts';
import { FastcgiReply, type ReplyConf } from './reply.ts';

/** As many replies as are kept for use again. */
const MOST_SPARE = 64;

export class FastcgiProtocol implements Protocol {
  readonly scheme = 'fastcgi://';
  readonly tls = undefined;
  readonly plainBody = false;
  readonly endsApart = true;
  readonly rewriteRedirect = undefined;
  readonly rewriteCookie = undefined;
  readonly #conf: ReplyConf;
  readonly #begin: string;
  readonly #params: (request: Request) => string;
  readonly #cacheParams: (request: Request) => string;
  readonly #spare: FastcgiReply[] = [];

  /**
   * `params` gives the name-value pairs of a request, see params.ts; `cacheParams` those of one whose reply is to be
   * kept.
   */
  constructor(
    conf: Omit<ReplyConf, 'spare'>,
    params: (request: Request) => string,
    cacheParams: ((request: Request) => string) | undefined = undefined,
  ) {
    const spare = this.#spare;
    this.#conf = {
      ...conf,
      spare: (reply) => {
        if (spare.length < MOST_SPARE) spare.push(reply);
      },
    };
    this.#begin = beginRequest(conf.keep);
    this.#params = params;
    this.#cacheParams = cacheParams ?? params;
  }

  uri(): string {
    return '';
  }

  head(request: Request, upstream: Upstream): string {
    const params = upstream.cacheable ? this.#cacheParams : this.#params;
    const text = this.#begin + paramsStream(params(request));
    return upstream.hasBody ? text : text + STDIN_END;
  }

  bodyPiece(_upstream: Upstream, bytes: Uint8Array, last: boolean): readonly (string | Uint8Array)[] {
    return stdinRecords(bytes, last);
  }

  reply(_request: Request, upstream: Upstream): FastcgiReply {
    const spare = this.#spare.pop();
    if (!spare) return new FastcgiReply(upstream, this.#conf);
    spare.restart(upstream);
    return spare;
  }

  done(reply: FastcgiReply): void {
    reply.retire();
  }
}
