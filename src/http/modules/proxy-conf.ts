/** The directives of `proxy_*`, and what a location's values come to. */
import { type Conf, type Context, directive, type Parser, type Scope } from '../../config/contract.ts';
import { enumOf, flag, wordAt } from '../../config/parsers.ts';
import type { PeerTls, UpstreamConf } from '../../upstream/contract.ts';
import { type HttpOptions, HttpSettings } from '../../upstream/protocols/http/protocol.ts';
import type { SetHeader } from '../../upstream/protocols/http/request-head.ts';
import { H2_ALPN, Http2Settings } from '../../upstream/protocols/http2/protocol.ts';
import { HTTP } from '../build.ts';
import { template, templateAt } from '../parsers.ts';
import type { Template } from '../template.ts';
import { ANYWHERE, passApplies, toUpstreamConf, upstreamRows } from '../upstream-directives.ts';
import { cookieFlagRules, type FlagRules, rewriteCookie } from './proxy-cookie.ts';
import { type Pass, proxyPass } from './proxy-pass.ts';
import {
  applyRules,
  cookieDomainRules,
  cookiePathRules,
  defaultRedirect,
  type Rule,
  type Rules,
  redirectRules,
} from './proxy-redirect.ts';
import { peerTlsRows, toPeerTls } from './upstream-ssl.ts';

const LOCATIONS: readonly Context[] = ['location', 'if-in-location', 'limit_except'];

/** Reply headers that are not passed on unless proxy_pass_header says so. */
const HIDDEN = [
  'Date',
  'Server',
  'X-Pad',
  'X-Accel-Expires',
  'X-Accel-Redirect',
  'X-Accel-Limit-Rate',
  'X-Accel-Buffering',
  'X-Accel-Charset',
];

/** `proxy_set_header NAME VALUE` and its like. */
export const setHeaders: Parser<readonly SetHeader[]> = {
  arity: 2,
  repeats: true,
  parse: (args, own = []) => [
    ...own,
    { name: wordAt(args, 0).text, value: templateAt(args, 1), place: wordAt(args, 0) },
  ],
};

const shared = upstreamRows('proxy', [
  'error',
  'timeout',
  'invalid_header',
  'non_idempotent',
  'http_500',
  'http_502',
  'http_503',
  'http_504',
  'http_403',
  'http_404',
  'http_429',
  'updating',
  'off',
]);

/** The table of proxy_*. */
export const directives = {
  ...shared,
  ...peerTlsRows('proxy'),
  proxy_pass: directive(proxyPass, { in: LOCATIONS, initial: undefined }),
  proxy_cache_convert_head: directive(flag, { in: ANYWHERE, initial: true }),
  proxy_http_version: directive(enumOf('1.0', '1.1', '2'), { in: ANYWHERE, initial: '1.1' }),
  proxy_method: directive<Template | undefined>(template, { in: ANYWHERE, initial: undefined }),
  proxy_set_header: directive(setHeaders, { in: ANYWHERE, initial: [] }),
  proxy_set_body: directive<Template | undefined>(template, { in: ANYWHERE, initial: undefined }),
  proxy_pass_trailers: directive(flag, { in: ANYWHERE, initial: false }),
  proxy_redirect: directive<Rules | undefined>(redirectRules, { in: ANYWHERE, initial: undefined }),
  proxy_cookie_domain: directive<Rules | undefined>(cookieDomainRules, { in: ANYWHERE, initial: undefined }),
  proxy_cookie_path: directive<Rules | undefined>(cookiePathRules, { in: ANYWHERE, initial: undefined }),
  proxy_cookie_flags: directive<FlagRules | undefined>(cookieFlagRules, { in: ANYWHERE, initial: undefined }),
};

/** What the directives of a level come to. */
export interface Derived {
  readonly upstream: UpstreamConf;
  readonly settings: HttpSettings | Http2Settings;
  /** `none` where nothing is passed on over TLS. */
  readonly tls: PeerTls | 'none';
}

type OwnConf = Conf<typeof directives>;

/**
 * nginx gives a location its default rule when it is merged, and locations inside inherit it: the outermost
 * proxy_pass without variables decides.
 */
