/** Certificates, keys, authorities and revocation lists from files (or `data:`), with the errors that nginx gives. */
import { lastError, takeErrors } from './errors.ts';
import { callback, cText, openssl, viewOf } from './openssl.ts';
import { type Owned, owned } from './owned.ts';

/** Why something could not be read: the call that failed, and what OpenSSL says. */
export class PemError extends Error {
  override readonly name = 'PemError';
}

const failed = (call: string): never => {
  throw new PemError(`${call}() failed${takeErrors()}`);
};

const ERR_LIB_PEM = 9;
const PEM_R_NO_START_LINE = 108;
const READ = cText('r');

/** What is to be read: `data:` and text, or a file; `text` is what is in it, where that is known already. */
export interface PemSource {
  readonly name: string;
  readonly text: string | undefined;
}

let held: Buffer | undefined;

/** Runs `read` on a BIO over the text, or else the file. */
const withBio = <T>({ name, text }: PemSource, read: (bio: number) => T): T => {
  const ssl = openssl();
  const known = name.startsWith('data:') ? name.slice(5) : text;
  // The library reads it where it is: nothing else refers to it meanwhile.
  held = known === undefined ? undefined : cText(known);
  const data = held;
  const bio = data ? ssl.BIO_new_mem_buf(data, data.length - 1) : ssl.BIO_new_file(cText(name), READ);
  if (bio === 0) return failed(data ? 'BIO_new_mem_buf' : 'BIO_new_file');
  try {
    return read(bio);
  } finally {
    ssl.BIO_free(bio);
    held = undefined;
  }
};

/** At the end of a file: nothing more begins there. */
const atEnd = (): boolean => {
  const { library, reason } = lastError();
  if (library !== ERR_LIB_PEM || reason !== PEM_R_NO_START_LINE) return false;
  openssl().ERR_clear_error();
  return true;
};

type Read = 'PEM_read_bio_X509' | 'PEM_read_bio_X509_AUX' | 'PEM_read_bio_X509_CRL';

const readAll = (bio: number, first: Read, next: Read, free: (at: number) => void): readonly Owned[] => {
  const ssl = openssl();
  const all: Owned[] = [];
  for (let call = first; ; call = next) {
    const at = ssl[call](bio, 0, 0, 0);
    if (at !== 0) all.push(owned(at, free));
    else if (all.length > 0 && atEnd()) return all;
    else return failed(call);
  }
};

const freeCertificate = (at: number): void => openssl().X509_free(at);

/** A certificate, and behind it the rest of its chain. Throws PemError. */
export const readChain = (source: PemSource): readonly Owned[] =>
  withBio(source, (bio) => readAll(bio, 'PEM_read_bio_X509_AUX', 'PEM_read_bio_X509', freeCertificate));

/** Certificates of authorities. Throws PemError. */
export const readAuthorities = readChain;

/** Revocation lists. Throws PemError. */
export const readCrls = (source: PemSource): readonly Owned[] =>
  withBio(source, (bio) =>
    readAll(bio, 'PEM_read_bio_X509_CRL', 'PEM_read_bio_X509_CRL', (at) => openssl().X509_CRL_free(at)),
  );

/** The password that the library may ask for during one call. */
let password: Buffer | undefined;
let asked = false;
let askPassword = 0;

const passwordCallback = (): number => {
  askPassword ||= callback('int', ['int64', 'int', 'int', 'int64'], (at = 0, size = 0) => {
    asked = true;
    if (!password) return 0;
    const length = Math.min(size, password.length);
    viewOf(at, length).set(password.subarray(0, length));
    return length;
  });
  return askPassword;
};

/** A key; `encrypted` ones are not kept in memory longer than they are needed. */
export interface PrivateKey {
  readonly key: Owned;
  readonly encrypted: boolean;
}

const freeKey = (at: number): void => openssl().EVP_PKEY_free(at);

/** A private key, tried with one password after the other. Throws PemError. */
export const readKey = (source: PemSource, passwords: readonly string[]): PrivateKey => {
  const ssl = openssl();
  const { name } = source;
  if (name.startsWith('engine:')) {
    throw new PemError('loading "engine:..." certificate keys is not supported');
  }
  if (name.startsWith('store:')) return readStoreKey(name.slice(6), passwords);
  asked = false;
  for (const [index, text] of (passwords.length > 0 ? passwords : [undefined]).entries()) {
    password = text === undefined ? undefined : Buffer.from(text, 'latin1');
    const last = index >= passwords.length - 1;
    const found = withBio(source, (bio) => {
      const at = ssl.PEM_read_bio_PrivateKey(bio, 0, passwordCallback(), 0);
      if (at === 0 && last) failed('PEM_read_bio_PrivateKey');
      return at;
    });
    password = undefined;
    if (found !== 0) return { key: owned(found, freeKey), encrypted: asked };
    ssl.ERR_clear_error();
  }
  return failed('PEM_read_bio_PrivateKey');
};

const OSSL_STORE_INFO_PKEY = 4;

/** A key from a store that a provider of OpenSSL knows (`store:file:...`). Throws PemError. */
const readStoreKey = (uri: string, passwords: readonly string[]): PrivateKey => {
  const ssl = openssl();
  asked = false;
  password = passwords[0] === undefined ? undefined : Buffer.from(passwords[0], 'latin1');
  const method = password ? ssl.UI_UTIL_wrap_read_pem_callback(passwordCallback(), 0) : 0;
  try {
    const store = ssl.OSSL_STORE_open(cText(uri), method, 0, 0, 0);
    if (store === 0) return failed('OSSL_STORE_open');
    let at = 0;
    while (at === 0 && ssl.OSSL_STORE_eof(store) === 0) {
      const info = ssl.OSSL_STORE_load(store);
      if (info === 0) continue;
      if (ssl.OSSL_STORE_INFO_get_type(info) === OSSL_STORE_INFO_PKEY)
        at = ssl.OSSL_STORE_INFO_get1_PKEY(info);
      ssl.OSSL_STORE_INFO_free(info);
    }
    ssl.OSSL_STORE_close(store);
    return at === 0 ? failed('OSSL_STORE_load') : { key: owned(at, freeKey), encrypted: asked };
  } finally {
    password = undefined;
    if (method !== 0) ssl.UI_destroy_method(method);
  }
};

/** The parameters of `ssl_dhparam`, at their place in memory. Throws PemError with the whole reason. */
export const readParameters = (path: string): number => {
  const ssl = openssl();
  const bio = ssl.BIO_new_file(cText(path), READ);
  if (bio === 0) throw new PemError(`BIO_new_file("${path}") failed${takeErrors()}`);
  const at = ssl.PEM_read_bio_DHparams(bio, 0, 0, 0);
  ssl.BIO_free(bio);
  if (at === 0) throw new PemError(`PEM_read_bio_DHparams("${path}") failed${takeErrors()}`);
  return at;
};

/** A stack of what is at the given places, for one call. */
export const withStack = <T>(items: readonly Owned[], use: (stack: number) => T): T => {
  const ssl = openssl();
  const stack = ssl.OPENSSL_sk_new_null();
  for (const { at } of items) ssl.OPENSSL_sk_push(stack, at);
  try {
    return use(stack);
  } finally {
    ssl.OPENSSL_sk_free(stack);
  }
};
