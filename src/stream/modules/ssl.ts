/** TLS to clients: `listen ... ssl` and `ssl_*` of stream (ngx_stream_ssl). */
import { type Context, directive, type Parser, type Scope } from '../../config/contract.ts';
import { msec } from '../../config/parsers.ts';
import { INFO } from '../../log/levels.ts';
import { type Alpn, alpnOf, NO_ALPN } from '../../tls/alpn.ts';
import { requireCertificates, TlsServers, tlsRows } from '../../tls/conf/server.ts';
import { tlsVariables } from '../../tls/conf/variables.ts';
import { clientFault, VERIFY } from '../../tls/conf/verify.ts';
import { STREAM, type StreamBuild } from '../build.ts';
import { Handshake } from '../handshake.ts';
import { streamModule } from '../module.ts';
import { template } from '../parsers.ts';
import type { Session } from '../session.ts';
import type { StreamTls } from '../tls.ts';
import { AGAIN, ERROR, OK, type Verdict } from '../verdict.ts';

const WHERE: readonly Context[] = ['stream', 'stream-server'];
/** What has room behind one byte that says how long it is. */
const LONGEST_PROTOCOL = 255;
const FRAGMENT = 16_384;

const protocols: Parser<readonly string[]> = {
  arity: { min: 1, max: Number.POSITIVE_INFINITY },
  parse(args) {
    const names = args.words.map(({ text }) => text);
    return names.some(({ length }) => length > LONGEST_PROTOCOL)
      ? args.failDirective('protocol too long')
      : names;
  },
};

/** What stream blocks have made of their servers' directives. */
const made = new WeakMap<StreamBuild, TlsServers<Session>>();

const madeIn = (build: StreamBuild, scope: Scope): TlsServers<Session> => {
  const known = made.get(build) ?? new TlsServers<Session>(scope, 'STREAM');
  made.set(build, known);
  return known;
};

const alpn = (names: readonly string[]): Alpn => (names.length > 0 ? alpnOf(names) : NO_ALPN);

/** Shakes hands, and then looks at the client's certificate (`ssl_verify_client`). */
const shake = (session: Session): Verdict => {
  if (!session.address.ssl) return OK;
  const { tls, server } = session;
  if (!tls) {
    new Handshake(session).start();
    return AGAIN;
  }
  const fault = clientFault(server.tls.verify, tls);
  if (fault === '') return OK;
  session.log(INFO, fault);
  tls.forgetSession();
  return ERROR;
};

export const sslModule = streamModule({
  name: 'stream_ssl',
  directives: {
    ...tlsRows<Session>(WHERE, template, 'stream '),
    ssl_handshake_timeout: directive(msec, { in: WHERE, initial: 60_000 }),
    ssl_alpn: directive<readonly string[]>(protocols, { in: WHERE, initial: [] }),
  },
  variables: tlsVariables(({ tls }: Session) => tls),
  complete(build) {
    const rejects = (scope: Scope): unknown => scope.own.get(sslModule)?.ssl_reject_handshake;
    requireCertificates(build.addresses.values(), build.scope, rejects);
  },
  derive(conf, scope): { readonly tls: StreamTls } {
    const build = scope.need(STREAM);
    const at = scope.set.get('ssl_certificate') ?? build.scope.set.get('ssl_certificate');
    const has = conf.ssl_certificate.length > 0 || conf.ssl_reject_handshake;
    const options = { fragment: FRAGMENT, earlyData: false };
    const tls: StreamTls = {
      own: has ? madeIn(build, scope).of(conf, options, at) : undefined,
      alpn: has ? alpn(conf.ssl_alpn) : NO_ALPN,
      verify: VERIFY[conf.ssl_verify_client],
      timeout: conf.ssl_handshake_timeout,
    };
    return { tls };
  },
  prepare(build, { log }) {
    const known = made.get(build);
    if (!known) return;
    known.share();
    for (const { runtime } of build.servers) {
      const { resolver, resolver_timeout: timeout } = runtime.core;
      if (runtime.tls.own) known.prepare(runtime.tls.own, { resolver, timeout }, log);
    }
  },
  phases: {
    ssl({ tls }, { server, build }) {
      server.tls = tls;
      return [...build.addresses.values()].some(({ listen }) => listen.ssl) ? shake : undefined;
    },
  },
});
