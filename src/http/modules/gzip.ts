/** `gzip`: replies compressed as they go (ngx_http_gzip_filter). */
import { type Args, type Context, directive, type Parser } from '../../config/contract.ts';
import { parseSize } from '../../config/numbers.ts';
import { bufs, flag, num, size, wordAt } from '../../config/parsers.ts';
import { encodingOf, forgetLength, weakenTag } from '../changed-body.ts';
import { type DeflateOptions, type Deflater, type Output, takeDeflater } from '../deflater.ts';
import { appendCoder } from '../filter-chain.ts';
import { gzipOk } from '../gzip-accept.ts';
import { hasType, type MimeTypes, mimeTypes, TEXT_HTML } from '../mime-types.ts';
import { type HeaderFilter, httpModule } from '../module.ts';
import { type BodyFilter, type Data, FLUSH, LAST, NOTHING, NOWHERE } from '../output.ts';
import { contextKey, type Request } from '../request.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];

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

/** How much went in and came out, for $gzip_ratio. */
interface Ratio {
  taken: number;
  given: number;
}
const RATIO = contextKey<Ratio>('gzip');

class GzipSink implements BodyFilter, Ratio, Output {
  next = NOWHERE;
  taken = 0;
  given = 0;
  #deflater: Deflater | undefined;

  constructor(
    readonly request: Request,
    options: DeflateOptions,
  ) {
    this.#deflater = takeDeflater(options);
  }

  deflated(bytes: Data): void {
    this.given += bytes.length;
    this.next.write(this.request, bytes, 0);
  }

  write(request: Request, bytes: Data, flags: number): void {
    const deflater = this.#deflater;
    if (!deflater) return;
    const last = (flags & LAST) !== 0;
    const flush = (flags & FLUSH) !== 0;
    this.taken += bytes.length;
    // A client that needs no body (HEAD) gets no compressed one made.
    if (!request.headerOnly && (bytes.length > 0 || last || flush)) deflater.write(bytes, flush, last, this);
    if (last) {
      this.#deflater = undefined;
      deflater.release();
    }
    if (last || flush) this.next.write(request, NOTHING, flags & (LAST | FLUSH));
  }
}

/** The window and memory that a body of `length` bytes needs; -1 when it is not known. */
const fitted = (conf: DeflateOptions, length: number): DeflateOptions => {
  let { windowBits, memLevel } = conf;
  while (length > 0 && windowBits > 9 && length < (1 << (windowBits - 1)) - 262) {
    windowBits--;
    if (memLevel > 1) memLevel--;
  }
  return { level: conf.level, windowBits, memLevel };
};

interface GzipConf {
  readonly gzip_min_length: number;
  readonly gzip_types: MimeTypes;
}

const makeFilter = (conf: GzipConf, deflate: DeflateOptions): HeaderFilter => {
  const { gzip_min_length: least, gzip_types: types } = conf;
  return (request) => {
    const { out } = request;
    const { status, contentLength } = out;
    if (status !== 200 && status !== 403 && status !== 404) return;
    if ((contentLength !== -1 && contentLength < least) || !hasType(types, out)) return;
    if (encodingOf(out) !== '') return;
    out.gzipVary = true;
    if (!gzipOk(request)) return;
    const sink = new GzipSink(request, fitted(deflate, contentLength));
    appendCoder(request, sink);
    request.setContext<Ratio>(RATIO, sink);
    out.contentEncoding = 'gzip';
    forgetLength(out);
    weakenTag(out);
  };
};

/** nginx's rounding: two decimals, half up by the third. */
const ratioText = ({ taken, given }: Ratio): string => {
  let hundredths = Math.floor((taken * 100) / given);
  if (Math.floor((taken * 1000) / given) % 10 > 4) hundredths++;
  return `${Math.floor(hundredths / 100)}.${String(hundredths % 100).padStart(2, '0')}`;
};

export const gzipModule = httpModule({
  name: 'http_gzip_filter',
  directives: {
    gzip: directive(flag, { in: [...WHERE, 'if-in-location'], initial: false }),
    gzip_types: directive<MimeTypes>(mimeTypes(new Set(['text/html'])), { in: WHERE, initial: TEXT_HTML }),
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
        const ratio = request.context(RATIO);
        return ratio && ratio.given > 0 ? ratioText(ratio) : undefined;
      },
    },
  },
  headerFilter(conf) {
    if (!conf.gzip) return undefined;
    const { gzip_comp_level: level, gzip_window: windowBits, gzip_hash: hash } = conf;
    return makeFilter(conf, { level, windowBits, memLevel: hash - 8 });
  },
});
