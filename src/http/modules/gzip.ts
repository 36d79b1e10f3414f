/** `gzip`: replies compressed as they go (ngx_http_gzip_filter). */
import { type Args, type Context, directive, type Parser } from '../../config/contract.ts';
import { parseSize } from '../../config/numbers.ts';
import { bufs, flag, num, size, wordAt } from '../../config/parsers.ts';
import { encodingOf, forgetLength, weakenTag } from '../changed-body.ts';
import {
  type DeflateOptions,
  type Deflater,
  type DeflaterPool,
  deflaterPool,
  type Output,
} from '../deflater.ts';
import { fileMemory } from '../file-memory.ts';
import { appendCoder, isFilter } from '../filter-chain.ts';
import { gzipOk } from '../gzip-accept.ts';
import { hasType, type MimeTypes, mimeTypes, TEXT_HTML } from '../mime-types.ts';
import { type HeaderFilter, httpModule } from '../module.ts';
import { type BodyFilter, type Data, FLUSH, LAST, NOTHING, NOWHERE, OWNED } from '../output.ts';
import type { Request } from '../request.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];
/** Bytes of zlib's window that it does not look back over. */
const OVERHEAD = 262;

/** A size that is a power of two, as its exponent: 9 for 512. */
const power = (least: number, most: number, names: string): Parser<number> => ({
  arity: 1,
  parse(args: Args) {
    const word = wordAt(args, 0);
    const bytes = parseSize(word.text);
    if (bytes === undefined) return args.failDirective('invalid value', word);
    const exponent = Math.log2(bytes);
    if (!Number.isInteger(exponent) || exponent < least || exponent > most) {
      return args.failDirective(`must be ${names}`, word);
    }
    return exponent;
  },
});

class GzipSink implements BodyFilter, Output {
  next = NOWHERE;
  /** How much went in and came out. */
  taken = 0;
  given = 0;
  #deflater: Deflater | undefined = undefined;
  /** What is passed on with the last bytes of the present piece. */
  #flags = 0;
  /** Copies of what comes out, where that will be wanted again. */
  #copies: Data[] | undefined = undefined;

  constructor(
    readonly request: Request,
    readonly pool: DeflaterPool,
  ) {}

