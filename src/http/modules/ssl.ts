/** TLS to clients: certificates, protocols, sessions and client certificates of a server (ngx_http_ssl). */
import { type Context, directive, type Scope } from '../../config/contract.ts';
import { flag, size } from '../../config/parsers.ts';
import { requireCertificates, TlsServers, tlsRows } from '../../tls/conf/server.ts';
import { VERIFY } from '../../tls/conf/verify.ts';
import { HTTP, type HttpBuild } from '../build.ts';
import { httpModule } from '../module.ts';
import { template } from '../parsers.ts';
import type { Request } from '../request.ts';
import { type HttpTls, NO_TLS } from '../tls.ts';
import { sslVariables } from './ssl-variables.ts';

const SERVER: readonly Context[] = ['http', 'server'];

/** What http blocks have made of their servers' directives. */
const made = new WeakMap<HttpBuild, TlsServers<Request>>();

const madeIn = (build: HttpBuild, scope: Scope): TlsServers<Request> => {
  const known = made.get(build) ?? new TlsServers<Request>(scope, 'HTTP');
  made.set(build, known);
  return known;
};

export const sslModule = httpModule({
  name: 'http_ssl',
  directives: {
    ...tlsRows<Request>(SERVER, template, ''),
    ssl_buffer_size: directive(size, { in: SERVER, initial: 16384 }),
    ssl_early_data: directive(flag, { in: SERVER, initial: false }),
  },
  variables: sslVariables,
  complete(build) {
    const rejects = (scope: Scope): unknown => scope.own.get(sslModule)?.ssl_reject_handshake;
    requireCertificates(build.addresses.values(), build.scope, rejects);
  },
  derive(conf, scope): { readonly tls: HttpTls } {
    if (conf.ssl_certificate.length === 0 && !conf.ssl_reject_handshake) {
      // Requests may come to it by a handshake of the default server's.
      return { tls: { ...NO_TLS, verify: VERIFY[conf.ssl_verify_client] } };
    }
    const build = scope.need(HTTP);
    const at = scope.set.get('ssl_certificate') ?? build.scope.set.get('ssl_certificate');
    const options = { fragment: conf.ssl_buffer_size, earlyData: conf.ssl_early_data };
    return { tls: madeIn(build, scope).of(conf, options, at) };
  },
  prepare(build, { log }) {
    const known = made.get(build);
    if (!known) return;
    known.share();
    for (const { runtime } of build.servers) {
      const { resolver, resolver_timeout: timeout } = runtime.location.core;
      known.prepare(runtime.tls, { resolver, timeout }, log);
    }
  },
});
