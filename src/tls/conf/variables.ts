/** The variables `$ssl_...` that protocols share: what TLS has agreed on, and the client's certificate. */
import type { Subject, VariableDefinition } from '../../values/variables.ts';
import type { TlsConnection } from '../connection.ts';
import * as info from '../session-info.ts';

/** Empty without a value; not found without TLS, which `connectionOf` says. */
export const tlsVariable = <R extends Subject>(
  connectionOf: (subject: R) => TlsConnection | undefined,
  get: (connection: TlsConnection) => string,
): VariableDefinition<R> => ({
  get(subject) {
    const connection = connectionOf(subject);
    return connection ? get(connection) || undefined : undefined;
  },
  changeable: true,
});

/** OpenSSL knows the name of a signature algorithm since 3.5, and ECH since 4. */
const UNKNOWN: VariableDefinition<Subject> = { get: () => undefined, changeable: true };

export const tlsVariables = <R extends Subject>(
  connectionOf: (subject: R) => TlsConnection | undefined,
): Readonly<Record<string, VariableDefinition<R>>> => {
  const of = (get: (connection: TlsConnection) => string) => tlsVariable(connectionOf, get);
  return {
    ssl_protocol: of(info.protocol),
    ssl_cipher: of(info.cipher),
    ssl_ciphers: of(info.ciphers),
    ssl_curve: of(info.curve),
    ssl_curves: of(info.curves),
    ssl_sigalg: UNKNOWN,
    ssl_sigalgs: of(info.signatureAlgorithms),
    ssl_session_id: of(info.sessionId),
    ssl_session_reused: of(info.sessionReused),
    ssl_server_name: of(info.serverName),
    ssl_alpn_protocol: of(info.alpnProtocol),
    ssl_ech_status: UNKNOWN,
    ssl_ech_outer_server_name: UNKNOWN,
    ssl_client_cert: of(info.certificate),
    ssl_client_raw_cert: of(info.rawCertificate),
    ssl_client_escaped_cert: of(info.escapedCertificate),
    ssl_client_s_dn: of(info.subject),
    ssl_client_i_dn: of(info.issuer),
    ssl_client_serial: of(info.serial),
    ssl_client_fingerprint: of(info.fingerprint),
    ssl_client_verify: of(info.verification),
    ssl_client_v_start: of(info.validFrom),
    ssl_client_v_end: of(info.validTo),
    ssl_client_v_remain: of(info.daysLeft),
    ssl_client_sigalg: UNKNOWN,
  };
};
