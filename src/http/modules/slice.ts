/** `slice`: a reply is fetched part by part, each a request of its own with `$slice_range` (ngx_http_slice_filter). */
import { type Context, directive } from '../../config/contract.ts';
import { size } from '../../config/parsers.ts';
import { ERROR as ERROR_LEVEL } from '../../log/levels.ts';
import { tagOf } from '../changed-body.ts';
import { prependFilter } from '../filter-chain.ts';
import { finalize } from '../finalize.ts';
import { httpModule } from '../module.ts';
import { type BodyFilter, type Data, LAST, NOTHING, NOWHERE, SYNC } from '../output.ts';
import { contextKey, type Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { IN_TURN, joinSubrequests, type SubrequestConf, subrequest } from '../subrequest.ts';
import { ERROR } from '../verdict.ts';
import { RangeSink } from './range-sink.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];
const LARGEST = 2 ** 53;

/** The parts of one client's request, and who asks for the next. */
class Slices implements BodyFilter {
  next = NOWHERE;
  /** The part that is asked for now has come. */
  arrived = false;
  /** The tag that all parts must have. */
  tag = '';
  /** Where the client's range ends; -1 before the first part is there. */
  #end = -1;
  /** The whole length. */
  length = 0;
  readonly #conf: SubrequestConf = { output: IN_TURN, clone: true, ended: () => this.#more() };

  constructor(
    readonly request: Request,
    readonly size: number,
    /** Where the part begins that is asked for now; once it has arrived, the next one. */
    public start: number,
  ) {}

  get range(): string {
    return `bytes=${this.start}-${this.start + this.size - 1}`;
  }

  write(request: Request, bytes: Data, flags: number): void {
    if (request.headerOnly) {
      this.next.write(request, bytes, flags);
      return;
    }
    if (this.#end < 0) {
      joinSubrequests(request);
      this.#findEnd(request);
    }
    const last = (flags & LAST) !== 0;
    // No filter shall keep back what stands before the next part.
    this.next.write(request, bytes, last ? (flags & ~LAST) | SYNC : flags);
    if (last) this.#more();
  }

  /** All header filters have run: what is left of the reply is known. */
  #findEnd({ out }: Request): void {
    if (out.status !== 206) {
      this.#end = this.length;
      return;
    }
    const { contentOffset } = out;
    if (this.start + this.size <= contentOffset) {
      this.start = this.size * Math.floor(contentOffset / this.size);
    }
    this.#end = contentOffset + out.contentLength;
  }

  /** Asks for the next part, or ends the reply. */
  #more(): void {
    const { request } = this;
    if (!this.arrived) {
      logRequest(request, ERROR_LEVEL, 'missing slice response');
      finalize(request, ERROR);
      return;
    }
    if (this.start >= this.#end) {
      this.next.write(request, NOTHING, LAST);
      return;
    }
    this.arrived = false;
    const part = subrequest(request, request.uri, request.args, this.#conf);
    if (part) part.setContext(SLICES, this);
    else finalize(request, ERROR);
  }
}
const SLICES = contextKey<Slices>('slice');

const digits = (text: string | undefined): number => {
  const number = Number(text);
  return number < LARGEST ? number : -1;
};

/** What `Content-Range: bytes 0-9/100` says: the first byte, the one behind the last, the length (-1: `*`). */
export const parseContentRange = (
  text: string,
): { readonly start: number; readonly end: number; readonly length: number } | undefined => {
  const match = /^bytes +(\d+) *- *(\d+) *\/ *(\d+|\*) *$/.exec(text);
  if (!match) return undefined;
  const start = digits(match[1]);
  const end = digits(match[2]);
  const length = match[3] === '*' ? -1 : digits(match[3]);
  return start < 0 || end < 0 || (length < 0 && match[3] !== '*')
    ? undefined
    : { start, end: end + 1, length };
};

/** Where the first part begins: the one that holds the start of the client's range. */
const firstByte = ({ headers }: Request): number => {
  if (headers.get('if-range') !== undefined) return 0;
  const match = /^bytes= *(\d+)[^,]*$/i.exec(headers.get('range') ?? '');
  return match ? Math.max(0, digits(match[1])) : 0;
};

/** Takes a part's head for that of the whole; a reason when it is not the part that was asked for. */
const accept = ({ out }: Request, slices: Slices): string | undefined => {
  const tag = tagOf(out);
  if (slices.tag !== '' && tag !== slices.tag) return 'etag mismatch in slice response';
  slices.tag = tag;
  const range = parseContentRange(out.line('content-range') ?? '');
  if (!range) return 'invalid range in slice response';
  if (range.length < 0) return 'no complete length in slice response';
  const end = Math.min(range.start + slices.size, range.length);
  if (range.start !== slices.start || range.end !== end) {
    return `unexpected range in slice response: ${range.start}-${range.end}, expected: ${slices.start}-${end}`;
  }
  slices.start = end;
  slices.arrived = true;
  slices.length = range.length;
  out.status = 200;
  out.statusLine = '';
  out.contentLength = range.length;
  out.contentOffset = range.start;
  out.remove('content-range');
  out.remove('accept-ranges');
  out.acceptRanges = true;
  out.singleRange = true;
  return undefined;
};

/** The client's range is cut from each part as it is from the first. */
const cut = (request: Request): void => {
  const { out } = request.main;
  if (out.status !== 206) return;
  const start = out.contentOffset;
  const range = { before: NOTHING, start, end: start + out.contentLength };
  prependFilter(request, new RangeSink([range], NOTHING, request.out.contentOffset));
};

const filter = (request: Request): void => {
  const slices = request.context(SLICES);
  if (!slices) return;
  const isMain = request === request.main;
  const { status } = request.out;
  if (status !== 206 && isMain) return;
  const reason =
    status === 206 ? accept(request, slices) : `unexpected status code ${status} in slice response`;
  if (reason !== undefined) {
    logRequest(request, ERROR_LEVEL, reason);
    request.refused = ERROR;
  } else if (isMain) {
    prependFilter(request, slices);
  } else {
    cut(request);
  }
};

export const sliceModule = httpModule({
  name: 'http_slice_filter',
  directives: { slice: directive(size, { in: WHERE, initial: 0 }) },
  variables: {
    slice_range: {
      get(request) {
        const known = request.context(SLICES);
        if (known) return known.range;
        if (request !== request.main || request.out.status !== 0) return undefined;
        const { slice } = request.location.confOf(sliceModule);
        if (slice === 0) return undefined;
        const slices = new Slices(request, slice, slice * Math.floor(firstByte(request) / slice));
        request.setContext(SLICES, slices);
        return slices.range;
      },
    },
  },
  filtersSubrequests: true,
  headerFilter: ({ slice }) => (slice === 0 ? undefined : filter),
});
