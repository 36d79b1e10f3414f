/** Whether a client may be sent a compressed reply: Accept-Encoding, `gzip_proxied`, `gzip_disable`. */
import type { Args, Parser } from '../../config/contract.ts';
import { HTTP, type Regex } from '../build.ts';
import { parseHttpDate } from '../http-date.ts';
import type { Request } from '../request.ts';

/** What `gzip_disable` names: user agents by pattern, and old MSIE by what its name says. */
export interface Disabled {
  readonly msie6: boolean;
  readonly regexes: readonly Regex[];
}

export const disabledParser: Parser<Disabled> = {
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

/** The weights that a client may give; anything else counts as none. */
const WEIGHT = /^ *[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)(?![\d.])/;

/** Whether an Accept-Encoding takes gzip, with a weight above 0. */
export const acceptsGzip = (header: string): boolean => {
  if (header.startsWith('gzip,')) return true;
  for (const match of header.matchAll(/gzip/gi)) {
    const at = match.index;
    const before = at === 0 ? ',' : header.charAt(at - 1);
    if (before !== ',' && before !== ' ') continue;
    const rest = header.slice(at + 4).replace(/^ +/, '');
    if (rest === '' || rest.startsWith(',')) return true;
    if (!rest.startsWith(';')) return false;
    return Number(WEIGHT.exec(rest.slice(1))?.[1] ?? 0) > 0;
  }
  return false;
};

export const PROXIED = [
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
export type Proxied = (typeof PROXIED)[number];

/** Whether a reply to a proxy (a request with Via) may be compressed. */
const proxyMay = ({ out, headers }: Request, when: readonly Proxied[]): boolean => {
  if (when.includes('off')) return false;
  if (when.includes('any')) return true;
  if (when.includes('auth') && headers.get('authorization') !== undefined) return true;
  const expires = out.line('expires');
  if (expires !== undefined) {
    if (!when.includes('expired')) return false;
    const until = parseHttpDate(expires);
    const now = (out.date === '' ? undefined : parseHttpDate(out.date)) ?? Math.floor(Date.now() / 1000);
    return until !== undefined && until < now;
  }
  const control = out.line('cache-control');
  if (control !== undefined) {
    const lower = control.toLowerCase();
    return (['no-cache', 'no-store', 'private'] as const).some(
      (word) => when.includes(word) && lower.includes(word),
    );
  }
  const lastModified = out.lastModified !== -1 || out.line('last-modified') !== undefined;
  if (when.includes('no_last_modified') && lastModified) return false;
  return !(when.includes('no_etag') && out.etag !== '');
};

const MSIE6 = /MSIE [456]\.(?!.*SV1)/;

export interface AcceptConf {
  readonly gzip_http_version: '1.0' | '1.1';
  readonly gzip_proxied: readonly Proxied[];
  readonly gzip_disable: Disabled;
}

/** Whether this request's client takes gzip and the configuration lets it have it. */
export const gzipOk = (request: Request, conf: AcceptConf): boolean => {
  const { headers } = request;
  const accept = headers.get('accept-encoding');
  if (accept === undefined || accept.length < 4 || !acceptsGzip(accept)) return false;
  const agent = headers.get('user-agent') ?? '';
  if (conf.gzip_disable.msie6 && MSIE6.test(agent)) return false;
  if (request.version < (conf.gzip_http_version === '1.0' ? 1000 : 1001)) return false;
  if (headers.get('via') !== undefined && !proxyMay(request, conf.gzip_proxied)) return false;
  return !conf.gzip_disable.regexes.some(({ regexp }) => regexp.test(agent));
};
