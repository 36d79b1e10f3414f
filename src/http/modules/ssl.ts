/** TLS to clients: certificates, protocols, sessions and client certificates of a server (ngx_http_ssl). */
import { ConfError, type Context, directive, type Place, type Scope } from '../../config/contract.ts';
import {
  enumOf,
  flag,
  type KeyValue,
  keyValue,
  num,
  sec,
  size,
  str,
  strings,
  wordsOf,
} from '../../config/parsers.ts';
import type { ErrorLog } from '../../log/error-log.ts';
import type { TlsContext } from '../../tls/context.ts';
import { checkClient, type OcspConf } from '../../tls/ocsp-check.ts';
import { SessionStore, StoreKeys } from '../../tls/session-store.ts';
import { fixedKeys, type TicketKey } from '../../tls/tickets.ts';
import type { Zone } from '../../zone/zones.ts';
import { HTTP, type HttpBuild } from '../build.ts';
import type { CoreConf } from '../core-conf.ts';
import { httpModule } from '../module.ts';
import type { Template } from '../template.ts';
import { type HttpTls, NO_TLS, VERIFY } from '../tls.ts';
import { certifier } from './ssl-certify.ts';
import { type ContextConf, contextId, makeContext } from './ssl-context.ts';
import { asConfError, LoadedObjects, NamedObjects } from './ssl-objects.ts';
import { ocspOf } from './ssl-ocsp.ts';
import {
  type CertificateCacheConf,
  certificateCache,
  names,
  ocspCache,
  passwords,
  type SessionCacheConf,
  sessionCache,
  ticketKeys,
} from './ssl-parsers.ts';
import { ticketSecret, ticketSecretZone } from './ssl-secret.ts';
import { sslVariables } from './ssl-variables.ts';

const SERVER: readonly Context[] = ['http', 'server'];

interface MadeServer {
  readonly conf: ContextConf;
  readonly tls: HttpTls;
  readonly ocsp: OcspConf | undefined;
}

/** What an http block has made of its servers' directives. */
interface Made {
  readonly objects: LoadedObjects;
  /** Servers that say the same share a context. */
  readonly servers: Map<string, MadeServer>;
  readonly secret: Zone;
}
const made = new WeakMap<HttpBuild, Made>();

const madeIn = (build: HttpBuild, scope: Scope): Made => {
  const known = made.get(build) ?? {
    objects: new LoadedObjects(scope.load),
    servers: new Map(),
    secret: ticketSecretZone(scope),
  };
  made.set(build, known);
  return known;
};

const serverOf = (conf: ContextConf, objects: LoadedObjects, at: Place | undefined): MadeServer => {
  let context: TlsContext;
  let ocsp: OcspConf | undefined;
  try {
    context = makeContext(conf, objects);
    if (conf.ocsp !== 'off') ocsp = ocspOf(context, conf.ocsp === 'leaf', conf.ocspResponder, conf.load);
  } catch (error) {
    const reason = asConfError(error);
    throw reason instanceof ConfError ? new ConfError(reason.reason, undefined, at) : reason;
  }
  const named = new NamedObjects(conf.base, conf.certificateCache);
  const tls: HttpTls = {
    context,
    fragment: conf.fragment,
    verify: VERIFY[conf.verify],
    certify: conf.dynamic ? certifier(conf.certificates, conf.keys, conf.passwords, named) : undefined,
    examine: ocsp && ((connection, log) => checkClient(ocsp, connection, log)),
  };
  return { conf, tls, ocsp };
};

/** Keys and sessions that workers share are there once the process has its zones. */
const shareSessions = ({ servers, secret }: Made): void => {
  const stores = new Map<Zone, SessionStore>();
  for (const [id, { conf, tls }] of servers) {
    const { context } = tls;
    if (!context) continue;
    const { zone } = conf.sessionCache;
    if (zone) {
      const store = stores.get(zone) ?? new SessionStore(zone.memory);
      stores.set(zone, store);
      context.store = store;
      if (conf.ticketKeys.length === 0) context.setTicketKeys(new StoreKeys(store, conf.sessionTimeout));
    } else if (conf.ticketKeys.length === 0) {
      context.setFixedKeys(fixedKeys(ticketSecret(secret.memory), id));
    }
  }
};

