/** TLS to clients: the rows of `ssl_*` that protocols share, and what a server's come to. */
import {
  type Conf,
  ConfError,
  type Context,
  directive,
  type Parser,
  type Place,
  type Scope,
} from '../../config/contract.ts';
import {
  enumOf,
  flag,
  type KeyValue,
  keyValue,
  num,
  sec,
  str,
  strings,
  wordsOf,
} from '../../config/parsers.ts';
import type { ErrorLog } from '../../log/error-log.ts';
import type { Template } from '../../values/template.ts';
import type { Subject } from '../../values/variables.ts';
import type { Zone } from '../../zone/zones.ts';
import type { TlsConnection, TlsServer } from '../connection.ts';
import type { SessionOwner, TlsContext } from '../context.ts';
import { checkClient, type OcspConf } from '../ocsp-check.ts';
import type { OcspLog, OcspLookup } from '../ocsp-client.ts';
import { SessionStore, StoreKeys } from '../session-store.ts';
import { fixedKeys, type TicketKey } from '../tickets.ts';
import { certifier } from './certify.ts';
import { type ContextConf, contextId, makeContext } from './context.ts';
import { asConfError, LoadedObjects, NamedObjects } from './objects.ts';
import { ocspOf } from './ocsp.ts';
import {
  type CertificateCacheConf,
  certificateCache,
  namesOf,
  ocspCache,
  passwords,
  type SessionCacheConf,
  sessionCache,
  ticketKeys,
} from './parsers.ts';
import { ticketSecret, ticketSecretZone } from './secret.ts';
import { VERIFY } from './verify.ts';

/** What TLS is for a server of the configuration. */
export interface ServerTls<R extends Subject> extends TlsServer {
  /** One of VERIFY. */
  readonly verify: number;
  /** Chooses certificates by variables, for whoever stands for the connection; answers what is wrong, or ''. */
  readonly certify: ((subject: R, connection: TlsConnection) => string) | undefined;
  /** See `TlsBeginning.examine`. */
  readonly examine: ((connection: TlsConnection, log: OcspLog) => boolean) | undefined;
}