const redirectsOf = ({ proxy_redirect: rules, proxy_pass: pass }: OwnConf): readonly Rule[] => {
  if (rules === 'off') return [];
  if (rules) return rules;
  let outermost: Pass | undefined;
  for (let at = pass; at; at = at.outer) if (at.fixed) outermost = at;
  return outermost ? [defaultRedirect(outermost)] : [];
};

const redirectRewriter = (conf: OwnConf): HttpOptions['rewriteRedirect'] => {
  const rules = redirectsOf(conf);
  if (rules.length === 0) return undefined;
  return (request, value) => applyRules(rules, request, value);
};

const listed = <T>(rules: readonly T[] | 'off' | undefined): readonly T[] =>
  rules === undefined || rules === 'off' ? [] : rules;

const cookieRewriter = (conf: OwnConf): HttpOptions['rewriteCookie'] => {
  const rules = {
    domains: listed(conf.proxy_cookie_domain),
    paths: listed(conf.proxy_cookie_path),
    flags: listed(conf.proxy_cookie_flags),
  };
  if (rules.domains.length + rules.paths.length + rules.flags.length === 0) return undefined;
  return (request, line) => rewriteCookie(rules, request, line);
};

/** What the cache asks with in place of the client's conditions and ranges; `proxy_set_header` goes before it. */
const CACHE_HEADERS = [
  ['If-Modified-Since', '$upstream_cache_last_modified'],
  ['If-Unmodified-Since', ''],
  ['If-None-Match', '$upstream_cache_etag'],
  ['If-Match', ''],
  ['Range', ''],
  ['If-Range', ''],
] as const;

const cacheHeaders = (own: readonly SetHeader[], scope: Scope): readonly SetHeader[] => {
  const set = new Set(own.map(({ name }) => name.toLowerCase()));
  const added = CACHE_HEADERS.filter(([name]) => !set.has(name.toLowerCase()));
  const build = scope.need(HTTP);
  return [
    ...own,
    ...added.map(([name, value]) => ({ name, value: build.template(value), place: scope.place })),
  ];
};

const VERSIONS = { '1.0': 1000, '1.1': 1001, '2': 2000 } as const;

/** Throws Reason where directives contradict each other. */
export const derive = (conf: OwnConf, scope: Scope): Derived => {
  const tempFolder = scope.load.builtIn.proxyTemp;
  const convertHead = conf.proxy_cache_convert_head;
  const own = { prefix: 'proxy', hidden: HIDDEN, method: conf.proxy_method, tempFolder, convertHead };
  const general = toUpstreamConf(conf, own, scope);
  const passBody = general.passRequestBody && conf.proxy_set_body === undefined;
  const upstream: UpstreamConf = {
    ...general,
    passRequestBody: passBody,
    requestBuffering: general.requestBuffering || !passBody,
    passTrailers: conf.proxy_pass_trailers,
    passEarlyHints: true,
  };
  const shared = {
    setHeaders: conf.proxy_set_header,
    cacheHeaders: general.cache && cacheHeaders(conf.proxy_set_header, scope),
    method: conf.proxy_method,
    body: conf.proxy_set_body,
    passHeaders: conf.passRequestHeaders,
    bufferSize: conf.bufferSize,
    passesServer: !general.hidden.has('server'),
    passesDate: !general.hidden.has('date'),
    rewriteRedirect: redirectRewriter(conf),
    rewriteCookie: cookieRewriter(conf),
  };
  const version = VERSIONS[conf.proxy_http_version];
  const settings =
    version === 2000
      ? new Http2Settings(shared)
      : new HttpSettings({
          ...shared,
          version,
          passTrailers: conf.proxy_pass_trailers,
          streams: !upstream.requestBuffering,
        });
  const pass = conf.proxy_pass;
  if (pass?.tls !== true || !passApplies(pass.scope, scope)) return { upstream, settings, tls: 'none' };
  const tls = toPeerTls(conf, 'proxy', scope);
  return { upstream, settings, tls: version === 2000 ? { ...tls, alpn: H2_ALPN } : tls };
};
