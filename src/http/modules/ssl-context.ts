/** The OpenSSL context of a server: its certificates, protocols, ciphers and curves. */
import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { ConfError } from '../../config/contract.ts';
import { opensslText } from '../../net/tls.ts';
import { type KeyPair, readPair, readParameters } from './ssl-files.ts';

/** What the directives of a server say. */
export interface ContextConf {
  readonly certificates: readonly string[];
  readonly keys: readonly string[];
  readonly passwords: readonly string[];
  readonly protocols: readonly string[];
  readonly ciphers: string;
  readonly preferServerCiphers: boolean;
  readonly curves: string;
  readonly dhparam: string;
  readonly tickets: boolean;
  /** Seconds. */
  readonly sessionTimeout: number;
  /** What relative names of files are in. */
  readonly base: string;
}

const {
  SSL_OP_CIPHER_SERVER_PREFERENCE,
  SSL_OP_NO_COMPRESSION,
  SSL_OP_NO_RENEGOTIATION,
  SSL_OP_NO_TICKET,
  SSL_OP_NO_TLSv1,
  SSL_OP_NO_TLSv1_1,
  SSL_OP_NO_TLSv1_2,
  SSL_OP_NO_TLSv1_3,
} = constants;
/** A client that goes without close_notify is no error (SSL_OP_IGNORE_UNEXPECTED_EOF, not among Node's constants). */
const IGNORE_UNEXPECTED_EOF = 0x80;

const WITHOUT: readonly (readonly [protocol: string, option: number])[] = [
  ['TLSv1', SSL_OP_NO_TLSv1],
  ['TLSv1.1', SSL_OP_NO_TLSv1_1],
  ['TLSv1.2', SSL_OP_NO_TLSv1_2],
  ['TLSv1.3', SSL_OP_NO_TLSv1_3],
];

/** OpenSSL keeps the suites of TLS 1.3 apart and `ssl_ciphers` does not touch them; Node wants them in one list. */
const TLS13 = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256';

const optionsOf = (conf: ContextConf): number => {
  let options = SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | IGNORE_UNEXPECTED_EOF;
  for (const [protocol, option] of WITHOUT) if (!conf.protocols.includes(protocol)) options |= option;
  if (conf.preferServerCiphers) options |= SSL_OP_CIPHER_SERVER_PREFERENCE;
  if (!conf.tickets) options |= SSL_OP_NO_TICKET;
  return options;
};

const pairsOf = (conf: ContextConf): readonly KeyPair[] =>
  conf.certificates.map((certificate, index) =>
    readPair(certificate, conf.keys[index] ?? '', conf.base, conf.passwords),
  );

/** Runs what may fail for `call`, OpenSSL's function. */
const attempt = <T>(call: string, run: () => T): T => {
  try {
    return run();
  } catch (error) {
    const reason = error instanceof Error ? opensslText(error) : '';
    throw new ConfError(`${call} failed${reason === '' ? '' : ` (SSL: ${reason})`}`, undefined);
  }
};

/** Makes the context. Throws in nginx's words for what is wrong, without a place. */
export const makeContext = (conf: ContextConf): SecureContext => {
  const { certificates, keys, ciphers, curves } = conf;
  if (keys.length < certificates.length) {
    throw new ConfError(
      `no "ssl_certificate_key" is defined for certificate "${certificates.at(-1)}"`,
      undefined,
    );
  }
  attempt(`SSL_CTX_set_cipher_list("${ciphers}")`, () => createSecureContext({ ca: [], ciphers }));
  const pairs = pairsOf(conf);
  const dhparam = conf.dhparam === '' ? undefined : readParameters(conf.dhparam, conf.base);
  attempt(`SSL_CTX_set1_curves_list("${curves}")`, () => createSecureContext({ ca: [], ecdhCurve: curves }));
  return attempt('SSL_CTX_new()', () =>
    createSecureContext({
      // No client's certificate is asked for: without authorities Node need not load its own.
      ca: [],
      cert: pairs.map(({ certificate }) => certificate),
      key: pairs.map(({ key }) => key.export({ type: 'pkcs8', format: 'pem' })),
      ciphers: `${TLS13}:${ciphers}`,
      ecdhCurve: curves,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.3',
      secureOptions: optionsOf(conf),
      sessionIdContext: 'HTTP',
      sessionTimeout: conf.sessionTimeout,
      ...(dhparam === undefined ? {} : { dhparam }),
    }),
  );
};
