/** `add_header`, `add_trailer` and `expires` (ngx_http_headers_filter). */
import { type Args, type Context, directive, type Parser } from '../../config/contract.ts';
import { wordAt } from '../../config/parsers.ts';
import { HTTP } from '../build.ts';
import { appendFilter } from '../filter-chain.ts';
import { type HeaderFilter, httpModule } from '../module.ts';
import { type BodyFilter, type Data, LAST, NOWHERE } from '../output.ts';
import type { Request } from '../request.ts';
import type { Template } from '../template.ts';
import { EXPIRES_OFF, type Expires, expiresParser, setExpires } from './expires.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location', 'if-in-location'];

interface Line {
  readonly name: string;
  readonly lower: string;
  readonly value: Template;
  /** Added whatever the status. */
  readonly always: boolean;
}

/** The lines of a level and how they meet those of the level around it; undefined where nothing is set. */
interface Lines {
  readonly list: readonly Line[] | undefined;
  readonly inherit: 'off' | 'on' | 'merge' | undefined;
}

const INHERIT = ['off', 'on', 'merge'] as const;

const setInherit = (args: Args, own: Lines | undefined): Lines => {
  const word = wordAt(args, 0);
  if (own?.inherit !== undefined) args.failDirective('is duplicate');
  const inherit = INHERIT.find((name) => name === word.text.toLowerCase());
  return { list: own?.list, inherit: inherit ?? args.fail(`invalid value "${word.text}"`, word) };
};

const lines: Parser<Lines> = {
  arity: { min: 1, max: 3 },
  repeats: true,
  parse(args, own) {
    const count = args.words.length;
    if (args.name.endsWith('_inherit') ? count !== 1 : count < 2) {
      args.fail(`invalid number of arguments in "${args.name}" directive`);
    }
    if (count === 1) return setInherit(args, own);
    const third = args.words[2];
    if (third && third.text !== 'always') args.fail(`invalid parameter "${third.text}"`, third);
    const name = wordAt(args, 0).text;
    const value = args.scope.need(HTTP).template(wordAt(args, 1).text, args.place);
    const line: Line = { name, lower: name.toLowerCase(), value, always: third !== undefined };
    return { list: [...(own?.list ?? []), line], inherit: own?.inherit };
  },
};

const mergeLines = (own: Lines | undefined, outer: Lines): Lines => {
  if (!own && (outer.inherit !== 'off' || !outer.list)) return outer;
  const inherit = own?.inherit ?? outer.inherit;
  if (inherit === 'off') return { list: own?.list, inherit };
  if (!own?.list) return { list: outer.list, inherit };
  return { list: inherit === 'merge' ? [...own.list, ...(outer.list ?? [])] : own.list, inherit };
};

const NO_LINES: Lines = { list: undefined, inherit: undefined };

/** Statuses that lines without `always` and `expires` are for. */
const SAFE = new Set([200, 201, 204, 206, 301, 302, 303, 304, 307, 308]);

/** The one line of its kind: it takes the place of what is there, and takes it away when it is empty. */
const setLine = (request: Request, { name, lower }: Line, text: string): void => {
  const { out } = request;
  if (lower === 'etag') out.etag = '';
  else out.lastModified = -1;
  if (text === '') out.remove(lower);
  else out.replace(lower, name, text);
};

const addLine = (request: Request, line: Line): void => {
  const { name, lower, value } = line;
  const text = value.text(request);
  if (lower === 'last-modified' || lower === 'etag') setLine(request, line, text);
  else if (text !== '') request.out.lines.push(name, text);
};

/** Adds the trailer lines when the body has come to its end: their variables may tell of it. */
class TrailerSink implements BodyFilter {
  next = NOWHERE;

  constructor(
    readonly lines: readonly Line[],
    readonly safe: boolean,
  ) {}

  write(request: Request, bytes: Data, flags: number): void {
    const { trailers } = request.out;
    if ((flags & LAST) !== 0 && trailers) {
      for (const { name, value, always } of this.lines) {
        const text = this.safe || always ? value.text(request) : '';
        if (text !== '') trailers.push(name, text);
      }
    }
    this.next.write(request, bytes, flags);
  }
}

const makeFilter = (headers: readonly Line[], trailers: readonly Line[], expires: Expires): HeaderFilter => {
  const hasExpires = expires.kind !== 'off' || expires.template !== undefined;
  const trailersAlways = trailers.some(({ always }) => always);
  return (request) => {
    const safe = SAFE.has(request.out.status);
    if (hasExpires && safe) setExpires(request, expires);
    for (let i = 0; i < headers.length; i++) {
      const line = headers[i];
      if (line && (safe || line.always)) addLine(request, line);
    }
    if (trailers.length === 0 || !(safe || trailersAlways)) return;
    request.out.trailers ??= [];
    appendFilter(request, new TrailerSink(trailers, safe));
  };
};

export const headersModule = httpModule({
  name: 'http_headers_filter',
  directives: {
    headers: directive<Lines>(lines, {
      in: WHERE,
      names: ['add_header', 'add_header_inherit'],
      initial: NO_LINES,
      merge: mergeLines,
    }),
    trailers: directive<Lines>(lines, {
      in: WHERE,
      names: ['add_trailer', 'add_trailer_inherit'],
      initial: NO_LINES,
      merge: mergeLines,
    }),
    expires: directive<Expires>(expiresParser, { in: WHERE, initial: EXPIRES_OFF }),
  },
  headerFilter({ headers, trailers, expires }) {
    const [added, ended] = [headers.list ?? [], trailers.list ?? []];
    if (added.length === 0 && ended.length === 0 && expires.kind === 'off') return undefined;
    return makeFilter(added, ended, expires);
  },
});