/** The rows. `zones`: what stands before the uses of zones, which protocols do not share. */
export const tlsRows = <R extends Subject>(
  where: readonly Context[],
  template: Parser<Template<R>>,
  zones: string,
) => {
  const names = namesOf(template);
  const at = { in: where } as const;
  return {
    ssl_certificate: directive<readonly Template<R>[]>(names, { ...at, initial: [] }),
    ssl_certificate_key: directive<readonly Template<R>[]>(names, { ...at, initial: [] }),
    ssl_certificate_cache: directive<CertificateCacheConf | 'off'>(certificateCache, {
      ...at,
      initial: 'off',
    }),
    ssl_password_file: directive<readonly string[]>(passwords, { ...at, initial: [] }),
    ssl_certificate_compression: directive(flag, { ...at, initial: false }),
    ssl_dhparam: directive(str, { ...at, initial: '' }),
    ssl_ecdh_curve: directive(str, { ...at, initial: 'auto' }),
    ssl_protocols: directive<readonly string[]>(
      wordsOf('SSLv2', 'SSLv3', 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'),
      { ...at, initial: ['TLSv1.2', 'TLSv1.3'] },
    ),
    ssl_ciphers: directive(str, { ...at, initial: 'HIGH:!aNULL:!MD5' }),
    ssl_verify_client: directive<keyof typeof VERIFY>(enumOf('off', 'on', 'optional', 'optional_no_ca'), {
      ...at,
      initial: 'off',
    }),
    ssl_verify_depth: directive(num(), { ...at, initial: 1 }),
    ssl_client_certificate: directive(str, { ...at, initial: '' }),
    ssl_trusted_certificate: directive(str, { ...at, initial: '' }),
    ssl_crl: directive(str, { ...at, initial: '' }),
    ssl_prefer_server_ciphers: directive(flag, { ...at, initial: false }),
    ssl_session_cache: directive<SessionCacheConf>(sessionCache(`${zones}ssl_session_cache`), {
      ...at,
      initial: { builtin: undefined, zone: undefined },
      merge: (own, outer) => ({
        builtin: own?.builtin ?? outer.builtin,
        zone: own?.zone ?? outer.zone,
      }),
    }),
    ssl_session_tickets: directive(flag, { ...at, initial: true }),
    ssl_session_ticket_key: directive<readonly TicketKey[]>(ticketKeys, { ...at, initial: [] }),
    ssl_session_timeout: directive(sec, { ...at, initial: 300 }),
    ssl_ocsp: directive<'off' | 'on' | 'leaf'>(enumOf('off', 'on', 'leaf'), { ...at, initial: 'off' }),
    ssl_ocsp_responder: directive(str, { ...at, initial: '' }),
    ssl_ocsp_cache: directive<Zone | undefined>(ocspCache(`${zones}ssl_ocsp_cache`), {
      ...at,
      initial: undefined,
    }),
    ssl_stapling: directive(flag, { ...at, initial: false }),
    ssl_stapling_file: directive(str, { ...at, initial: '' }),
    ssl_stapling_responder: directive(str, { ...at, initial: '' }),
    ssl_stapling_verify: directive(flag, { ...at, initial: false }),
    ssl_ech_file: directive(strings, { ...at, initial: [] }),
    ssl_conf_command: directive<readonly KeyValue[]>(keyValue, { ...at, initial: [] }),
    ssl_reject_handshake: directive(flag, { ...at, initial: false }),
  };
};
export type TlsConf<R extends Subject> = Conf<ReturnType<typeof tlsRows<R>>>;

/** What only one protocol's directives say. */
export interface TlsOptions {
  readonly fragment: number;
  readonly earlyData: boolean;
}

interface MadeServer<R extends Subject> {
  readonly conf: ContextConf;
  readonly tls: ServerTls<R>;
  readonly ocsp: OcspConf | undefined;
}

const settingsOf = <R extends Subject>(
  conf: TlsConf<R>,
  protocol: SessionOwner,
  { fragment, earlyData }: TlsOptions,
  scope: Scope,
): ContextConf => ({
  protocol,
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
  fragment,
  verify: conf.ssl_verify_client,
  verifyDepth: conf.ssl_verify_depth,
  clientCertificate: conf.ssl_client_certificate,
  trustedCertificate: conf.ssl_trusted_certificate,
  crl: conf.ssl_crl,
  sessionCache: conf.ssl_session_cache,
  tickets: conf.ssl_session_tickets,
  ticketKeys: conf.ssl_session_ticket_key,
  sessionTimeout: conf.ssl_session_timeout,
  earlyData,
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
});

/** What one block of a protocol has made of its servers' directives. */
export class TlsServers<R extends Subject> {
  readonly #objects: LoadedObjects;
  /** Servers that say the same share a context. */
  readonly #servers = new Map<string, MadeServer<R>>();
  readonly #secret: Zone;

  constructor(
    readonly scope: Scope,
    readonly protocol: SessionOwner,
  ) {
    this.#objects = new LoadedObjects(scope.load);
    this.#secret = ticketSecretZone(scope);
  }

  /** TLS as a server wants it. Throws ConfError in nginx's words; `at` is where nginx names no line itself. */
  of(conf: TlsConf<R>, options: TlsOptions, at: Place | undefined): ServerTls<R> {
    const settings = settingsOf(conf, this.protocol, options, this.scope);
    const id = contextId(settings);
    const known = this.#servers.get(id) ?? this.#make(settings, conf, at);
    this.#servers.set(id, known);
    return known.tls;
  }

  #make(settings: ContextConf, conf: TlsConf<R>, at: Place | undefined): MadeServer<R> {
    let context: TlsContext;
    let ocsp: OcspConf | undefined;
    try {
      context = makeContext(settings, this.#objects);
      if (settings.ocsp !== 'off')
        ocsp = ocspOf(context, settings.ocsp === 'leaf', settings.ocspResponder, settings.load);
    } catch (error) {
      const reason = asConfError(error);
      throw reason instanceof ConfError ? new ConfError(reason.reason, undefined, at) : reason;
    }
    const named = new NamedObjects(settings.base, settings.certificateCache);
    const { ssl_certificate: certificates, ssl_certificate_key: keys } = conf;
    const tls: ServerTls<R> = {
      context,
      fragment: settings.fragment,
      verify: VERIFY[settings.verify],
      certify: settings.dynamic ? certifier(certificates, keys, settings.passwords, named) : undefined,
      examine: ocsp && ((connection, log) => checkClient(ocsp, connection, log)),
    };
    return { conf: settings, tls, ocsp };
  }

  /** Keys and sessions that workers share, once the process has its zones. */
  share(): void {
    const stores = new Map<Zone, SessionStore>();
    for (const [id, { conf, tls }] of this.#servers) {
      const { context } = tls;
      if (!context) continue;
      const { zone } = conf.sessionCache;
      if (zone) {
        const store = stores.get(zone) ?? new SessionStore(zone.memory);
        stores.set(zone, store);
        context.store = store;
        if (conf.ticketKeys.length === 0) context.setTicketKeys(new StoreKeys(store, conf.sessionTimeout));
      } else if (conf.ticketKeys.length === 0) {
        context.setFixedKeys(fixedKeys(ticketSecret(this.#secret.memory), id));
      }
    }
  }

  /** Responders of a server are asked with its resolver. */
  prepare(tls: ServerTls<R>, lookup: OcspLookup, log: ErrorLog): void {
    const own = [...this.#servers.values()].find((one) => one.tls === tls);
    if (!own) return;
    const { conf, ocsp } = own;
    for (const staple of tls.context?.staples.values() ?? []) {
      staple.lookup = lookup;
      staple.log = (level, message) => {
        if (log.level >= level) log.write(level, message);
      };
    }
    if (!ocsp) return;
    ocsp.lookup = lookup;
    if (conf.ocspCache) ocsp.cache = new SessionStore(conf.ocspCache.memory);
  }
}

/** An address that is listened on, and the servers there. */
interface Address {
  readonly listen: { readonly ssl: boolean };
  readonly fallback: { readonly scope: Scope };
  readonly servers: readonly { readonly scope: Scope }[];
}

/** Throws for a server that is to speak TLS without a certificate. `rejects`: what a scope itself says of rejection. */
export const requireCertificates = (
  addresses: Iterable<Address>,
  around: Scope,
  rejects: (scope: Scope) => unknown,
): void => {
  const has = (scope: Scope): boolean =>
    scope.set.has('ssl_certificate') || around.set.has('ssl_certificate');
  const turnsAway = (scope: Scope): boolean => (rejects(scope) ?? rejects(around)) === true;
  for (const { listen, fallback, servers } of addresses) {
    if (!listen.ssl || has(fallback.scope)) continue;
    for (const { scope } of turnsAway(fallback.scope) ? servers : [fallback]) {
      if (has(scope) || turnsAway(scope)) continue;
      const reason = 'no "ssl_certificate" is defined for the "listen ... ssl" directive';
      throw new ConfError(reason, scope.place);
    }
  }
};
