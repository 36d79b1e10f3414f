/** Lists of protocols for ALPN (RFC 7301). */
import { addressOf } from './openssl.ts';

/** Names of protocols in the form of the wire, and where they are in memory. */
export interface Alpn {
  readonly bytes: Buffer;
  readonly at: number;
}

/** Each name stands behind its length (section 3.1). */
export const alpnOf = (names: readonly string[]): Alpn => {
  const bytes = Buffer.concat(
    names.map((name) => Buffer.from(`${String.fromCharCode(name.length)}${name}`, 'latin1')),
  );
  return { bytes, at: addressOf(bytes) };
};

/** Nothing to choose from: the client's list is not looked at. */
export const NO_ALPN: Alpn = { bytes: Buffer.alloc(0), at: 0 };

let http1: Alpn | undefined;
let http2: Alpn | undefined;

/** For servers that speak HTTP/1 alone. */
export const http1Alpn = (): Alpn => (http1 ??= alpnOf(['http/1.1', 'http/1.0', 'http/0.9']));
/** For servers that speak HTTP/2 too, and rather. */
export const http2Alpn = (): Alpn => (http2 ??= alpnOf(['h2', 'http/1.1', 'http/1.0', 'http/0.9']));
