/** Certificates, keys and passwords as `ssl_certificate` and its like name them, read and checked in OpenSSL's order. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ConfError } from '../../config/contract.ts';
import { absolute } from '../../config/parsers.ts';
import { opensslText } from '../../net/tls.ts';
import { errorCode, errorText } from '../../platform/errno.ts';

/** A certificate with its chain, and the key of its first. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: KeyObject;
}

/** What OpenSSL says where a file can't be opened. */
const openFailure = (path: string, error: unknown): string => {
  const [number = '0', text = ''] = errorText(error).split(/: (.*)/s);
  const second =
    errorCode(error) === 'ENOENT'
      ? '10000080:BIO routines::no such file'
      : '10080002:BIO routines::system lib';
  const first = (0x80000000 + Number(number)).toString(16).toUpperCase();
  return `(SSL: error:${first}:system library::${text}:calling fopen(${path}, r) error:${second})`;
};

/** The text of a file, or what stands behind `data:`. Throws `FAILURE BIO_new_file() failed (SSL: ...)`. */
const readPem = (
  name: string,
  base: string,
  failure: (path: string) => string,
): { readonly path: string; readonly text: string } => {
  if (name.startsWith('data:')) return { path: name, text: name.slice(5) };
  const path = absolute(base, name);
  try {
    return { path, text: readFileSync(path, 'latin1') };
  } catch (error) {
    throw new ConfError(`${failure(path)} failed ${openFailure(path, error)}`, undefined);
  }
};

const reasonOf = (error: unknown, otherwise: string): string =>
  (error instanceof Error && opensslText(error)) || otherwise;

const NO_START = 'error:0480006C:PEM routines::no start line';
const BLOCK =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[\s\S]*?-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;

const readCertificate = (
  name: string,
  base: string,
): { readonly text: string; readonly first: X509Certificate } => {
  const { path, text } = readPem(name, base, (full) => `cannot load certificate "${full}": BIO_new_file()`);
  const fail = (call: string, reason: string): never => {
    throw new ConfError(`cannot load certificate "${path}": ${call}() failed (SSL: ${reason})`, undefined);
  };
  const blocks = text.match(BLOCK) ?? [];
  let first: X509Certificate | undefined;
  for (const block of blocks) {
    try {
      const one = new X509Certificate(block);
      first ??= one;
    } catch (error) {
      fail(first ? 'PEM_read_bio_X509' : 'PEM_read_bio_X509_AUX', reasonOf(error, NO_START));
    }
  }
  return first
    ? { text: blocks.join('\n'), first }
    : fail('PEM_read_bio_X509_AUX', `${NO_START}:Expecting: TRUSTED CERTIFICATE`);
};

const readKey = (
  name: string,
  base: string,
  passwords: readonly string[],
): { readonly path: string; readonly key: KeyObject } => {
  const failure = (path: string): string => `cannot load certificate key "${path}":`;
  if (/^(?:engine|store):/.test(name)) {
    const kind = name.slice(0, name.indexOf(':'));
    throw new ConfError(
      `${failure(name)} loading "${kind}:..." certificate keys is not supported`,
      undefined,
    );
  }
  const { path, text } = readPem(name, base, (full) => `${failure(full)} BIO_new_file()`);
  let reason = '';
  for (const passphrase of passwords.length > 0 ? passwords : [undefined]) {
    try {
      const key = createPrivateKey(passphrase === undefined ? text : { key: text, passphrase });
      return { path, key };
    } catch (error) {
      const missing = errorCode(error) === 'ERR_MISSING_PASSPHRASE';
      reason = missing ? 'error:0480006D:PEM routines::problems getting password' : reasonOf(error, NO_START);
    }
  }
  const hint = reason.startsWith('error:1E08010C:') ? ':No supported data to decode. Input type: PEM' : '';
  throw new ConfError(`${failure(path)} PEM_read_bio_PrivateKey() failed (SSL: ${reason}${hint})`, undefined);
};

/**
 * Reads a certificate and its key; relative names are in `base`. Throws `cannot load certificate "X": ...` and
 * its like. A key of another kind than the certificate's passes, as in nginx.
 */
export const readPair = (
  certificate: string,
  keyName: string,
  base: string,
  passwords: readonly string[],
): KeyPair => {
  const { text, first } = readCertificate(certificate, base);
  const { path, key } = readKey(keyName, base, passwords);
  if (first.publicKey.asymmetricKeyType === key.asymmetricKeyType && !first.checkPrivateKey(key)) {
    const reason = 'error:05800074:x509 certificate routines::key values mismatch';
    throw new ConfError(`SSL_CTX_use_PrivateKey("${path}") failed (SSL: ${reason})`, undefined);
  }
  return { certificate: text, key };
};

/** `ssl_dhparam`. Throws in nginx's words. */
export const readParameters = (name: string, base: string): string => {
  const { path, text } = readPem(name, base, (full) => `BIO_new_file("${full}")`);
  if (text.includes('-----BEGIN DH PARAMETERS-----') || text.includes('-----BEGIN X9.42 DH PARAMETERS-----'))
    return text;
  throw new ConfError(
    `PEM_read_bio_DHparams("${path}") failed (SSL: ${NO_START}:Expecting: DH PARAMETERS)`,
    undefined,
  );
};

/** `ssl_password_file`: a password a line. Throws `open() "X" failed (...)` as a plain reason. */
export const readPasswords = (path: string): readonly string[] => {
  const lines = readFileSync(path, 'latin1')
    .split('\n')
    .map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line))
    .filter((line) => line !== '');
  return lines.length > 0 ? lines : [''];
};
