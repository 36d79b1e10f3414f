/** The user and password of `Authorization: Basic` (RFC 7617). */
import type { HeadersIn } from '../headers.ts';

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** Undefined when there are none, or they can't be read. */
export const basicCredentials = (headers: HeadersIn): Credentials | undefined => {
  const header = headers.get('authorization');
  if (header === undefined || header.slice(0, 6).toLowerCase() !== 'basic ') return undefined;
  const encoded = header.slice(6).replace(/^ +/, '');
  if (encoded === '' || !/^[A-Za-z0-9+/]*=*$/.test(encoded)) return undefined;
  const text = Buffer.from(encoded, 'base64').latin1Slice();
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
};
