/** `proxy_pass`: where a location's requests go, as written or as variables make it at each request. */
import { type Args, key, type Parser, type Place, type Scope } from '../../config/contract.ts';
import { wordAt } from '../../config/parsers.ts';
import type { Target } from '../../upstream/protocols/http/target.ts';
import { targetOf } from '../../upstream/protocols/http/target.ts';
import { parseUpstreamUrl } from '../../upstream/protocols/http/upstream-url.ts';
import type { GroupRef, UpstreamRegistry } from '../../upstream/registry.ts';
import { HTTP } from '../build.ts';
import type { Template } from '../template.ts';

/** A `proxy_pass` as its location has it. */
export interface Pass {
  /** The block it stands in. */
  readonly scope: Scope;
  readonly place: Place;
  /** As written. */
  readonly url: string;
  /** Known at load; undefined with variables. */
  readonly fixed: FixedPass | undefined;
  /** Some of its requests go to peers over TLS. */
  readonly tls: boolean;
  readonly template: Template;
  /** What the URL's URI takes the place of: the location's name, '' in a location that has none. */
  readonly location: string;
  readonly upstreams: UpstreamRegistry;
  /** The `proxy_pass` of the block around this one. */
  readonly outer: Pass | undefined;
}

export interface FixedPass {
  readonly target: Target;
  readonly ref: GroupRef;
}

/** The `proxy_pass` of the block being read, for the directives behind it. */
export const PASS = key<Pass>('proxy_pass');

const SCHEME = /^http(s?):\/\//i;

/** A URL without its scheme, and what that means. */
export interface SplitUrl {
  readonly rest: string;
  readonly tls: boolean;
  readonly defaultPort: number;
}

/** Splits off `http://` or `https://`; undefined for what begins otherwise. */
export const splitScheme = (url: string): SplitUrl | undefined => {
  const [scheme, secure] = SCHEME.exec(url) ?? [];
  if (scheme === undefined) return undefined;
  return { rest: url.slice(scheme.length), tls: secure !== '', defaultPort: secure === '' ? 80 : 443 };
};

const fixedPass = (args: Args, url: string, location: string, named: boolean): FixedPass => {
  const word = wordAt(args, 0);
  const split = splitScheme(url);
  if (!split) return args.fail('invalid URL prefix', word);
  const { rest, defaultPort } = split;
  const parsed = parseUpstreamUrl(rest, defaultPort);
  if (typeof parsed === 'string') return args.fail(`${parsed} in upstream "${rest}"`, word);
  const ref = args.scope.need(HTTP).upstreams.use(parsed.address, defaultPort, args.place);
  if (!named && parsed.uri !== '') {
    args.fail(
      '"proxy_pass" cannot have URI part in location given by regular expression, or inside named location, ' +
        'or inside "if" statement, or inside "limit_except" block',
      word,
    );
  }
  return { target: targetOf(parsed, location.length), ref };
};

/** The value of `proxy_pass`; a prefix location that ends in a slash then answers `/x` with a redirect to `/x/`. */
export const proxyPass: Parser<Pass | undefined> = {
  arity: 1,
  parse(args) {
    const { scope, place } = args;
    const build = scope.need(HTTP);
    const url = wordAt(args, 0).text;
    const block = build.locations.get(scope);
    const named = block?.kind === 'prefix' || block?.kind === 'exact';
    const location = named ? block.name : '';
    if (named && location.endsWith('/')) block.autoRedirect = true;
    const template = build.template(url, place);
    const fixed = url.includes('$') ? undefined : fixedPass(args, url, location, named);
    const outer = scope.find(PASS);
    const tls = fixed ? splitScheme(url)?.tls === true : true;
    const { upstreams } = build;
    const pass: Pass = { scope, place, url, fixed, tls, template, location, upstreams, outer };
    scope.carry(PASS, pass);
    return pass;
  },
};
