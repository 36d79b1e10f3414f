/** TLS to peers: the directives `proxy_ssl_*`, `uwsgi_ssl_*` and their like, and what they come to. */
import {
  type Conf,
  ConfError,
  type Context,
  directive,
  type Parser,
  type Scope,
} from '../config/contract.ts';
import { absolute, flag, type KeyValue, keyValue, num, str, wordsOf } from '../config/parsers.ts';
import { useCertificate } from '../tls/conf/certify.ts';
import { asConfError, LoadedObjects, NamedObjects } from '../tls/conf/objects.ts';
import { type CertificateCacheConf, certificateCache, passwords } from '../tls/conf/parsers.ts';
import { PeerContext } from '../tls/peer-context.ts';
import { PemError } from '../tls/pem.ts';
import type { Template } from '../values/template.ts';
import type { Subject } from '../values/variables.ts';
import type { PeerTls } from './contract.ts';

/** The rows; the directives are `PREFIX_ssl_verify` and so on. */
export const peerTlsRows = <R extends Subject>(
  prefix: string,
  where: readonly Context[],
  template: Parser<Template<R>>,
) => {
  const named = (name: string) => ({ in: where, names: [`${prefix}_ssl_${name}`] });
  return {
    sslCertificate: directive<Template<R> | undefined>(template, {
      ...named('certificate'),
      initial: undefined,
    }),
    sslKey: directive<Template<R> | undefined>(template, { ...named('certificate_key'), initial: undefined }),
    sslCertificateCache: directive<CertificateCacheConf | 'off'>(certificateCache, {
      ...named('certificate_cache'),
      initial: 'off',
    }),
    sslPasswords: directive<readonly string[]>(passwords, { ...named('password_file'), initial: [] }),
    sslCiphers: directive(str, { ...named('ciphers'), initial: 'DEFAULT' }),
    sslCommands: directive<readonly KeyValue[]>(keyValue, { ...named('conf_command'), initial: [] }),
    sslCrl: directive(str, { ...named('crl'), initial: '' }),
    sslName: directive<Template<R> | undefined>(template, { ...named('name'), initial: undefined }),
    sslProtocols: directive<readonly string[]>(
      wordsOf('SSLv2', 'SSLv3', 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'),
      { ...named('protocols'), initial: ['TLSv1.2', 'TLSv1.3'] },
    ),
    sslServerName: directive(flag, { ...named('server_name'), initial: false }),
    sslSessionReuse: directive(flag, { ...named('session_reuse'), initial: true }),
    sslTrustedCertificate: directive(str, { ...named('trusted_certificate'), initial: '' }),
    sslVerify: directive(flag, { ...named('verify'), initial: false }),
    sslVerifyDepth: directive(num(), { ...named('verify_depth'), initial: 1 }),
  };
};
export type PeerTlsConf<R extends Subject> = Conf<ReturnType<typeof peerTlsRows<R>>>;

const isSet = <R extends Subject>(value: Template<R> | undefined): value is Template<R> =>
  value !== undefined && value.source !== '';

/** Throws PemError. */
const makeContext = <R extends Subject>(
  conf: PeerTlsConf<R>,
  prefix: string,
  objects: LoadedObjects,
): PeerContext => {
  const { sslCertificate: certificate, sslKey: key } = conf;
  const context = new PeerContext(conf.sslProtocols);
  context.setCiphers(conf.sslCiphers, false);
  if (isSet(certificate)) {
    if (!key) {
      const reason = `no "${prefix}_ssl_certificate_key" is defined for certificate "${certificate.source}"`;
      throw new PemError(reason);
    }
    if (certificate.constant !== undefined && key.constant !== undefined)
      context.addPair(objects.pair(certificate.constant, key.constant, conf.sslPasswords));
  }
  if (conf.sslVerify) {
    if (conf.sslTrustedCertificate === '')
      throw new PemError(`no ${prefix}_ssl_trusted_certificate for ${prefix}_ssl_verify`);
    context.trust(objects.authorities(conf.sslTrustedCertificate), conf.sslVerifyDepth);
    if (conf.sslCrl !== '') context.addCrls(objects.crls(conf.sslCrl));
  }
  if (conf.sslSessionReuse) context.reuseSessions();
  context.configure(
    conf.sslCommands.map(({ key: name, value }) => [name, value] as const),
    (name) => absolute(objects.base, name),
  );
  return context;
};

/** The same for locations that say the same. */
const contextId = <R extends Subject>(conf: PeerTlsConf<R>): string =>
  JSON.stringify([
    conf.sslCertificate?.source,
    conf.sslKey?.source,
    conf.sslPasswords,
    conf.sslCiphers,
    conf.sslCommands,
    conf.sslProtocols,
    conf.sslSessionReuse,
    conf.sslVerify && [conf.sslTrustedCertificate, conf.sslVerifyDepth, conf.sslCrl],
  ]);

/** What one block of a protocol has made of such directives. */
export class PeerTlsMaker<R extends Subject> {
  readonly #objects: LoadedObjects;
  /** Who says the same shares a context, and with it its sessions. */
  readonly #contexts = new Map<string, PeerContext>();
  /** What variables name, by the `..._certificate_cache` that it is kept under. */
  readonly #named = new Map<CertificateCacheConf | 'off', NamedObjects>();

  constructor(scope: Scope) {
    this.#objects = new LoadedObjects(scope.load);
  }

  #contextOf(conf: PeerTlsConf<R>, prefix: string): PeerContext {
    const id = contextId(conf);
    const known = this.#contexts.get(id) ?? makeContext(conf, prefix, this.#objects);
    this.#contexts.set(id, known);
    return known;
  }

  /** Certificates by variables; an empty name is none. */
  #certifierOf(conf: PeerTlsConf<R>): PeerTls<R>['certify'] {
    const { sslCertificate: certificate, sslKey: key, sslCertificateCache: cache, sslPasswords } = conf;
    if (!isSet(certificate) || !key) return undefined;
    if (certificate.constant !== undefined && key.constant !== undefined) return undefined;
    const kept = this.#named.get(cache) ?? new NamedObjects(this.#objects.base, cache);
    this.#named.set(cache, kept);
    return (subject, ssl) => {
      const name = certificate.text(subject);
      if (name === '') return '';
      try {
        useCertificate(kept, ssl, name, key.text(subject), sslPasswords);
        return '';
      } catch (error) {
        if (!(error instanceof PemError)) throw error;
        return error.message;
      }
    };
  }

  /** TLS as these directives want it. Throws ConfError in nginx's words, without a line where nginx names none. */
  of(conf: PeerTlsConf<R>, prefix: string, scope: Scope): PeerTls<R> {
    try {
      return {
        context: this.#contextOf(conf, prefix),
        name: conf.sslName,
        sendsName: conf.sslServerName,
        verifies: conf.sslVerify,
        certify: this.#certifierOf(conf),
      };
    } catch (error) {
      const reason = asConfError(error);
      throw reason instanceof ConfError ? new ConfError(reason.reason, undefined, scope.place) : reason;
    }
  }
}
