/** The user and password of `Authorization: Basic` (RFC 7617), of `Proxy-Authorization` with CONNECT. */
import type { Request } from '../request.ts';

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** The text before the first `=` decoded; undefined where nginx's decoder finds it broken. */
const decoded = (encoded: string): string | undefined => {
  const end = encoded.indexOf('=');
  const digits = end < 0 ? encoded : encoded.slice(0, end);
  if (digits.length % 4 === 1 || !/^[A-Za-z0-9+/]*$/.test(digits)) return undefined;
  return Buffer.from(digits, 'base64').latin1Slice();
};

/** Undefined when there are none, or they can't be read. */
export const basicCredentials = ({ method, headers }: Request): Credentials | undefined => {
  const header = headers.get(method === 'CONNECT' ? 'proxy-authorization' : 'authorization');
  if (header === undefined || header.slice(0, 6).toLowerCase() !== 'basic ') return undefined;
  const text = decoded(header.slice(6).replace(/^ +/, ''));
  const colon = text?.indexOf(':') ?? -1;
  if (text === undefined || colon <= 0) return undefined;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
};
