/** Passing requests on to HTTP/1 servers (ngx_http_proxy): the handlers of `proxy_pass`, and the variables. */
import type { ConfOf } from '../../config/contract.ts';
import { ERROR } from '../../log/levels.ts';
import type { PeerGroup, PeerTls } from '../../upstream/contract.ts';
import { nameGroup } from '../../upstream/name-group.ts';
import { HttpProtocol } from '../../upstream/protocols/http/protocol.ts';
import { bodyLength } from '../../upstream/protocols/http/request-head.ts';
import { type Target, targetOf } from '../../upstream/protocols/http/target.ts';
import { parseUpstreamUrl, type UpstreamUrl } from '../../upstream/protocols/http/upstream-url.ts';
import { Http2Protocol, Http2Settings } from '../../upstream/protocols/http2/protocol.ts';
import { startUpstream } from '../../upstream/upstream.ts';
import { type Handler, httpModule } from '../module.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { passApplies } from '../upstream-directives.ts';
import type { Value, VariableDefinition } from '../variables.ts';
import { type Derived, derive, directives } from './proxy-conf.ts';
import { type Pass, splitScheme } from './proxy-pass.ts';

const INTERNAL_SERVER_ERROR = 500;
const BAD_GATEWAY = 502;

/** The group that a URL made of variables names. Throws Reason; undefined where a name would have to be resolved. */
const groupOf = ({ upstreams }: Pass, url: UpstreamUrl): PeerGroup | undefined => {
  const explicit = url.noPort ? upstreams.find(url.host) : undefined;
  if (explicit) return explicit;
  if (!url.numeric) return upstreams.find(`${url.host}:${url.port}`);
  return upstreams.direct(url.noPort && url.port > 0 ? `${url.host}:${url.port}` : url.address);
};

/** The protocol of requests that go to `target`. */
const protocolTo = (settings: Derived['settings'], target: Target, tls: PeerTls | undefined) =>
  settings instanceof Http2Settings
    ? new Http2Protocol(settings, target, tls)
    : new HttpProtocol(settings, target, tls);

const tlsOf = ({ tls }: Derived): PeerTls | undefined => (tls === 'none' ? undefined : tls);

/** A handler that works out where to go for each request. */
const variableHandler =
  (pass: Pass, conf: Derived): Handler =>
  (request) => {
    const text = pass.template.text(request);
    const split = splitScheme(text);
    if (!split || split.rest === '') {
      logRequest(request, ERROR, `invalid URL prefix in "${text}"`);
      return INTERNAL_SERVER_ERROR;
    }
    const { rest, defaultPort } = split;
    const url = parseUpstreamUrl(rest, defaultPort);
    if (typeof url === 'string') {
      logRequest(request, ERROR, `${url} in upstream "${rest}"`);
      return INTERNAL_SERVER_ERROR;
    }
    const group = groupOf(pass, url) ?? nameGroup(request, url.host, url.port);
    if (!group) {
      logRequest(request, ERROR, `no resolver defined to resolve ${url.host}`);
      return BAD_GATEWAY;
    }
    const protocol = protocolTo(conf.settings, targetOf(url, -1), split.tls ? tlsOf(conf) : undefined);
    return startUpstream(request, conf.upstream, protocol, group);
  };

const fixedHandler = (pass: Pass, conf: Derived): Handler => {
  if (!pass.fixed) return variableHandler(pass, conf);
  const { target, ref } = pass.fixed;
  const protocol = protocolTo(conf.settings, target, tlsOf(conf));
  return (request) => startUpstream(request, conf.upstream, protocol, ref.group);
};

/** The protocol of the request's exchange, when it is ours. */
const protocolOf = (request: Request): HttpProtocol | Http2Protocol | undefined => {
  const protocol = request.upstream?.protocol;
  return protocol instanceof HttpProtocol || protocol instanceof Http2Protocol ? protocol : undefined;
};

const forwardedFor = (request: Request): string => {
  const before = request.headers.joined('x-forwarded-for');
  const address = request.stream.unix ? 'unix:' : request.stream.remoteAddress;
  return before === undefined || before === '' ? address : `${before}, ${address}`;
};

const internalLength = ({ upstream }: Request): Value => {
  if (!upstream) return undefined;
  const length = bodyLength(upstream.request, upstream);
  return length === undefined || length < 0 ? undefined : `${length}`;
};

const internalChunked = ({ upstream }: Request): Value =>
  upstream && bodyLength(upstream.request, upstream) === -1 ? 'chunked' : undefined;

const variables: Readonly<Record<string, VariableDefinition>> = {
  proxy_host: { get: (request) => protocolOf(request)?.target.hostHeader, changeable: true },
  proxy_port: { get: (request) => protocolOf(request)?.target.port, changeable: true },
  proxy_add_x_forwarded_for: { get: forwardedFor },
  proxy_internal_body_length: { get: internalLength },
  proxy_internal_chunked: { get: internalChunked },
};

export const proxy = httpModule({
  name: 'http_proxy',
  directives,
  derive,
  derived: ['upstream', 'settings', 'tls'],
  variables,
  content({ proxy_pass: pass, upstream, settings, tls }, { scope }) {
    return pass && passApplies(pass.scope, scope)
      ? fixedHandler(pass, { upstream, settings, tls })
      : undefined;
  },
});
export type ProxyConf = ConfOf<typeof proxy>;
