/** Whether a client may be sent a compressed reply: Accept-Encoding, `gzip_proxied`, `gzip_disable`. */
import type { Args, Context, Parser } from '../config/contract.ts';
import { directive } from '../config/contract.ts';
import { enumOf, flag, wordsOf } from '../config/parsers.ts';
import { HTTP, type Regex } from './build.ts';
import { hasLastModified, tagOf } from './changed-body.ts';
import { KNOWN } from './header-names.ts';
import { parseHttpDate } from './http-date.ts';
import type { Request } from './request.ts';
import { isMsie6 } from './user-agent.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];

/** What `gzip_disable` names: user agents by pattern, and old MSIE by what its name says. */
interface Disabled {
  readonly msie6: boolean;
  readonly regexes: readonly Regex[];
}

const disabledParser: Parser<Disabled> = {
  arity: { min: 1, max: Number.POSITIVE_INFINITY },
  repeats: true,
  parse(args: Args, own = { msie6: false, regexes: [] }) {
    let { msie6 } = own;
    const regexes = [...own.regexes];
    for (const { text } of args.words) {
      if (text === 'msie6') msie6 = true;
      else if (text === 'degradation') args.warn('"degradation" is not supported, ignored');
      else regexes.push(args.scope.need(HTTP).regex(text, true, args.place));
    }
    return { msie6, regexes };
  },
};

const PROXIED = [
  'off',
  'expired',
  'no-cache',
  'no-store',
  'private',
  'no_last_modified',
  'no_etag',
  'auth',
  'any',
] as const;

/** The directives of the core module that all kinds of compression share. */
export const gzipRows = {
  gzip_vary: directive(flag, { in: WHERE, initial: false }),
  gzip_http_version: directive(enumOf('1.0', '1.1'), { in: WHERE, initial: '1.1' }),
  gzip_proxied: directive(wordsOf(...PROXIED), { in: WHERE, initial: ['off'] }),
  gzip_disable: directive<Disabled>(disabledParser, {
    in: WHERE,
    initial: { msie6: false, regexes: [] },
    // The word is inherited beside patterns of one's own.
    merge: (own, outer) => (own ? { msie6: own.msie6 || outer.msie6, regexes: own.regexes } : outer),
  }),
};

/** The weight that a client gives: up to three decimals behind the dot, and no more than 1. */
const WEIGHT = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)(?=[, ]|$)/;

/** Whether the weight behind `;` is above 0. */
const weighs = (text: string): boolean => {
  const rest = text.replace(/^ +/, '');
  if (rest === '') return true;
  if (!/^[qQ]=./.test(rest)) return false;
  return Number(WEIGHT.exec(rest.slice(2))?.[0] ?? 0) > 0;
};

/** Whether an Accept-Encoding takes gzip, with a weight above 0. */
export const acceptsGzip = (header: string): boolean => {
  if (header.startsWith('gzip,')) return true;
  for (const match of header.matchAll(/gzip/gi)) {
    const at = match.index;
    const before = at === 0 ? ',' : header.charAt(at - 1);
    if (before !== ',' && before !== ' ') continue;
    const rest = header.slice(at + 4).replace(/^ +/, '');
    if (rest === '' || rest.startsWith(',')) return true;
    return rest.startsWith(';') && weighs(rest.slice(1));
  }
  return false;
};

/** Whether a reply to a proxy (a request with Via) may be compressed. */
const proxyMay = (request: Request): boolean => {
  const { out, headers } = request;
  const when = request.location.core.gzip_proxied;
  if (when.includes('off')) return false;
  if (when.includes('any')) return true;
  if (when.includes('auth') && headers.get('authorization') !== undefined) return true;
  const expires = out.line('expires');
  if (expires !== undefined) {
    if (!when.includes('expired')) return false;
    const until = parseHttpDate(expires);
    const now = out.date === '' ? Math.floor(Date.now() / 1000) : parseHttpDate(out.date);
    return until !== undefined && now !== undefined && until < now;
  }
  const control = out.joined('cache-control');
  if (control !== undefined) {
    const words = control
      .toLowerCase()
      .split(',')
      .map((word) => word.trim());
    return (['no-cache', 'no-store', 'private'] as const).some(
      (word) => when.includes(word) && words.includes(word),
    );
  }
  if (when.includes('no_last_modified') && hasLastModified(out)) return false;
  return !(when.includes('no_etag') && tagOf(out) !== '');
};

const ENCODING = KNOWN['accept-encoding'];
const AGENT = KNOWN['user-agent'];
const VIA = KNOWN.via;

/** Whether this request's client takes gzip and the configuration lets it have it. */
export const gzipOk = (request: Request): boolean => {
  if (request !== request.main) return false;
  const { core } = request.location;
  const { names, values } = request.headers;
  let encoding: string | undefined;
  let agent = '';
  let via = false;
  for (let i = 0; i < names.length; i++) {
    const known = names[i]?.known ?? 0;
    if (known === ENCODING) encoding ??= values[i];
    else if (known === AGENT) agent = values[i] ?? '';
    else if (known === VIA) via = true;
  }
  if (encoding === undefined || !acceptsGzip(encoding)) return false;
  const { msie6, regexes } = core.gzip_disable;
  if (msie6 && isMsie6(agent)) return false;
  if (request.version < (core.gzip_http_version === '1.0' ? 1000 : 1001)) return false;
  if (via && !proxyMay(request)) return false;
  return !(agent !== '' && regexes.some(({ regexp }) => regexp.test(agent)));
};
