/** Passwords of htpasswd files: `$apr1$`, `{PLAIN}`, `{SHA}`, `{SSHA}`, and what the system's crypt knows. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { systemCrypt } from '../../platform/crypt.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

const hash = (name: 'md5' | 'sha1', ...parts: readonly Buffer[]): Buffer => {
  const digest = createHash(name);
  for (const part of parts) digest.update(part);
  return digest.digest();
};

const ITOA64 = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

const to64 = (value: number, count: number): string => {
  let text = '';
  for (let i = 0, rest = value; i < count; i++, rest >>>= 6) text += ITOA64[rest & 0x3f];
  return text;
};

/** Apache's variant of the MD5 crypt. */
const apr1 = (key: Buffer, salt: Buffer): string => {
  const magic = bytes('$apr1$');
  let final = hash('md5', key, salt, key);
  const start: Buffer[] = [key, magic, salt];
  for (let n = key.length; n > 0; n -= 16) start.push(final.subarray(0, Math.min(16, n)));
  for (let n = key.length; n > 0; n >>= 1) start.push(n & 1 ? Buffer.alloc(1) : key.subarray(0, 1));
  final = hash('md5', ...start);
  for (let i = 0; i < 1000; i++) {
    const round = [i & 1 ? key : final];
    if (i % 3) round.push(salt);
    if (i % 7) round.push(key);
    round.push(i & 1 ? final : key);
    final = hash('md5', ...round);
  }
  const at = (index: number): number => final[index] ?? 0;
  let text = '';
  for (const [a, b, c] of [
    [0, 6, 12],
    [1, 7, 13],
    [2, 8, 14],
    [3, 9, 15],
    [4, 10, 5],
  ] as const) {
    text += to64((at(a) << 16) | (at(b) << 8) | at(c), 4);
  }
  return `$apr1$${salt.toString('latin1')}$${text}${to64(at(11), 2)}`;
};

/** The hash of `key` in the form of `stored`; undefined when that form is not known. May throw as `systemCrypt`. */
const hashLike = (key: string, stored: string): string | undefined => {
  if (stored.startsWith('$apr1$')) {
    const salt = /^[^$]{0,8}/.exec(stored.slice(6))?.[0] ?? '';
    return apr1(bytes(key), bytes(salt));
  }
  if (stored.startsWith('{PLAIN}')) return `{PLAIN}${key}`;
  if (stored.startsWith('{SSHA}')) {
    const salt = Buffer.from(stored.slice(6), 'base64').subarray(20);
    return `{SSHA}${Buffer.concat([hash('sha1', bytes(key), salt), salt]).toString('base64')}`;
  }
  if (stored.startsWith('{SHA}')) return `{SHA}${hash('sha1', bytes(key)).toString('base64')}`;
  return systemCrypt(key, stored);
};

/** Whether `key` is the password that `stored` was made from; undefined when that can't be told. Throws as `systemCrypt`. */
export const isPassword = (key: string, stored: string): boolean | undefined => {
  const made = hashLike(key, stored);
  if (made === undefined) return undefined;
  const [a, b] = [bytes(made), bytes(stored)];
  return a.length === b.length && timingSafeEqual(a, b);
};
