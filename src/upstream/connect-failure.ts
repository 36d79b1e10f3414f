/** Why a connection to a peer could not be made, in nginx's words. */
import { ALERT, CRIT, ERROR } from '../log/levels.ts';
import type { Connection } from '../net/connection.ts';
import { errnoText, errorText } from '../platform/errno.ts';
import type { Peer } from './contract.ts';

/** Failures of connect() that are told at once, with the address; nginx logs the others of these as critical. */
const COMMON = new Set([
  'ECONNREFUSED',
  'EAGAIN',
  'ECONNRESET',
  'ENETDOWN',
  'ENETUNREACH',
  'EHOSTDOWN',
  'EHOSTUNREACH',
]);
const LATER = new Set(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EHOSTUNREACH']);

/** There is no socket to connect with: another peer would be no better. */
const NO_DESCRIPTORS = new Set(['EMFILE', 'ENFILE']);

/** An address to connect from that has a port of its own. */
const WITH_PORT = /^(?:[\d.]+|\[.+\]):[1-9]\d*$/;
const EADDRINUSE = 98;

export interface ConnectFailure {
  readonly level: number;
  readonly message: string;
  /** No other peer is to be tried. */
  readonly final: boolean;
}

/** `from`: the address that the connection was to come from; '' where it was all the same. */
export const connectFailure = (
  error: Connection['error'],
  peer: Peer | undefined,
  from: string,
): ConnectFailure => {
  const code = error?.code ?? '';
  // Node lets two sockets have the port that `proxy_bind` names, so that connecting is what fails.
  const portTaken = code === 'EADDRNOTAVAIL' && WITH_PORT.test(from);
  if (error?.syscall === 'bind' || portTaken) {
    const text = portTaken ? errnoText(EADDRINUSE) : errorText(error);
    return { level: CRIT, message: `bind(${from}) failed (${text})`, final: true };
  }
  if (NO_DESCRIPTORS.has(code)) {
    return { level: ALERT, message: `socket() failed (${errorText(error)})`, final: true };
  }
  const reason = errorText(error) + (code === 'EADDRNOTAVAIL' ? ', out of local ports' : '');
  if (peer && (peer.to.path !== undefined || !LATER.has(code))) {
    const level = COMMON.has(code) ? ERROR : CRIT;
    return { level, message: `connect() to ${peer.name} failed (${reason})`, final: false };
  }
  return { level: ERROR, message: `connect() failed (${reason})`, final: false };
};
