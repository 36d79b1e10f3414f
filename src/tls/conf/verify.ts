/** `ssl_verify_client`: what is asked of a client's certificate once the handshake is done. */
import type { TlsConnection } from '../connection.ts';
import { openssl } from '../openssl.ts';

export const VERIFY = { off: 0, on: 1, optional: 2, optional_no_ca: 3 } as const;

/** Errors of a chain that ends where nobody is trusted (X509_V_ERR_*): `optional_no_ca` passes them. */
const WITHOUT_AUTHORITY: ReadonlySet<number> = new Set([18, 19, 20, 21, 27]);

export const NO_CERTIFICATE = 'client sent no required SSL certificate';

const FAILS = 'client SSL certificate verify error:';

/** Why a client may not go on, in nginx's words; '' when it may. `verify`: one of VERIFY. */
export const clientFault = (verify: number, connection: TlsConnection): string => {
  const { ssl } = connection;
  if (verify === VERIFY.off || ssl === 0) return '';
  const library = openssl();
  const result = library.SSL_get_verify_result(ssl);
  if (result !== 0 && (verify !== VERIFY.optional_no_ca || !WITHOUT_AUTHORITY.has(result)))
    return `${FAILS} (${result}:${library.X509_verify_cert_error_string(result)})`;
  if (verify === VERIFY.on && !connection.peerCertificate) return NO_CERTIFICATE;
  return connection.objection === '' ? '' : `${FAILS} ${connection.objection}`;
};
