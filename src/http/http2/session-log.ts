/** Lines of the error log about a client's connection of HTTP/2. */
import { INFO } from '../../log/levels.ts';
import { errorText } from '../../platform/errno.ts';
import type { ClientFacts } from '../http1/host.ts';

const ACTION = 'processing HTTP/2 connection';

/** A line about the connection. */
export const logSession = (client: ClientFacts, reason: string): void => {
  const log = client.debugLog ?? client.server.location.errorLog;
  if (log.level < INFO) return;
  const about = `client: ${client.unix ? 'unix:' : client.remoteAddress}, server: ${client.address.text}`;
  log.write(INFO, `${reason} while ${ACTION}, ${about}`, client.number);
};

/** Why the connection is gone that nobody has closed. False: nothing is known of that. */
export const logFailure = (client: ClientFacts): boolean => {
  const { tls, connection } = client;
  if (tls?.failure) {
    client.logTls(tls.failure.level, tls.failure.text, ACTION);
    return true;
  }
  if (!connection.error || tls) return false;
  const call = connection.error.syscall === 'read' ? 'recv()' : 'writev()';
  logSession(client, `${call} failed (${errorText(connection.error)})`);
  return true;
};
