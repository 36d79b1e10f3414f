/** Passing requests on to gRPC servers (ngx_http_grpc): `grpc_pass` and what goes with it. */
import { directive, type Parser } from '../../config/contract.ts';
import { wordAt } from '../../config/parsers.ts';
import { IGNORE, type PeerTls, type UpstreamConf } from '../../upstream/contract.ts';
import { parseUpstreamUrl } from '../../upstream/protocols/http/upstream-url.ts';
import { GrpcProtocol, GrpcSettings } from '../../upstream/protocols/http2/grpc.ts';
import { H2_ALPN } from '../../upstream/protocols/http2/protocol.ts';
import { startUpstream } from '../../upstream/upstream.ts';
import { HTTP } from '../build.ts';
import { type Handler, httpModule } from '../module.ts';
import { unbuffered, unbufferedRows } from '../unbuffered-upstream.ts';
import {
  ANYWHERE,
  bits,
  hiddenHeaders,
  nextBits,
  passApplies,
  upstreamRows,
} from '../upstream-directives.ts';
import { groupAt, type Pass } from './fastcgi-pass.ts';
import { setHeaders } from './proxy-conf.ts';
import { peerTlsRows, toPeerTls } from './upstream-ssl.ts';

const SCHEME = /^grpc(s?):\/\//i;

/** Reply headers that are not passed on unless grpc_pass_header says so. */
const HIDDEN = [
  'Date',
  'Server',
  'X-Accel-Expires',
  'X-Accel-Redirect',
  'X-Accel-Limit-Rate',
  'X-Accel-Buffering',
  'X-Accel-Charset',
];

interface GrpcPass extends Pass {
  /** Some of its requests go to peers over TLS. */
  readonly tls: boolean;
  /** What is sent as `:authority`; with variables it is made for each request. */
  readonly authority: string;
}

/** The host with its port, as written; of a unix socket `localhost`. */
const authorityOf = (address: string): string => {
  const url = parseUpstreamUrl(address, 0);
  if (typeof url === 'string') return address;
  return url.host.startsWith('unix:') ? 'localhost' : url.address;
};

/** `grpc_pass [grpc:// | grpcs://]ADDRESS`. */
const grpcPass: Parser<GrpcPass | undefined> = {
  arity: 1,
  parse(args) {
    const { scope, place } = args;
    const build = scope.need(HTTP);
    const { text } = wordAt(args, 0);
    const template = build.template(text, place);
    const location = build.locations.get(scope);
    if (location?.name.endsWith('/')) location.autoRedirect = true;
    if (text.includes('$')) return { scope, template, ref: undefined, tls: true, authority: '' };
    const [scheme = '', secure = ''] = SCHEME.exec(text) ?? [];
    const address = text.slice(scheme.length);
    const ref = build.upstreams.use(address, 0, place);
    return { scope, template, ref, tls: secure !== '', authority: authorityOf(address) };
  },
};

const NEXT_WORDS = [
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
  'off',
] as const;
const rows = upstreamRows('grpc', NEXT_WORDS);

export const grpc = httpModule({
  name: 'http_grpc',
  directives: {
    ...peerTlsRows('grpc'),
    ...unbufferedRows('grpc', NEXT_WORDS),
    socketRcvbuf: rows.socketRcvbuf,
    socketSndbuf: rows.socketSndbuf,
    nextUpstream: rows.nextUpstream,
    interceptErrors: rows.interceptErrors,
    hideHeader: rows.hideHeader,
    passHeader: rows.passHeader,
    ignoreHeaders: rows.ignoreHeaders,
    grpc_set_header: directive(setHeaders, { in: ANYWHERE, initial: [] }),
    grpc_pass: directive<GrpcPass | undefined>(grpcPass, {
      in: ['location', 'if-in-location'],
      initial: undefined,
    }),
  },
  derive(conf, scope) {
    const hidden = hiddenHeaders(HIDDEN, conf.hideHeader, conf.passHeader);
    const upstream: UpstreamConf = {
      ...unbuffered(conf, nextBits(conf.nextUpstream)),
      requestBuffering: false,
      interceptErrors: conf.interceptErrors,
      passRequestHeaders: true,
      passRequestBody: true,
      ignoreHeaders: bits(IGNORE, conf.ignoreHeaders),
      hidden: hidden.names,
      hiddenKinds: hidden.kinds,
      passTrailers: true,
      passEarlyHints: true,
      fixedBuffering: true,
    };
    const pass = conf.grpc_pass;
    const secure = pass?.tls === true && passApplies(pass.scope, scope);
    const tls: PeerTls | 'none' = secure ? { ...toPeerTls(conf, 'grpc', scope), alpn: H2_ALPN } : 'none';
    return { upstream, tls };
  },
  derived: ['upstream', 'tls'],
  content(conf, { build, scope }): Handler | undefined {
    const pass = conf.grpc_pass;
    if (!pass || !passApplies(pass.scope, scope)) return undefined;
    const { upstream } = conf;
    const settings = new GrpcSettings(conf.grpc_set_header, conf.bufferSize);
    const tls = conf.tls === 'none' ? undefined : conf.tls;
    const { ref, template, authority } = pass;
    if (ref) {
      const protocol = new GrpcProtocol(settings, authority, tls);
      return (request) => startUpstream(request, upstream, protocol, ref.group);
    }
    return (request) => {
      const text = template.text(request);
      const [scheme = '', secure = ''] = SCHEME.exec(text) ?? [];
      const address = text.slice(scheme.length);
      const group = groupAt(request, address, build.upstreams);
      if (typeof group === 'number') return group;
      const protocol = new GrpcProtocol(settings, authorityOf(address), secure === '' ? undefined : tls);
      return startUpstream(request, upstream, protocol, group);
    };
  },
});
