/** `gunzip`: compressed replies are unpacked for clients that do not take them (ngx_http_gunzip_filter). */
import { type Context, directive } from '../../config/contract.ts';
import { bufs, flag } from '../../config/parsers.ts';
import { ERROR as ERROR_LEVEL } from '../../log/levels.ts';
import { clearEncoding, encodingOf, forgetLength, weakenTag } from '../changed-body.ts';
import { appendFilter } from '../filter-chain.ts';
import { terminate } from '../finalize.ts';
import { gzipOk } from '../gzip-accept.ts';
import { type Inflater, takeInflater } from '../inflater.ts';
import { httpModule } from '../module.ts';
import {
  type BodyFilter,
  type Data,
  FLUSH,
  LAST,
  NOTHING,
  NOWHERE,
  OWNED,
  type Producer,
} from '../output.ts';
import type { Request } from '../request.ts';
import { logFilter } from '../request-log.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];
/** zlib's numbers, for the log. */
const SYNC_FLUSH = 2;
const FINISH = 4;
const BUF_ERROR = -5;

/**
 * A small piece may unpack to a thousand times its size: where the client can't take more, the rest waits, and
 * the filter stands in for the reply's producer until it has been sent.
 */
class GunzipFilter implements BodyFilter, Producer {
  next = NOWHERE;
  #inflater: Inflater | undefined = takeInflater();
  /** Of the piece that is being unpacked. */
  #flags = 0;
  /** Pieces that came while one waits. */
  #waiting: { readonly bytes: Data; readonly flags: number }[] = [];
  #stalled = false;
  #producer: Producer | undefined = undefined;

  write(request: Request, bytes: Data, flags: number): void {
    const inflater = this.#inflater;
    if (!inflater) return;
    if (this.#stalled) {
      this.#waiting.push({ bytes: (flags & OWNED) === 0 ? Buffer.from(bytes) : bytes, flags });
      return;
    }
    this.#take(request, inflater, bytes, flags);
    if (!this.#unpack(request, inflater)) this.#stall(request, inflater);
  }

  #take(request: Request, inflater: Inflater, bytes: Data, flags: number): void {
    this.#flags = flags;
    const last = (flags & LAST) !== 0;
    const flush = (flags & FLUSH) !== 0;
    if (request.headerOnly) return;
    if (bytes.length > 0 || last || flush) inflater.take(bytes, flush, last);
  }

  /** Hands on what the piece holds. False: the client must take some first. */
  #unpack(request: Request, inflater: Inflater): boolean {
    while (inflater.more) {
      if (request.stream.congested) return false;
      const bytes = inflater.next();
      if (bytes.length > 0) this.next.write(request, bytes, 0);
      if (inflater.failure !== 0) this.#fail(request, inflater);
      if (request.finished) return true;
    }
    const flags = this.#flags & (LAST | FLUSH);
    if ((flags & LAST) !== 0) {
      this.#inflater = undefined;
      inflater.release();
    }
    if (flags !== 0) this.next.write(request, NOTHING, flags);
    return true;
  }

  #stall(request: Request, inflater: Inflater): void {
    if ((this.#flags & OWNED) === 0) inflater.keep();
    this.#stalled = true;
    this.#producer = request.producer;
    request.producer = this;
  }

  resumeOutput(request: Request): void {
    for (;;) {
      const inflater = this.#inflater;
      if (!inflater || !this.#unpack(request, inflater)) return;
      const piece = this.#waiting.shift();
      if (!piece || !this.#inflater) break;
      this.#take(request, this.#inflater, piece.bytes, piece.flags);
    }
    this.#stalled = false;
    if (request.producer !== this) return;
    const producer = this.#producer;
    request.producer = producer;
    if (!request.outputDone) producer?.resumeOutput(request);
  }

  abortOutput(request: Request): void {
    this.#inflater = undefined;
    this.#producer?.abortOutput(request);
  }

  #fail(request: Request, inflater: Inflater): void {
    // The end of an upstream's reply comes to nginx behind all of its bytes.
    const finishing = (this.#flags & LAST) !== 0 && !request.upstream;
    const mode = finishing ? FINISH : (this.#flags & FLUSH) !== 0 ? SYNC_FLUSH : 0;
    this.#inflater = undefined;
    const message =
      inflater.failure === BUF_ERROR
        ? `inflate() returned ${BUF_ERROR} on response end`
        : `inflate() failed: ${mode}, ${inflater.failure}`;
    logFilter(request, ERROR_LEVEL, message, 'body');
    terminate(request, 0);
  }
}

const filter = (request: Request): void => {
  const { out } = request;
  if (encodingOf(out).toLowerCase() !== 'gzip') return;
  out.gzipVary = true;
  if (gzipOk(request)) return;
  appendFilter(request, new GunzipFilter());
  clearEncoding(out);
  forgetLength(out);
  weakenTag(out);
};

export const gunzipModule = httpModule({
  name: 'http_gunzip_filter',
  filtersSubrequests: true,
  directives: {
    gunzip: directive(flag, { in: WHERE, initial: false }),
    gunzip_buffers: directive(bufs, { in: WHERE, initial: { number: 32, size: 4096 } }),
  },
  headerFilter: ({ gunzip }) => (gunzip ? filter : undefined),
});
