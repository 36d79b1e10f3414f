/** `charset`: the charset that a reply is said to be in, and recoding to it (ngx_http_charset_filter). */
import {
  type Args,
  ConfError,
  type Context,
  directive,
  type Parser,
  type Scope,
} from '../../config/contract.ts';
import { flag, wordAt } from '../../config/parsers.ts';
import { ERROR as ERROR_LEVEL } from '../../log/levels.ts';
import { HTTP } from '../build.ts';
import { encodingOf } from '../changed-body.ts';
import { appendFilter } from '../filter-chain.ts';
import { bareType, hasType, type MimeTypes, mimeTypes } from '../mime-types.ts';
import { type HeaderFilter, httpModule } from '../module.ts';
import { type BodyFilter, type Data, FLUSH, LAST, NOWHERE, OWNED } from '../output.ts';
import type { Request } from '../request.ts';
import { logFilter } from '../request-log.ts';
import type { VariableRef } from '../variables.ts';
import { ERROR } from '../verdict.ts';
import { CHARSETS, Charsets, charsetMap } from './charset-maps.ts';
import type { Recoder } from './charset-recode.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];
const WHERE_IF: readonly Context[] = [...WHERE, 'if-in-location'];
const TYPES: MimeTypes = new Set([
  'text/html',
  'text/xml',
  'text/plain',
  'text/vnd.wap.wml',
  'application/javascript',
  'application/rss+xml',
]);

/** The name of a charset, or the variable that holds one. */
type CharsetName = string | VariableRef;
/** What no charset is called. */
const OFF = '';

const nameOf = (args: Args): CharsetName => {
  const { text } = wordAt(args, 0);
  if (text.startsWith('$')) return args.scope.need(HTTP).variables.use(text.slice(1), args.place);
  return args.scope.need(CHARSETS).add(text);
};

const charset: Parser<CharsetName> = {
  arity: 1,
  parse: (args) => (wordAt(args, 0).text === 'off' ? OFF : nameOf(args)),
};
const sourceCharset: Parser<CharsetName> = { arity: 1, parse: nameOf };

class CharsetFilter implements BodyFilter {
  next = NOWHERE;

  constructor(readonly recoder: Recoder) {}

  write(request: Request, bytes: Data, flags: number): void {
    const recoded = this.recoder.recode(bytes);
    if (recoded.length === 0 && (flags & (FLUSH | LAST)) === 0) return;
    this.next.write(request, recoded, recoded === bytes ? flags : flags | OWNED);
  }
}

interface CharsetConf {
  readonly charset: CharsetName;
  readonly source_charset: CharsetName;
  readonly override_charset: boolean;
  readonly charset_types: MimeTypes;
}

const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

/** The value of a name here; ERROR: its variable has none. */
const charsetOf = (name: CharsetName, request: Request): string | typeof ERROR =>
  typeof name === 'string' ? name : (name.get(request) ?? ERROR);

/** What the reply shall be in; undefined: as it is. */
const wanted = (
  request: Request,
  conf: CharsetConf,
  charsets: Charsets,
): string | typeof ERROR | undefined => {
  const { out, main } = request;
  // What joins another reply is recoded to that one's charset.
  if (request !== main) return main.out.charset === '' ? undefined : main.out.charset;
  if (out.contentType === '') return undefined;
  if (out.wantedCharset !== '') {
    if (charsets.has(out.wantedCharset)) return out.wantedCharset;
    logFilter(request, ERROR_LEVEL, `unknown charset "${out.wantedCharset}" to override`, 'head');
    return undefined;
  }
  if (conf.charset === OFF) return undefined;
  if (out.charset === '' ? !hasType(conf.charset_types, out) : !conf.override_charset) return undefined;
  return charsetOf(conf.charset, request);
};

/** What the reply is in; OFF when nobody says. */
const present = ({ out }: Request, conf: CharsetConf): CharsetName =>
  out.charset === '' ? conf.source_charset : out.charset;

const setCharset = (request: Request, name: string): void => {
  const { out } = request;
  if (request !== request.main) return;
  // Old browsers would take the charset of a redirect for that of the page behind it.
  const redirects = out.status === 301 || out.status === 302;
  out.charset = redirects ? '' : name;
};

/** The type as the upstream wrote it no longer says the charset. */
const cutType = ({ out }: Request): void => {
  out.contentType = bareType(out);
  out.typeLength = -1;
};

const makeFilter = (conf: CharsetConf, charsets: Charsets): HeaderFilter => {
  const recode = (request: Request, from: string, to: string): void => {
    if (same(from, to)) {
      if (charsets.has(to)) cutType(request);
      setCharset(request, to);
      return;
    }
    const { out } = request;
    const known = charsets.has(from) && charsets.has(to);
    if (known && encodingOf(out) !== '') return;
    const recoder = known ? charsets.recoder(from, to) : undefined;
    if (!recoder) {
      logFilter(request, ERROR_LEVEL, `no "charset_map" between the charsets "${from}" and "${to}"`, 'head');
      return;
    }
    cutType(request);
    setCharset(request, to);
    appendFilter(request, new CharsetFilter(recoder));
    if (same(from, 'utf-8') || same(to, 'utf-8')) out.contentLength = -1;
  };
  return (request) => {
    const to = wanted(request, conf, charsets);
    if (to === undefined) return;
    const source = present(request, conf);
    const from = charsetOf(source, request);
    if (to === ERROR || from === ERROR) request.refused = ERROR;
    else if (source === OFF) setCharset(request, to);
    else recode(request, from, to);
  };
};

/** Two charsets of the configuration must have a map between them. */
const check = ({ charset: to, source_charset: from }: CharsetConf, scope: Scope): void => {
  if (typeof to !== 'string' || typeof from !== 'string' || to === OFF || from === OFF) return;
  if (same(from, to)) return;
  if (scope.find(CHARSETS)?.leads(from, to)) return;
  throw new ConfError(`no "charset_map" between the charsets "${from}" and "${to}"`, undefined);
};

export const charsetModule = httpModule({
  name: 'http_charset_filter',
  filtersSubrequests: true,
  directives: {
    charset: directive<CharsetName>(charset, { in: WHERE_IF, initial: OFF }),
    source_charset: directive<CharsetName>(sourceCharset, { in: WHERE_IF, initial: OFF }),
    override_charset: directive(flag, { in: WHERE_IF, initial: false }),
    charset_types: directive<MimeTypes>(mimeTypes, { in: WHERE, initial: TYPES }),
    charset_map: charsetMap,
  },
  begin: (build) => build.scope.carry(CHARSETS, new Charsets()),
  derive: (conf, scope) => {
    check(conf, scope);
    return {};
  },
  headerFilter(conf, { scope }) {
    const charsets = scope.need(CHARSETS);
    // Without `charset` there is only X-Accel-Charset, which can name what the configuration names.
    return conf.charset === OFF && charsets.empty ? undefined : makeFilter(conf, charsets);
  },
});
