/** Set-Cookie lines of upstream servers: domain, path and flags rewritten (`proxy_cookie_*`). */
import type { Args, Parser } from '../../config/contract.ts';
import { wordAt } from '../../config/parsers.ts';
import { HTTP } from '../build.ts';
import { templateAt } from '../parsers.ts';
import type { Request } from '../request.ts';
import type { Template } from '../template.ts';
import { applyRules, type Rule } from './proxy-redirect.ts';

/** `name=value`, or a name alone. */
interface Attribute {
  name: string;
  value: string | undefined;
}

/** `proxy_cookie_flags COOKIE FLAG ...`. */
export interface FlagRule {
  readonly matches: (request: Request, cookie: string) => boolean;
  readonly flags: readonly Template[];
}
export type FlagRules = readonly FlagRule[] | 'off';

/** The value of `proxy_cookie_flags`. */
export const cookieFlagRules: Parser<FlagRules | undefined> = {
  arity: [1, 2, 3, 4],
  repeats: true,
  parse(args, own) {
    if (own === 'off') return args.failDirective('is duplicate');
    const word = wordAt(args, 0);
    if (args.words.length > 1) return [...(own ?? []), flagRule(args)];
    if (word.text !== 'off') return args.fail(`invalid parameter "${word.text}"`, word);
    return own ? args.failDirective('is duplicate') : 'off';
  },
};

const flagRule = (args: Args): FlagRule => {
  const pattern = wordAt(args, 0).text;
  const flags = args.words.slice(1).map((_, index) => templateAt(args, index + 1));
  if (pattern.startsWith('~')) {
    const { match } = args.scope.need(HTTP).regex(pattern.slice(1), true, args.place);
    return { matches: match, flags };
  }
  const name = templateAt(args, 0);
  return { matches: (request, cookie) => name.text(request).toLowerCase() === cookie.toLowerCase(), flags };
};

/** What is to be done with one flag: kept or added as `set` says, removed when it is ''; untouched otherwise. */
interface Flags {
  secure?: string;
  httponly?: string;
  samesite?: string;
}

const SAME_SITE: Readonly<Record<string, string>> = {
  'samesite=strict': 'Strict',
  'samesite=lax': 'Lax',
  'samesite=none': 'None',
  nosamesite: '',
};

const wantedFlags = (request: Request, rule: FlagRule): Flags => {
  const wanted: Flags = {};
  for (const template of rule.flags) {
    const flag = template.text(request).toLowerCase();
    const site = SAME_SITE[flag];
    if (flag === 'secure' || flag === 'nosecure') wanted.secure = flag === 'secure' ? 'Secure' : '';
    else if (flag === 'httponly' || flag === 'nohttponly')
      wanted.httponly = flag === 'httponly' ? 'HttpOnly' : '';
    else if (site !== undefined) wanted.samesite = site;
  }
  return wanted;
};

const parseAttributes = (line: string): Attribute[] =>
  line.split(';').map((part) => {
    const equals = part.indexOf('=');
    if (equals < 0) return { name: trim(part), value: undefined };
    return { name: trim(part.slice(0, equals)), value: trim(part.slice(equals + 1)) };
  });

/** Only spaces are trimmed, as nginx does. */
const trim = (text: string): string => text.replace(/^ +| +$/g, '');

/** What a cookie's name and attributes become, with a flag added, removed, or made to say something else. */
const withFlags = (attributes: readonly Attribute[], wanted: Flags): Attribute[] => {
  const kept = attributes.filter(({ name }, index) => {
    const lower = name.toLowerCase();
    const removed =
      (lower === 'secure' && wanted.secure === '') ||
      (lower === 'httponly' && wanted.httponly === '') ||
      (lower === 'samesite' && wanted.samesite === '');
    return index === 0 || !removed;
  });
  const has = (lower: string): Attribute | undefined =>
    kept.find(({ name }, index) => index > 0 && name.toLowerCase() === lower);
  if (wanted.secure && !has('secure')) kept.push({ name: wanted.secure, value: undefined });
  if (wanted.httponly && !has('httponly')) kept.push({ name: wanted.httponly, value: undefined });
  const site = has('samesite');
  if (!wanted.samesite) return kept;
  if (!site) {
    kept.push({ name: 'SameSite', value: wanted.samesite });
  } else if (site.value?.toLowerCase() !== wanted.samesite.toLowerCase()) {
    site.name = 'SameSite';
    site.value = wanted.samesite;
  }
  return kept;
};

/** The rules of one location. */
export interface CookieRules {
  readonly domains: readonly Rule[];
  readonly paths: readonly Rule[];
  readonly flags: readonly FlagRule[];
}

const asLine = (attributes: readonly Attribute[]): string =>
  attributes.map(({ name, value }) => (value === undefined ? name : `${name}=${value}`)).join('; ');

/** The line rewritten; as it was when no rule matches, or when it is not `NAME=VALUE`. */
export const rewriteCookie = (rules: CookieRules, request: Request, line: string): string => {
  let attributes = parseAttributes(line);
  const cookie = attributes[0];
  if (cookie?.value === undefined) return line;
  let changed = false;
  for (const attribute of attributes.slice(1)) {
    const lower = attribute.name.toLowerCase();
    const which = lower === 'domain' ? rules.domains : lower === 'path' ? rules.paths : undefined;
    if (!which || attribute.value === undefined) continue;
    const rewritten = applyRules(which, request, attribute.value);
    if (rewritten === undefined) continue;
    attribute.value = rewritten;
    changed = true;
  }
  const rule = rules.flags.find((one) => one.matches(request, cookie.name));
  const wanted = rule && wantedFlags(request, rule);
  if (wanted && Object.keys(wanted).length > 0) {
    attributes = withFlags(attributes, wanted);
    changed = true;
  }
  return changed ? asLine(attributes) : line;
};
