/** Keys of session tickets: from files (`ssl_session_ticket_key`), or made and rotated in shared memory. */
import { hkdfSync, randomFillSync } from 'node:crypto';
import { addressOf, callback, cText, openssl, TLS1_3, viewOf } from './openssl.ts';

/** One key: 16 bytes of name, then what encrypts and what proves. */
export interface TicketKey {
  readonly name: Buffer;
  readonly aes: Buffer;
  readonly hmac: Buffer;
}

/** The keys of a context; the first one seals, all open. */
export interface TicketKeys {
  /** Up to date for a ticket made now. */
  current(): readonly TicketKey[];
}

/** Bytes of a whole key, and of the older form with AES-128. */
export const KEY_BYTES = 80;
const SHORT_BYTES = 48;

/** A key from the bytes of its file; undefined when there are neither 48 nor 80. */
export const parseTicketKey = (bytes: Buffer): TicketKey | undefined => {
  const part = (from: number, to: number): Buffer => Buffer.from(bytes.subarray(from, to));
  if (bytes.length === SHORT_BYTES) return { name: part(0, 16), aes: part(16, 32), hmac: part(32, 48) };
  if (bytes.length === KEY_BYTES) return { name: part(0, 16), hmac: part(16, 48), aes: part(48, 80) };
  return undefined;
};

/** Keys for OpenSSL itself, the same in all processes that know `secret`; for the context called `identity`. */
export const fixedKeys = (secret: Uint8Array, identity: string): Buffer =>
  Buffer.from(
    hkdfSync('sha256', secret, Buffer.alloc(0), `session tickets ${identity}`.slice(0, 1000), KEY_BYTES),
  );

const UTF8 = 4;
const PARAMETER_BYTES = 40;
const digestName = cText('SHA256');
const digestKey = cText('digest');

/** OSSL_PARAM: the digest, and the end of the list. */
const digestParameters = (): Buffer => {
  const list = Buffer.alloc(2 * PARAMETER_BYTES);
  list.writeBigUInt64LE(BigInt(addressOf(digestKey)), 0);
  list.writeUInt32LE(UTF8, 8);
  list.writeBigUInt64LE(BigInt(addressOf(digestName)), 16);
  list.writeBigUInt64LE(6n, 24);
  return list;
};

interface Algorithms {
  readonly aes128: number;
  readonly aes256: number;
  readonly digest: number;
}
let algorithms: Algorithms | undefined;
let parameters: Buffer | undefined;

const prepared = (): Algorithms => {
  if (algorithms) return algorithms;
  const ssl = openssl();
  parameters = digestParameters();
  algorithms = {
    aes128: ssl.EVP_CIPHER_fetch(0, cText('AES-128-CBC'), 0),
    aes256: ssl.EVP_CIPHER_fetch(0, cText('AES-256-CBC'), 0),
    digest: addressOf(parameters),
  };
  return algorithms;
};

const IV_BYTES = 16;

/** Seals or opens one ticket: what OpenSSL wants its callback to answer. */
const useKey = (
  keys: TicketKeys,
  ssl: number,
  name: number,
  iv: number,
  cipher: number,
  mac: number,
  sealing: boolean,
): number => {
  const library = openssl();
  const { aes128, aes256, digest } = prepared();
  const list = keys.current();
  const [first] = list;
  if (!first) return -1;
  const nameBytes = viewOf(name, 16);
  const key = sealing ? first : list.find((one) => one.name.equals(nameBytes));
  if (!key) return 0;
  if (library.EVP_MAC_init(mac, key.hmac, key.hmac.length, digest) !== 1) return -1;
  const algorithm = key.aes.length === 16 ? aes128 : aes256;
  if (sealing) {
    randomFillSync(viewOf(iv, IV_BYTES));
    if (library.EVP_EncryptInit_ex(cipher, algorithm, 0, key.aes, iv) !== 1) return -1;
    nameBytes.set(key.name);
    return 1;
  }
  if (library.EVP_DecryptInit_ex(cipher, algorithm, 0, key.aes, iv) !== 1) return -1;
  // TLS 1.3 wants a new ticket each time; an old key's ticket is renewed by the present key.
  return library.SSL_version(ssl) === TLS1_3 || key !== first ? 2 : 1;
};

let registered = 0;

/** OpenSSL's callback; `keysOf` names the keys of the connection that is being worked on. */
export const ticketCallback = (keysOf: () => TicketKeys | undefined): number => {
  registered ||= callback(
    'int',
    ['int64', 'int64', 'int64', 'int64', 'int64', 'int'],
    (ssl = 0, name = 0, iv = 0, cipher = 0, mac = 0, sealing = 0) => {
      const keys = keysOf();
      return keys ? useKey(keys, ssl, name, iv, cipher, mac, sealing === 1) : -1;
    },
  );
  return registered;
};
