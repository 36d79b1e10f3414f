/** Addresses as `server`, `proxy_pass` and their like write them: `host`, `host:port`, `[v6]:port`, `unix:path`. */
import { isIPv4, isIPv6 } from 'node:net';
import { parseNumber } from '../config/numbers.ts';
import { Reason } from '../config/reason.ts';
import type { ConnectTo } from '../net/connection.ts';

/** An address, taken apart. */
export interface Address {
  readonly text: string;
  /** Without port, as written (IPv6 with brackets); the path of a unix socket. */
  readonly host: string;
  /** The given port or the default one; 0 for unix, or when there is neither. */
  readonly port: number;
  /** No port was written. */
  readonly noPort: boolean;
  readonly kind: 'unix' | 'numeric' | 'name';
}

/** Longest path of a unix socket, in bytes. */
const LONGEST_PATH = 107;

const portOf = (text: string): number => {
  const port = parseNumber(text);
  if (port === undefined || port < 1 || port > 65535) throw new Reason('invalid port');
  return port;
};

/** Takes `text` apart. Throws Reason in nginx's words (`invalid port`, `no host` ...). */
export const parseAddress = (text: string, defaultPort: number): Address => {
  if (/^unix:/i.test(text)) {
    const host = text.slice(5);
    if (host === '') throw new Reason('no path in the unix domain socket');
    if (host.length > LONGEST_PATH) throw new Reason('too long path in the unix domain socket');
    return { text, host, port: 0, noPort: false, kind: 'unix' };
  }
  if (/[/?]/.test(text)) throw new Reason('invalid host');
  const bracket = text.startsWith('[') ? text.indexOf(']') : 0;
  if (bracket < 0) throw new Reason('invalid host');
  const colon = text.indexOf(':', bracket);
  const host = colon < 0 ? text : text.slice(0, colon);
  const port = colon < 0 ? defaultPort : portOf(text.slice(colon + 1));
  if (host === '') throw new Reason('no host');
  if (bracket > 0) {
    if (bracket !== host.length - 1) throw new Reason('invalid host');
    if (!isIPv6(host.slice(1, -1))) throw new Reason('invalid IPv6 address');
    return { text, host, port, noPort: colon < 0, kind: 'numeric' };
  }
  return { text, host, port, noPort: colon < 0, kind: isIPv4(host) ? 'numeric' : 'name' };
};

/** An address that can be connected to, and its name in messages: `127.0.0.1:80`, `[::1]:80`, `unix:/path`. */
export interface Target {
  readonly name: string;
  readonly to: ConnectTo;
}

/** The target of a numeric address without brackets. */
export const numericTarget = (host: string, port: number): Target => ({
  name: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
  to: { host, port },
});

/** The target of an address that needs no lookup. */
export const directTarget = (address: Address): Target =>
  address.kind === 'unix'
    ? { name: `unix:${address.host}`, to: { path: address.host } }
    : numericTarget(address.host.replace(/^\[|\]$/g, ''), address.port);
