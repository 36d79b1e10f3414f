/** TLS to a peer, whoever asks: what it is told before the handshake, what is asked of it behind it. */
import { isIPv4 } from 'node:net';
import { ERROR } from '../log/levels.ts';
import { takeErrors } from '../tls/errors.ts';
import type { PeerStream } from '../tls/peer-stream.ts';
import type { Subject } from '../values/variables.ts';
import type { PeerTls } from './contract.ts';

/** Who asks, as the log is to know it. */
export interface HandshakeLog {
  debug(text: () => string): void;
  log(level: number, message: string): void;
}

/** A host without its port; an address of version 6 keeps its brackets. */
const withoutPort = (name: string): string => {
  const behind = name.startsWith('[') ? Math.max(0, name.indexOf(']')) : 0;
  const colon = name.indexOf(':', behind);
  return colon < 0 ? name : name.slice(0, colon);
};

/** Addresses are not sent as a server's name. */
const isHostName = (name: string): boolean => name !== '' && !name.startsWith('[') && !isIPv4(name);

/**
 * Gives the connection what TLS needs for `subject`; `group` is what the peer is called where no name is written.
 * False: it can't be, which has been logged.
 */
export const prepareTls = <R extends Subject>(
  owner: HandshakeLog,
  stream: PeerStream,
  tls: PeerTls<R>,
  subject: R,
  group: string,
): boolean => {
  if (tls.sendsName || tls.verifies) {
    const name = withoutPort(tls.name ? tls.name.text(subject) : group);
    stream.host = name;
    if (tls.sendsName && isHostName(name)) {
      owner.debug(() => `upstream SSL server name: "${name}"`);
      if (!stream.nameHost(name)) {
        owner.log(ERROR, `SSL_set_tlsext_host_name("${name}") failed${takeErrors()}`);
        return false;
      }
    }
  }
  if (tls.alpn && !stream.offer(tls.alpn)) {
    owner.log(ERROR, `SSL_set_alpn_protos() failed${takeErrors()}`);
    return false;
  }
  const problem = tls.certify?.(subject, stream.ssl) ?? '';
  if (problem === '') return true;
  owner.log(ERROR, problem);
  return false;
};

/** Why the peer is not whom the configuration wants, once the handshake is done; '' when it is. */
export const peerFault = <R extends Subject>(stream: PeerStream, { verifies }: PeerTls<R>): string => {
  if (!verifies) return '';
  const { verdict } = stream;
  if (verdict !== 0) return `upstream SSL certificate verify error: (${verdict}:${stream.reason(verdict)})`;
  return stream.isFor(stream.host) ? '' : `upstream SSL certificate does not match "${stream.host}"`;
};
