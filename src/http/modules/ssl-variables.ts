/** The variables of ngx_http_ssl: what TLS has agreed on, and the client's certificate. */
import type { TlsConnection } from '../../tls/connection.ts';
import * as info from '../../tls/session-info.ts';
import type { VariableDefinition } from '../variables.ts';

/** Empty without a value; not found without TLS. */
const of = (get: (connection: TlsConnection) => string): VariableDefinition => ({
  get: ({ stream: { tls } }) => (tls ? get(tls) || undefined : undefined),
  changeable: true,
});

/** OpenSSL knows the name of a signature algorithm since 3.5, and ECH since 4. */
const unknown: VariableDefinition = { get: () => undefined, changeable: true };

export const sslVariables: Readonly<Record<string, VariableDefinition>> = {
  ssl_protocol: of(info.protocol),
  ssl_cipher: of(info.cipher),
  ssl_ciphers: of(info.ciphers),
  ssl_curve: of(info.curve),
  ssl_curves: of(info.curves),
  ssl_sigalg: unknown,
  ssl_sigalgs: of(info.signatureAlgorithms),
  ssl_session_id: of(info.sessionId),
  ssl_session_reused: of(info.sessionReused),
  ssl_early_data: of(info.earlyData),
  ssl_server_name: of(info.serverName),
  ssl_alpn_protocol: of(info.alpnProtocol),
  ssl_ech_status: unknown,
  ssl_ech_outer_server_name: unknown,
  ssl_client_cert: of(info.certificate),
  ssl_client_raw_cert: of(info.rawCertificate),
  ssl_client_escaped_cert: of(info.escapedCertificate),
  ssl_client_s_dn: of(info.subject),
  ssl_client_i_dn: of(info.issuer),
  ssl_client_s_dn_legacy: of(info.subjectLegacy),
  ssl_client_i_dn_legacy: of(info.issuerLegacy),
  ssl_client_serial: of(info.serial),
  ssl_client_fingerprint: of(info.fingerprint),
  ssl_client_verify: of(info.verification),
  ssl_client_v_start: of(info.validFrom),
  ssl_client_v_end: of(info.validTo),
  ssl_client_v_remain: of(info.daysLeft),
  ssl_client_sigalg: unknown,
};
