/** The host of a request line or Host header, checked as nginx checks it (RFC 3986 section 3.2.2). */
import { ownText } from '../net/latin1.ts';

export interface ValidHost {
  /** Lower case, without port and final dot. */
  readonly host: string;
  /** 0 when none is given. */
  readonly port: number;
}

const NAME = /^([A-Za-z0-9\-._~!$&'()*+,;=%]+)(?::(\d*))?$/;
const LITERAL = /^(\[[A-Za-z0-9:\-._~!$&'()*+,;=]*\])(?::(\d*))?$/;

const check = (text: string): ValidHost | undefined => {
  const match = (text.startsWith('[') ? LITERAL : NAME).exec(text);
  if (!match) return undefined;
  let host = match[1] ?? '';
  const port = Number(match[2] ?? 0);
  if (host.includes('..') || port > 65535) return undefined;
  if (host.endsWith('.')) host = host.slice(0, -1);
  return host === '' ? undefined : { host: host.toLowerCase(), port };
};

/** Most requests of a site name the same few hosts. */
const CACHE_SIZE = 512;
const cache = new Map<string, ValidHost>();

/** Undefined when the host is not valid. */
export const validateHost = (text: string): ValidHost | undefined => {
  const known = cache.get(text);
  if (known) return known;
  const valid = check(text);
  if (valid && cache.size < CACHE_SIZE && text.length < 256) cache.set(ownText(text), valid);
  return valid;
};
