/** Connections that one service hands to whoever listens at another address (`pass` of stream). */
import { addressBytes } from './addresses.ts';
import type { Connection } from './connection.ts';
import type { EndName } from './handle.ts';
import type { ProxyProtocol } from './proxy-header.ts';

/** An address that is listened on: a numeric one without brackets, or the path of a unix socket. */
export interface Endpoint {
  readonly family: 'ipv4' | 'ipv6' | 'unix';
  readonly address: string;
  readonly port: number;
}

/** A connection with what has been found out about it; nobody reads it any more. */
export interface Passed {
  readonly connection: Connection;
  /** Who is taken for the client; without an address for one of a unix socket. */
  readonly remote: EndName;
  /** The address that the client is taken to have connected to. */
  readonly local: EndName;
  readonly proxyProtocol: ProxyProtocol | undefined;
  /** What has come and nobody has taken. */
  readonly bytes: Buffer;
  /** How often it has been handed on. */
  readonly passes: number;
}

export type Taker = (passed: Passed) => void;

/** Who takes connections. */
export interface Reachable {
  /** Who takes connections to that address; undefined where nobody listens here. */
  takerAt(to: Endpoint): Taker | undefined;
}

const ANYWHERE = /^[0:.]*$/;

/** Whether an address stands for all of its family. */
export const isAnywhere = ({ family, address }: Endpoint): boolean =>
  family !== 'unix' && ANYWHERE.test(address);

/** Whether a socket that listens at `own` takes what is for `to`. */
export const listensAt = (own: Endpoint, to: Endpoint): boolean => {
  if (own.family !== to.family || own.port !== to.port) return false;
  if (isAnywhere(own) || own.address === to.address) return true;
  return own.family === 'ipv6' && `${addressBytes(own.address)}` === `${addressBytes(to.address)}`;
};

/** The new owner of a connection takes what has come of it so far, and reads on. */
export const goOn = ({ connection, bytes }: Passed): void => {
  connection.resume();
  if (bytes.length > 0) connection.handler.onRead(bytes, bytes.length);
  if (connection.ended && !connection.closed) connection.handler.onEnd();
};
