/** A server's TLS context from its directives, in nginx's order, with nginx's errors. */
import type { LoadContext } from '../../config/contract.ts';
import { absolute, type KeyValue } from '../../config/parsers.ts';
import type { Zone } from '../../zone/zones.ts';
import { type SessionOwner, TlsContext } from '../context.ts';
import { PemError } from '../pem.ts';
import type { TicketKey } from '../tickets.ts';
import type { LoadedObjects } from './objects.ts';
import { addStaples, type StaplingConf } from './ocsp.ts';
import type { CertificateCacheConf, SessionCacheConf } from './parsers.ts';
import type { VERIFY } from './verify.ts';

/** The name of a certificate or key, which may hold variables. */
interface Name {
  readonly source: string;
  /** undefined: with variables. */
  readonly constant: string | undefined;
}

/** What the directives of a server say. */
export interface ContextConf extends StaplingConf {
  /** Whose sessions these are: those of one protocol can't be resumed in the other. */
  readonly protocol: SessionOwner;
  readonly ocsp: 'off' | 'on' | 'leaf';
  readonly ocspResponder: string;
  readonly ocspCache: Zone | undefined;
  readonly certificates: readonly Name[];
  readonly keys: readonly Name[];
  /** Some name holds a variable. */
  readonly dynamic: boolean;
  readonly certificateCache: CertificateCacheConf | 'off';
  readonly passwords: readonly string[];
  readonly compression: boolean;
  readonly protocols: readonly string[];
  readonly ciphers: string;
  readonly preferServerCiphers: boolean;
  readonly curves: string;
  readonly dhparam: string;
  readonly fragment: number;
  readonly verify: keyof typeof VERIFY;
  readonly verifyDepth: number;
  readonly clientCertificate: string;
  readonly trustedCertificate: string;
  readonly crl: string;
  readonly sessionCache: SessionCacheConf;
  readonly tickets: boolean;
  readonly ticketKeys: readonly TicketKey[];
  /** Seconds. */
  readonly sessionTimeout: number;
  readonly earlyData: boolean;
  readonly echFiles: readonly string[];
  readonly commands: readonly KeyValue[];
  readonly rejects: boolean;
  /** What relative names of files are in. */
  readonly base: string;
  readonly load: LoadContext;
}

/** The same for servers that say the same. */
export const contextId = (conf: ContextConf): string =>
  JSON.stringify({
    ...conf,
    load: undefined,
    ocspCache: conf.ocspCache?.name,
    certificates: conf.certificates.map(({ source }) => source),
    keys: conf.keys.map(({ source }) => source),
    sessionCache: [conf.sessionCache.builtin, conf.sessionCache.zone?.name],
    ticketKeys: conf.ticketKeys.map(({ name }) => name.toString('hex')),
  });

const constantOf = ({ constant }: Name): string => constant ?? '';

/** Throws PemError. */
const checkPairs = ({ certificates, keys }: ContextConf): void => {
  const last = certificates.at(-1);
  if (last && keys.length < certificates.length)
    throw new PemError(`no "ssl_certificate_key" is defined for certificate "${last.source}"`);
};

const addCertificates = (context: TlsContext, conf: ContextConf, objects: LoadedObjects): void => {
  if (conf.dynamic) {
    context.chooseCertificates(conf.certificates.map(({ source }) => source));
    return;
  }
  for (const [index, certificate] of conf.certificates.entries()) {
    const key = conf.keys[index];
    if (key) context.addPair(objects.pair(constantOf(certificate), constantOf(key), conf.passwords));
  }
  if (conf.compression && conf.certificates.length > 0)
    conf.load.warn('"ssl_certificate_compression" is not supported on this platform, ignored');
};

const askClients = (context: TlsContext, conf: ContextConf, objects: LoadedObjects): void => {
  const { verify, verifyDepth, clientCertificate, trustedCertificate } = conf;
  const load = (name: string) => (name === '' ? [] : objects.authorities(name));
  if (verify !== 'off') {
    if (verify !== 'optional_no_ca' && clientCertificate === '' && trustedCertificate === '')
      throw new PemError('no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client');
    context.askForCertificate(load(clientCertificate), verifyDepth);
  }
  context.trust(load(trustedCertificate), verifyDepth);
  if (conf.crl !== '') context.addCrls(objects.crls(conf.crl));
  if (conf.ocsp !== 'off' && verify === 'optional_no_ca')
    throw new PemError('"ssl_ocsp" is incompatible with "ssl_verify_client optional_no_ca"');
};

/** Makes the context. Throws PemError. */
export const makeContext = (conf: ContextConf, objects: LoadedObjects): TlsContext => {
  checkPairs(conf);
  const context = new TlsContext(conf.protocols);
  if (conf.rejects) context.turnAway();
  context.setCiphers(conf.ciphers, conf.preferServerCiphers);
  addCertificates(context, conf, objects);
  askClients(context, conf, objects);
  if (conf.dhparam !== '') context.setDhParameters(absolute(conf.base, conf.dhparam));
  if (conf.echFiles.length > 0) conf.load.warn('"ssl_ech_file" is not supported on this platform, ignored');
  if (conf.curves !== 'auto') context.setCurves(conf.curves);
  const { builtin = 'none', zone } = conf.sessionCache;
  context.setSessions(conf.protocol, builtin, zone !== undefined, conf.sessionTimeout);
  if (!conf.tickets) context.withoutTickets();
  const [first] = conf.ticketKeys;
  if (first) context.setTicketKeys({ current: () => conf.ticketKeys });
  if (conf.stapling) {
    if (conf.compression)
      throw new PemError('"ssl_stapling" is incompatible with "ssl_certificate_compression"');
    addStaples(context, conf, conf.load);
  }
  if (conf.earlyData) context.takeEarlyData();
  context.configure(
    conf.commands.map(({ key, value }) => [key, value] as const),
    (name) => absolute(conf.base, name),
  );
  return context;
};
