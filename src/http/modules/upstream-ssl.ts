/** TLS to peers: the directives `proxy_ssl_*`, `uwsgi_ssl_*` and their like, and what a location's come to. */
import { type Conf, ConfError, directive, type Scope } from '../../config/contract.ts';
import { absolute, flag, type KeyValue, keyValue, num, str, wordsOf } from '../../config/parsers.ts';
import { PeerContext } from '../../tls/peer-context.ts';
import { PemError } from '../../tls/pem.ts';
import type { PeerTls } from '../../upstream/contract.ts';
import { HTTP, type HttpBuild } from '../build.ts';
import { template } from '../parsers.ts';
import type { Template } from '../template.ts';
import { ANYWHERE } from '../upstream-directives.ts';
import { useCertificate } from './ssl-certify.ts';
import { asConfError, LoadedObjects, NamedObjects } from './ssl-objects.ts';
import { type CertificateCacheConf, certificateCache, passwords } from './ssl-parsers.ts';

type OptionalTemplate = Template | undefined;

/** The rows; the directives are `PREFIX_ssl_verify` and so on. */
export const peerTlsRows = (prefix: string) => {
  const named = (name: string) => ({ in: ANYWHERE, names: [`${prefix}_ssl_${name}`] });
  return {
    sslCertificate: directive<OptionalTemplate>(template, { ...named('certificate'), initial: undefined }),
    sslKey: directive<OptionalTemplate>(template, { ...named('certificate_key'), initial: undefined }),
    sslCertificateCache: directive<CertificateCacheConf | 'off'>(certificateCache, {
      ...named('certificate_cache'),
      initial: 'off',
    }),
    sslPasswords: directive<readonly string[]>(passwords, { ...named('password_file'), initial: [] }),
    sslCiphers: directive(str, { ...named('ciphers'), initial: 'DEFAULT' }),
    sslCommands: directive<readonly KeyValue[]>(keyValue, { ...named('conf_command'), initial: [] }),
    sslCrl: directive(str, { ...named('crl'), initial: '' }),
    sslName: directive<OptionalTemplate>(template, { ...named('name'), initial: undefined }),
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
export type PeerTlsConf = Conf<ReturnType<typeof peerTlsRows>>;

/** What the locations of an http block have in common. */
interface Made {
  readonly objects: LoadedObjects;
  /** Locations that say the same share a context, and with it their sessions. */
  readonly contexts: Map<string, PeerContext>;
  /** What variables name, by the `..._certificate_cache` that it is kept under. */
  readonly named: Map<CertificateCacheConf | 'off', NamedObjects>;
}
const made = new WeakMap<HttpBuild, Made>();

const madeIn = (build: HttpBuild, scope: Scope): Made => {
  const known = made.get(build) ?? {
    objects: new LoadedObjects(scope.load),
    contexts: new Map(),
    named: new Map(),
  };
  made.set(build, known);
  return known;
};

const isSet = (value: OptionalTemplate): value is Template => value !== undefined && value.source !== '';

/** Throws PemError. */
const makeContext = (conf: PeerTlsConf, prefix: string, objects: LoadedObjects): PeerContext => {
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
const contextId = (conf: PeerTlsConf): string =>
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

const contextOf = (conf: PeerTlsConf, prefix: string, { objects, contexts }: Made): PeerContext => {
  const id = contextId(conf);
  const known = contexts.get(id) ?? makeContext(conf, prefix, objects);
  contexts.set(id, known);
  return known;
};

/** Certificates by variables; an empty name is none. */
const certifierOf = (conf: PeerTlsConf, { named, objects }: Made): PeerTls['certify'] => {
  const { sslCertificate: certificate, sslKey: key, sslCertificateCache: cache, sslPasswords } = conf;
  if (!isSet(certificate) || !key) return undefined;
  if (certificate.constant !== undefined && key.constant !== undefined) return undefined;
  const kept = named.get(cache) ?? new NamedObjects(objects.base, cache);
  named.set(cache, kept);
  return (request, ssl) => {
    const name = certificate.text(request);
    if (name === '') return '';
    try {
      useCertificate(kept, ssl, name, key.text(request), sslPasswords);
      return '';
    } catch (error) {
      if (!(error instanceof PemError)) throw error;
      return error.message;
    }
  };
};

/** TLS as a location wants it. Throws ConfError in nginx's words, without a line where nginx names none. */
export const toPeerTls = (conf: PeerTlsConf, prefix: string, scope: Scope): PeerTls => {
  const all = madeIn(scope.need(HTTP), scope);
  try {
    return {
      context: contextOf(conf, prefix, all),
      name: conf.sslName,
      sendsName: conf.sslServerName,
      verifies: conf.sslVerify,
      certify: certifierOf(conf, all),
    };
  } catch (error) {
    const reason = asConfError(error);
    throw reason instanceof ConfError ? new ConfError(reason.reason, undefined, scope.place) : reason;
  }
};
