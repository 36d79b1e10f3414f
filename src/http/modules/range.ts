/** Byte ranges (RFC 9110 section 14, ngx_http_range_filter). */
import { lastModifiedOf, tagOf } from '../changed-body.ts';
import { prependFilter } from '../filter-chain.ts';
import { KNOWN } from '../header-names.ts';
import { parseHttpDate } from '../http-date.ts';
import { httpModule } from '../module.ts';
import { NOTHING } from '../output.ts';
import type { Request } from '../request.ts';
import { type RangePart, RangeSink } from './range-sink.ts';

const RANGE = KNOWN.range;
const IF_RANGE = KNOWN['if-range'];
/** Without `max_ranges`, several ranges must be worth their heads: fewer bytes than the body and this. */
const SLACK = 4096;
const HEAD_COST = 256;
const LARGEST = 2 ** 63;

interface Range {
  readonly start: number;
  readonly end: number;
}

/** What a Range header asks for: ranges, a status, or that the whole body is sent. */
export type Asked = readonly Range[] | 416 | 'all';

/** Reads what follows `bytes=`. `most`: how many ranges are allowed; `length`: bytes of the whole body. */
export const parseRanges = (text: string, length: number, most: number): Asked => {
  const ranges: Range[] = [];
  let size = 0;
  const items = text.split(',');
  for (const item of items) {
    const match = /^ *(\d*) *- *(\d*) *$/.exec(item);
    if (!match) return 416;
    const [, first = '', last = ''] = match;
    // A suffix has its number right behind the dash.
    if (first === '' && !/^ *-\d/.test(item)) return 416;
    const from = Number(first);
    const to = Number(last);
    if (from >= LARGEST || to >= LARGEST) return 416;
    let start = from;
    let end: number;
    if (first === '') {
      start = to < length ? length - to : 0;
      end = length;
    } else if (last === '') end = length;
    else end = to >= length ? length : to + 1;
    if (start < end) {
      ranges.push({ start, end });
      size += end - start;
      if (ranges.length > most) return 'all';
    } else if (start === 0) {
      return 'all';
    }
  }
  if (ranges.length === 0) return 416;
  if (ranges.length === 1) return ranges;
  if (size > length) return 'all';
  if (most === Number.MAX_SAFE_INTEGER && size + ranges.length * HEAD_COST > length + SLACK) return 'all';
  return ranges;
};

/** Whether the copy that If-Range names is the one that would be sent. */
const sameCopy = (request: Request, ifRange: string): boolean => {
  const { out } = request;
  if (ifRange.length >= 2 && ifRange.endsWith('"')) return ifRange === tagOf(out);
  const modified = lastModifiedOf(out);
  return modified !== -1 && parseHttpDate(ifRange) === modified;
};

let boundaries = Math.floor(Math.random() * 1_000_000);
/** Twenty digits that divide the parts of one reply. */
const nextBoundary = (): string => String(++boundaries).padStart(20, '0');

const singlePart = (request: Request, { start, end }: Range): void => {
  const { out } = request;
  out.remove('content-range');
  out.add('Content-Range', `bytes ${start}-${end - 1}/${out.contentLength}`);
  out.contentLength = end - start;
  prependFilter(request, new RangeSink([{ before: NOTHING, start, end }], NOTHING, out.contentOffset));
  out.contentOffset = start;
};

const multipart = (request: Request, ranges: readonly Range[]): void => {
  const { out } = request;
  const boundary = nextBoundary();
  const type = out.contentType === '' ? '' : `\r\nContent-Type: ${out.sentType}`;
  const after = Buffer.from(`\r\n--${boundary}--\r\n`);
  let length = after.length;
  const parts = ranges.map(({ start, end }): RangePart => {
    const head = `\r\n--${boundary}${type}\r\nContent-Range: bytes ${start}-${end - 1}/${out.contentLength}\r\n\r\n`;
    const before = Buffer.from(head, 'latin1');
    length += before.length + end - start;
    return { before, start, end };
  });
  out.remove('content-range');
  out.contentType = `multipart/byteranges; boundary=${boundary}`;
  out.charset = '';
  out.typeLength = -1;
  out.contentLength = length;
  prependFilter(request, new RangeSink(parts, after));
};

const filter = (request: Request): void => {
  const { out, headers } = request;
  if (!out.acceptRanges) return;
  const { max_ranges: most } = request.location.core;
  if (request.version < 1000 || out.status !== 200 || out.contentLength === -1 || most === 0) {
    out.acceptRanges = false;
    return;
  }
  let range: string | undefined;
  let ifRange: string | undefined;
  const { names, values } = headers;
  for (let i = 0; i < names.length; i++) {
    const known = names[i]?.known ?? 0;
    if (known === RANGE) range ??= values[i];
    else if (known === IF_RANGE) ifRange ??= values[i];
  }
  if (range === undefined || range.length < 7 || range.slice(0, 6).toLowerCase() !== 'bytes=') return;
  if (ifRange !== undefined && !sameCopy(request, ifRange)) return;
  const asked = parseRanges(range.slice(6), out.contentLength, out.singleRange ? 1 : most);
  if (asked === 'all') return;
  out.acceptRanges = false;
  if (asked === 416) {
    out.remove('content-range');
    out.add('Content-Range', `bytes */${out.contentLength}`);
    out.contentLength = -1;
    request.refused = 416;
    return;
  }
  out.status = 206;
  out.statusLine = '';
  const [first] = asked;
  if (asked.length === 1 && first) singlePart(request, first);
  else multipart(request, asked);
};

export const rangeModule = httpModule({
  name: 'http_range_filter',
  directives: {},
  headerFilter: () => filter,
});
