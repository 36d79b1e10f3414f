/** The variables of ngx_http_ssl: what TLS has agreed on, and the client's certificate. */

import { tlsVariable, tlsVariables } from '../../tls/conf/variables.ts';
import type { TlsConnection } from '../../tls/connection.ts';
import * as info from '../../tls/session-info.ts';
import type { Request } from '../request.ts';
import type { VariableDefinition } from '../variables.ts';

const tlsOf = ({ stream: { tls } }: Request): TlsConnection | undefined => tls;

export const sslVariables: Readonly<Record<string, VariableDefinition>> = {
  ...tlsVariables(tlsOf),
  ssl_early_data: tlsVariable(tlsOf, info.earlyData),
  ssl_client_s_dn_legacy: tlsVariable(tlsOf, info.subjectLegacy),
  ssl_client_i_dn_legacy: tlsVariable(tlsOf, info.issuerLegacy),
};
