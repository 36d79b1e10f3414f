/** `crypt(3)`: passwords hashed as the system hashes them (SHA-256, SHA-512, bcrypt, yescrypt, DES ...). */
import { libc } from './libc.ts';

type Crypt = (key: Buffer, salt: Buffer) => string | null;

let crypt: Crypt | undefined;

const load = (): Crypt =>
  libc().koffi.load('libcrypt.so.1').func('str crypt(const void *key, const void *salt)');

const terminated = (text: string): Buffer => Buffer.from(`${text}\0`, 'latin1');

/**
 * The hash of `key` made as `salt` (a whole hash, or its start) says; undefined when the system does not know
 * its kind. Takes as long as the kind of hash demands. Throws when the library can't be loaded.
 */
export const systemCrypt = (key: string, salt: string): string | undefined => {
  crypt ??= load();
  return crypt(terminated(key), terminated(salt)) ?? undefined;
};
