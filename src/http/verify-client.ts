/** What a request on a TLS port needs: TLS, and of its client's certificate what `ssl_verify_client` says. */
import { INFO } from '../log/levels.ts';
import { clientFault, NO_CERTIFICATE, VERIFY } from '../tls/conf/verify.ts';
import type { TlsConnection } from '../tls/connection.ts';
import { finalize } from './finalize.ts';
import type { Server } from './location.ts';
import { IN_HEADERS, IN_LINE } from './refusal.ts';
import type { Request } from './request.ts';
import { logRequest } from './request-log.ts';

/** Why a server that asks for certificates is not reached by another name than that of the handshake. */
export const OTHER_NAME =
  'client attempted to request the server name different from the one that was negotiated';

/** HTTP/0.9 has nothing behind the line. */
const whileReading = ({ version }: Request): string => (version < 1000 ? IN_LINE : IN_HEADERS);

/** Ends a request that may not go on: with a status, and a line in the log. */
const refuse = (request: Request, connection: TlsConnection, status: number, reason: string): true => {
  connection.forgetSession();
  logRequest(request, INFO, reason + whileReading(request));
  finalize(request, status);
  return true;
};

/** Ends a request that came without TLS to a port that speaks it. */
export const refusedWithoutTls = (request: Request): true => {
  logRequest(request, INFO, `client sent plain HTTP request to HTTPS port${whileReading(request)}`);
  finalize(request, 497);
  return true;
};

/**
 * Whether a server is not for who named another host in the handshake (`negotiated`, '' for none): it asks for
 * certificates by rules of its own, and that other server's were followed.
 */
export const othersOnly = ({ tls }: Server, negotiated: string, host: string): boolean =>
  negotiated !== '' && negotiated !== host && tls.verify !== VERIFY.off;

/**
 * Looks at the client's certificate where the request's server asks for one (`ssl_verify_client`), and ends the
 * request when it may not go on.
 */
export const refusedByTls = (request: Request, connection: TlsConnection): boolean => {
  const fault = clientFault(request.server.tls.verify, connection);
  if (fault === '') return false;
  return refuse(request, connection, fault === NO_CERTIFICATE ? 496 : 495, fault);
};