/** Responders are asked with the resolver of the server. */
const prepareOcsp = ({ conf, tls, ocsp }: MadeServer, core: CoreConf, log: ErrorLog): void => {
  const lookup = { resolver: core.resolver, timeout: core.resolver_timeout };
  for (const staple of tls.context?.staples.values() ?? []) {
    staple.lookup = lookup;
    staple.log = (level, message) => {
      if (log.level >= level) log.write(level, message);
    };
  }
  if (!ocsp) return;
  ocsp.lookup = lookup;
  if (conf.ocspCache) ocsp.cache = new SessionStore(conf.ocspCache.memory);
};

const hasCertificate = (scope: Scope, build: HttpBuild): boolean =>
  scope.set.has('ssl_certificate') || build.scope.set.has('ssl_certificate');

const rejects = (scope: Scope, build: HttpBuild): boolean => {
  const { ssl_reject_handshake: own } = scope.own.get(sslModule) ?? {};
  const { ssl_reject_handshake: around } = build.scope.own.get(sslModule) ?? {};
  return (own ?? around) === true;
};

export const sslModule = httpModule({
  name: 'http_ssl',
  directives: {
    ssl_certificate: directive<readonly Template[]>(names, { in: SERVER, initial: [] }),
    ssl_certificate_key: directive<readonly Template[]>(names, { in: SERVER, initial: [] }),
    ssl_certificate_cache: directive<CertificateCacheConf | 'off'>(certificateCache, {
      in: SERVER,
      initial: 'off',
    }),
    ssl_password_file: directive<readonly string[]>(passwords, { in: SERVER, initial: [] }),
    ssl_certificate_compression: directive(flag, { in: SERVER, initial: false }),
    ssl_dhparam: directive(str, { in: SERVER, initial: '' }),
    ssl_ecdh_curve: directive(str, { in: SERVER, initial: 'auto' }),
    ssl_protocols: directive<readonly string[]>(
      wordsOf('SSLv2', 'SSLv3', 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'),
      { in: SERVER, initial: ['TLSv1.2', 'TLSv1.3'] },
    ),
    ssl_ciphers: directive(str, { in: SERVER, initial: 'HIGH:!aNULL:!MD5' }),
    ssl_buffer_size: directive(size, { in: SERVER, initial: 16384 }),
    ssl_verify_client: directive<keyof typeof VERIFY>(enumOf('off', 'on', 'optional', 'optional_no_ca'), {
      in: SERVER,
      initial: 'off',
    }),
    ssl_verify_depth: directive(num(), { in: SERVER, initial: 1 }),
    ssl_client_certificate: directive(str, { in: SERVER, initial: '' }),
    ssl_trusted_certificate: directive(str, { in: SERVER, initial: '' }),
    ssl_crl: directive(str, { in: SERVER, initial: '' }),
    ssl_prefer_server_ciphers: directive(flag, { in: SERVER, initial: false }),
    ssl_session_cache: directive<SessionCacheConf>(sessionCache, {
      in: SERVER,
      initial: { builtin: undefined, zone: undefined },
      merge: (own, outer) => ({
        builtin: own?.builtin ?? outer.builtin,
        zone: own?.zone ?? outer.zone,
      }),
    }),
    ssl_session_tickets: directive(flag, { in: SERVER, initial: true }),
    ssl_session_ticket_key: directive<readonly TicketKey[]>(ticketKeys, { in: SERVER, initial: [] }),
    ssl_session_timeout: directive(sec, { in: SERVER, initial: 300 }),
    ssl_ocsp: directive<'off' | 'on' | 'leaf'>(enumOf('off', 'on', 'leaf'), { in: SERVER, initial: 'off' }),
    ssl_ocsp_responder: directive(str, { in: SERVER, initial: '' }),
    ssl_ocsp_cache: directive<Zone | undefined>(ocspCache, { in: SERVER, initial: undefined }),
    ssl_stapling: directive(flag, { in: SERVER, initial: false }),
    ssl_stapling_file: directive(str, { in: SERVER, initial: '' }),
    ssl_stapling_responder: directive(str, { in: SERVER, initial: '' }),
    ssl_stapling_verify: directive(flag, { in: SERVER, initial: false }),
    ssl_ech_file: directive(strings, { in: SERVER, initial: [] }),
    ssl_early_data: directive(flag, { in: SERVER, initial: false }),
    ssl_conf_command: directive<readonly KeyValue[]>(keyValue, { in: SERVER, initial: [] }),
    ssl_reject_handshake: directive(flag, { in: SERVER, initial: false }),
  },
  variables: sslVariables,
  complete(build) {
    for (const { listen, fallback, servers } of build.addresses.values()) {
      if (!listen.ssl || hasCertificate(fallback.scope, build)) continue;
      for (const { scope } of rejects(fallback.scope, build) ? servers : [fallback]) {
        if (hasCertificate(scope, build) || rejects(scope, build)) continue;
        const reason = 'no "ssl_certificate" is defined for the "listen ... ssl" directive';
        throw new ConfError(reason, scope.place);
      }
    }
  },
  derive(conf, scope): { readonly tls: HttpTls } {
    if (conf.ssl_certificate.length === 0 && !conf.ssl_reject_handshake) {
      // Requests may come to it by a handshake of the default server's.
      return { tls: { ...NO_TLS, verify: VERIFY[conf.ssl_verify_client] } };
    }
    const build = scope.need(HTTP);
    const at = scope.set.get('ssl_certificate') ?? build.scope.set.get('ssl_certificate');
    const settings: ContextConf = {
      certificates: conf.ssl_certificate,
      keys: conf.ssl_certificate_key,
      dynamic: [...conf.ssl_certificate, ...conf.ssl_certificate_key].some(
        ({ constant }) => constant === undefined,
      ),
      certificateCache: conf.ssl_certificate_cache,
      passwords: conf.ssl_password_file,
      compression: conf.ssl_certificate_compression,
      protocols: conf.ssl_protocols,
      ciphers: conf.ssl_ciphers,
      preferServerCiphers: conf.ssl_prefer_server_ciphers,
      curves: conf.ssl_ecdh_curve,
      dhparam: conf.ssl_dhparam,
      fragment: conf.ssl_buffer_size,
      verify: conf.ssl_verify_client,
      verifyDepth: conf.ssl_verify_depth,
      clientCertificate: conf.ssl_client_certificate,
      trustedCertificate: conf.ssl_trusted_certificate,
      crl: conf.ssl_crl,
      sessionCache: conf.ssl_session_cache,
      tickets: conf.ssl_session_tickets,
      ticketKeys: conf.ssl_session_ticket_key,
      sessionTimeout: conf.ssl_session_timeout,
      earlyData: conf.ssl_early_data,
      commands: conf.ssl_conf_command,
      rejects: conf.ssl_reject_handshake,
      base: scope.load.confPrefix,
      echFiles: conf.ssl_ech_file,
      load: scope.load,
      stapling: conf.ssl_stapling,
      staplingFile: conf.ssl_stapling_file,
      staplingResponder: conf.ssl_stapling_responder,
      staplingVerify: conf.ssl_stapling_verify,
      ocsp: conf.ssl_ocsp,
      ocspResponder: conf.ssl_ocsp_responder,
      ocspCache: conf.ssl_ocsp_cache,
    };
    const { objects, servers } = madeIn(build, scope);
    const id = contextId(settings);
    const known = servers.get(id) ?? serverOf(settings, objects, at);
    servers.set(id, known);
    return { tls: known.tls };
  },
  prepare(build, { log }) {
    const known = made.get(build);
    if (!known) return;
    shareSessions(known);
    for (const { runtime } of build.servers) {
      const own = [...known.servers.values()].find(({ tls }) => tls === runtime.tls);
      if (own) prepareOcsp(own, runtime.location.core, log);
    }
  },
});
