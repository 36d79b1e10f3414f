/** Certificates by variables (`ssl_certificate $ssl_server_name.pem`): chosen in the handshake. */

import type { Template } from '../../values/template.ts';
import type { Subject } from '../../values/variables.ts';
import type { TlsConnection } from '../connection.ts';
import { lastError, takeErrors } from '../errors.ts';
import { openssl } from '../openssl.ts';
import { PemError, withStack } from '../pem.ts';
import { clearErrors, type NamedObjects } from './objects.ts';

const CTRL_CHAIN = 88;
const ERR_LIB_X509 = 11;
const KEY_VALUES_MISMATCH = 116;

const failed = (call: string, name: string): never => {
  throw new PemError(`${call}("${name}") failed${takeErrors()}`);
};

const isMismatch = (): boolean => {
  const { library, reason } = lastError();
  return library === ERR_LIB_X509 && reason === KEY_VALUES_MISMATCH;
};

/** Gives a connection one certificate and its key. Throws PemError. */
export const useCertificate = (
  objects: NamedObjects,
  ssl: number,
  certificate: string,
  key: string,
  passwords: readonly string[],
): void => {
  const library = openssl();
  for (let fresh = false; ; fresh = true) {
    const [first, ...rest] = objects.chain(certificate);
    if (library.SSL_use_certificate(ssl, first?.at ?? 0) === 0)
      failed('SSL_use_certificate', objects.certificatePath(certificate));
    if (withStack(rest, (stack) => library.SSL_ctrl(ssl, CTRL_CHAIN, 1, stack)) === 0)
      failed('SSL_set0_chain', objects.certificatePath(certificate));
    if (library.SSL_use_PrivateKey(ssl, objects.key(key, passwords).at) !== 0) return;
    if (fresh || !isMismatch()) failed('SSL_use_PrivateKey', objects.keyPath(key));
    clearErrors();
    objects.forget(certificate, key);
  }
};

/** What chooses a server's certificates; it answers why one can't be had, or ''. */
export const certifier = <R extends Subject>(
  certificates: readonly Template<R>[],
  keys: readonly Template<R>[],
  passwords: readonly string[],
  objects: NamedObjects,
): ((subject: R, connection: TlsConnection) => string) => {
  return (subject, connection) => {
    try {
      for (const [index, certificate] of certificates.entries()) {
        const key = keys[index]?.text(subject) ?? '';
        useCertificate(objects, connection.ssl, certificate.text(subject), key, passwords);
      }
      return '';
    } catch (error) {
      if (!(error instanceof PemError)) throw error;
      return error.message;
    }
  };
};