  write(request: Request, bytes: Data, flags: number): void {
    this.#flags = flags & (LAST | FLUSH);
    // A client that needs no body (HEAD) gets no compressed one made.
    if (request.headerOnly || (bytes.length === 0 && this.#flags === 0)) {
      if (this.#flags !== 0) this.next.write(request, NOTHING, this.#flags);
      return;
    }
    const whole = this.taken === 0 && (flags & (LAST | OWNED)) === (LAST | OWNED);
    this.taken += bytes.length;
    if (whole && fileMemory.holds(bytes)) this.#passKept(request, bytes);
    else this.#deflate(bytes);
  }

  #deflate(bytes: Data): void {
    this.#deflater ??= this.pool.take();
    const deflater = this.#deflater;
    const last = (this.#flags & LAST) !== 0;
    deflater.write(bytes, (this.#flags & FLUSH) !== 0, last, this);
    if (!last) return;
    this.#deflater = undefined;
    this.pool.give(deflater);
  }

  deflated(bytes: Data, end: boolean): void {
    this.given += bytes.length;
    this.#copies?.push(Buffer.from(bytes));
    const flags = end ? this.#flags : 0;
    if (bytes.length > 0 || flags !== 0) this.next.write(this.request, bytes, flags);
  }

  /** A file that stays in memory is compressed once. */
  #passKept(request: Request, bytes: Data): void {
    const form = fileMemory.form(bytes, this.pool);
    if (form) {
      this.given = form.length;
      this.next.write(request, form, this.#flags | OWNED);
      return;
    }
    const copies: Data[] = [];
    this.#copies = copies;
    this.#deflate(bytes);
    fileMemory.keepForm(bytes, this.pool, Buffer.concat(copies));
  }
}

/** The deflaters for bodies of each length: those of the smallest window that is enough. */
const poolsOf = (conf: DeflateOptions): ((length: number) => DeflaterPool) => {
  const { level } = conf;
  const whole = deflaterPool(conf);
  const pools: { readonly enough: number; readonly pool: DeflaterPool }[] = [];
  let { windowBits, memLevel } = conf;
  for (; windowBits > 9; windowBits--) {
    pools.push({
      enough: (1 << (windowBits - 1)) - OVERHEAD,
      pool: deflaterPool({ level, windowBits, memLevel }),
    });
    if (memLevel > 1) memLevel--;
  }
  const least = deflaterPool({ level, windowBits, memLevel });
  return (length) => {
    if (length <= 0) return whole;
    for (let i = 0; i < pools.length; i++) {
      const one = pools[i];
      if (one && length >= one.enough) return one.pool;
    }
    return least;
  };
};

interface GzipConf {
  readonly gzip_min_length: number;
  readonly gzip_types: MimeTypes;
}

const makeFilter = (conf: GzipConf, deflate: DeflateOptions): HeaderFilter => {
  const { gzip_min_length: least, gzip_types: types } = conf;
  const poolFor = poolsOf(deflate);
  return (request) => {
    const { out } = request;
    const { status, contentLength } = out;
    if (status !== 200 && status !== 403 && status !== 404) return;
    if ((contentLength !== -1 && contentLength < least) || !hasType(types, out)) return;
    if (encodingOf(out) !== '') return;
    out.gzipVary = true;
    if (!gzipOk(request)) return;
    appendCoder(request, new GzipSink(request, poolFor(contentLength)));
    out.contentEncoding = 'gzip';
    forgetLength(out);
    weakenTag(out);
  };
};

/** The one of a request's sinks that compresses. */
const sinkOf = (request: Request): GzipSink | undefined => {
  let sink = request.sink;
  while (!(sink instanceof GzipSink)) {
    if (!isFilter(sink)) return undefined;
    sink = sink.next;
  }
  return sink;
};

/** nginx's rounding: two decimals, half up by the third. */
const ratioText = ({ taken, given }: GzipSink): string => {
  let hundredths = Math.floor((taken * 100) / given);
  if (Math.floor((taken * 1000) / given) % 10 > 4) hundredths++;
  return `${Math.floor(hundredths / 100)}.${String(hundredths % 100).padStart(2, '0')}`;
};

export const gzipModule = httpModule({
  name: 'http_gzip_filter',
  directives: {
    gzip: directive(flag, { in: [...WHERE, 'if-in-location'], initial: false }),
    gzip_types: directive<MimeTypes>(mimeTypes, { in: WHERE, initial: TEXT_HTML }),
    gzip_min_length: directive(size, { in: WHERE, initial: 20 }),
    gzip_comp_level: directive(num({ min: 1, max: 9 }), { in: WHERE, initial: 1 }),
    gzip_window: directive(power(9, 15, '512, 1k, 2k, 4k, 8k, 16k, or 32k'), { in: WHERE, initial: 15 }),
    gzip_hash: directive(power(9, 17, '512, 1k, 2k, 4k, 8k, 16k, 32k, 64k, or 128k'), {
      in: WHERE,
      initial: 16,
    }),
    gzip_buffers: directive(bufs, { in: WHERE, initial: { number: 32, size: 4096 } }),
    gzip_no_buffer: directive(flag, { in: WHERE, initial: false }),
    postpone_gzipping: directive(size, { in: WHERE, initial: 0 }),
  },
  variables: {
    gzip_ratio: {
      get(request) {
        const sink = sinkOf(request.main);
        return sink && sink.given > 0 ? ratioText(sink) : undefined;
      },
    },
  },
  headerFilter(conf) {
    if (!conf.gzip) return undefined;
    const { gzip_comp_level: level, gzip_window: windowBits, gzip_hash: hash } = conf;
    return makeFilter(conf, { level, windowBits, memLevel: hash - 8 });
  },
});
