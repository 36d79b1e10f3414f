/** OpenSSL's queue of errors as text, as nginx writes it. */
import { libc } from '../platform/libc.ts';
import { openssl, pointerIn } from './openssl.ts';

/** What SSL_get_error says. */
export const FAULT = 1;
export const WANT_READ = 2;
export const WANT_WRITE = 3;
export const SYSCALL = 5;
export const ZERO_RETURN = 6;

const TEXT_DATA = 2;
const room = Buffer.alloc(256);
const dataPointer = Buffer.alloc(8);
const flags = Buffer.alloc(4);

const textIn = (bytes: Buffer): string => bytes.toString('latin1', 0, Math.max(0, bytes.indexOf(0)));

/** ` (SSL: error:... error:...)` of all that is queued, which is then gone; '' when nothing is. */
export const takeErrors = (): string => {
  const ssl = openssl();
  const texts: string[] = [];
  for (;;) {
    const code = ssl.ERR_get_error_all(0, 0, 0, dataPointer, flags);
    if (code === 0) break;
    ssl.ERR_error_string_n(code, room, room.length);
    const at = pointerIn(dataPointer);
    const data =
      (flags.readInt32LE() & TEXT_DATA) !== 0 && at !== 0 ? libc().koffi.decode.string(BigInt(at)) : '';
    texts.push(data === '' ? textIn(room) : `${textIn(room)}:${data}`);
  }
  return texts.length === 0 ? '' : ` (SSL: ${texts.join(' ')})`;
};

/** The library (`PEM` is 9) and reason of the newest error; it stays queued. */
export const lastError = (): { readonly library: number; readonly reason: number } => {
  const code = openssl().ERR_peek_last_error();
  return { library: (code >>> 23) & 0xff, reason: code & 0x7fffff };
};
