/** What stands behind `http://` in proxy_pass: a host and port, or a unix socket, and a URI. */
import { isIPv4, isIPv6 } from 'node:net';
import { parseNumber } from '../../../config/numbers.ts';

export interface UpstreamUrl {
  /** The name of a group, a host name or address as written (`[::1]` with its brackets), or `unix:PATH`. */
  readonly host: string;
  /** The port as given, or the default. */
  readonly port: number;
  /** As the registry takes it: the host with its port, when one is given. */
  readonly address: string;
  readonly noPort: boolean;
  /** A numeric address or a unix socket: no name has to be looked up. */
  readonly numeric: boolean;
  /** What is sent as Host, and `$proxy_host`. */
  readonly hostHeader: string;
  /** `$proxy_port`; '' for a unix socket. */
  readonly portText: string;
  /** From the first slash or question mark on; '' when there is none. */
  readonly uri: string;
}

/** nginx's ngx_parse_url for an upstream with a URI. A string tells what is wrong, in nginx's words. */
export const parseUpstreamUrl = (text: string, defaultPort: number): UpstreamUrl | string => {
  if (text.toLowerCase().startsWith('unix:')) return unixUrl(text);
  const bracketed = text.startsWith('[');
  const closing = bracketed ? text.indexOf(']') : -1;
  if (bracketed && closing < 0) return 'invalid host';
  const behindHost = closing + 1;
  const found = text.slice(behindHost).search(bracketed ? /\// : /[/?]/);
  const uriAt = found < 0 ? text.length : behindHost + found;
  const authority = text.slice(0, uriAt);
  const colon = authority.indexOf(':', behindHost);
  if (bracketed && colon !== behindHost && authority.length !== behindHost) return 'invalid host';
  const host = colon < 0 ? authority : authority.slice(0, colon);
  const portText = colon < 0 ? '' : authority.slice(colon + 1);
  const port = colon < 0 ? defaultPort : parseNumber(portText);
  if (port === undefined || port < 1 || port > 65535) return 'invalid port';
  if (host === '') return 'no host';
  if (bracketed && !isIPv6(host.slice(1, -1))) return 'invalid IPv6 address';
  const usual = colon < 0 || port === defaultPort;
  return {
    host,
    port,
    address: authority,
    noPort: colon < 0,
    numeric: bracketed || isIPv4(host),
    hostHeader: usual ? host : authority,
    portText: usual ? String(defaultPort) : portText,
    uri: text.slice(uriAt),
  };
};

const unixUrl = (text: string): UpstreamUrl | string => {
  const colon = text.indexOf(':', 5);
  const path = colon < 0 ? text.slice(5) : text.slice(5, colon);
  if (path === '') return 'no path in the unix domain socket';
  if (path.length > 107) return 'too long path in the unix domain socket';
  const host = `unix:${path}`;
  return {
    host,
    port: 0,
    address: host,
    noPort: true,
    numeric: true,
    hostHeader: 'localhost',
    portText: '',
    uri: colon < 0 ? '' : text.slice(colon + 1),
  };
};
