/**
 * Certificates, keys, authorities and revocation lists of one configuration, each read once; and those that
 * variables name, which are read while clients connect (`ssl_certificate_cache`).
 */
import { statSync } from 'node:fs';
import { ConfError, type LoadContext } from '../../config/contract.ts';
import { absolute } from '../../config/parsers.ts';
import type { KeyPair } from '../context.ts';
import { openssl } from '../openssl.ts';
import type { Owned } from '../owned.ts';
import { PemError, type PemSource, readAuthorities, readChain, readCrls, readKey } from '../pem.ts';
import type { CertificateCacheConf } from './parsers.ts';

/** Names that are no files: of certificates, and of keys. */
const TEXT = /^data:/;
const NO_FILE = /^(?:data|engine|store):/;

const certificateName = (name: string, base: string): string =>
  TEXT.test(name) ? name : absolute(base, name);
const keyName = (name: string, base: string): string => (NO_FILE.test(name) ? name : absolute(base, name));

/** Runs `read`; throws its PemError behind `what "name": `. */
const reading = <T>(what: string, name: string, read: () => T): T => {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof PemError)) throw error;
    throw new PemError(`cannot load ${what} "${name}": ${error.message}`);
  }
};

/** What an object cache keeps by name. */
export interface Objects {
  chain(name: string): readonly Owned[];
  key(name: string, passwords: readonly string[]): Owned;
}

/** Everything that a configuration names, for as long as it is being read. */
export class LoadedObjects implements Objects {
  readonly base: string;
  readonly #load: LoadContext;
  readonly #known = new Map<string, readonly Owned[]>();

  constructor(load: LoadContext) {
    this.base = load.confPrefix;
    this.#load = load;
  }

  /** Workers are told what their master has read: they need not be able to read it, or to read it twice. */
  #source(full: string): PemSource {
    return { name: full, text: NO_FILE.test(full) ? undefined : this.#load.object(full) };
  }

  #once(kind: string, full: string, read: (source: PemSource) => readonly Owned[]): readonly Owned[] {
    const id = `${read.name} ${full}`;
    const found = this.#known.get(id) ?? reading(kind, full, () => read(this.#source(full)));
    this.#known.set(id, found);
    return found;
  }

  chain(name: string): readonly Owned[] {
    return this.#once('certificate', certificateName(name, this.base), readChain);
  }

  authorities(name: string): readonly Owned[] {
    return this.#once('certificate', absolute(this.base, name), readAuthorities);
  }

  crls(name: string): readonly Owned[] {
    return this.#once('CRL', absolute(this.base, name), readCrls);
  }

  key(name: string, passwords: readonly string[]): Owned {
    const full = keyName(name, this.base);
    const known = this.#known.get(`key ${full}`)?.[0];
    if (known) return known;
    const { key, encrypted } = reading('certificate key', full, () => readKey(this.#source(full), passwords));
    if (!encrypted) this.#known.set(`key ${full}`, [key]);
    return key;
  }

  pair(certificate: string, key: string, passwords: readonly string[]): KeyPair {
    return {
      certificateName: certificateName(certificate, this.base),
      chain: this.chain(certificate),
      keyName: keyName(key, this.base),
      key: this.key(key, passwords),
    };
  }
}

interface Kept {
  readonly objects: readonly Owned[];
  created: number;
  accessed: number;
  mtime: number;
  inode: number;
}

const seconds = (): number => Math.floor(Date.now() / 1000);

const fileOf = (path: string): { readonly mtime: number; readonly inode: number } => {
  const found = NO_FILE.test(path) ? undefined : statSync(path, { throwIfNoEntry: false });
  return found ? { mtime: Math.floor(found.mtimeMs / 1000), inode: found.ino } : { mtime: 0, inode: 0 };
};

/** What variables name. Without a cache everything is read for each connection, as in nginx. */
export class NamedObjects implements Objects {
  /** The least recently used is first. */
  readonly #kept = new Map<string, Kept>();

  constructor(
    readonly base: string,
    readonly cache: CertificateCacheConf | 'off',
  ) {}

  /** The names in full, for messages. */
  certificatePath(name: string): string {
    return certificateName(name, this.base);
  }

  keyPath(name: string): string {
    return keyName(name, this.base);
  }

  chain(name: string): readonly Owned[] {
    const full = this.certificatePath(name);
    return this.#get(`certificate ${full}`, full, () => ({
      objects: reading('certificate', full, () => readChain({ name: full, text: undefined })),
      keep: true,
    }));
  }

  key(name: string, passwords: readonly string[]): Owned {
    const full = this.keyPath(name);
    const [key] = this.#get(`key ${full}`, full, () => {
      const read = reading('certificate key', full, () =>
        readKey({ name: full, text: undefined }, passwords),
      );
      return { objects: [read.key], keep: !read.encrypted };
    });
    if (!key) throw new Error(`no key in "${full}"`);
    return key;
  }

  /** Forgets a pair that does not match: one of the two has been renewed since it was read. */
  forget(certificate: string, key: string): void {
    this.#kept.delete(`certificate ${this.certificatePath(certificate)}`);
    this.#kept.delete(`key ${this.keyPath(key)}`);
  }

  #get(
    id: string,
    path: string,
    read: () => { readonly objects: readonly Owned[]; readonly keep: boolean },
  ): readonly Owned[] {
    const { cache } = this;
    if (cache === 'off') return read().objects;
    const now = seconds();
    const known = this.#kept.get(id);
    this.#kept.delete(id);
    if (known && this.#good(known, path, now, cache.valid)) {
      known.accessed = now;
      this.#kept.set(id, known);
      return known.objects;
    }
    const { objects, keep } = read();
    if (!keep) return objects;
    if (!known) this.#expire(now, cache);
    this.#kept.set(id, { objects, created: now, accessed: now, ...fileOf(path) });
    return objects;
  }

  #good(known: Kept, path: string, now: number, valid: number): boolean {
    if (path.startsWith('data:') || now - known.created <= valid) return true;
    if (NO_FILE.test(path)) return false;
    const { mtime, inode } = fileOf(path);
    if (inode === 0 || mtime !== known.mtime || inode !== known.inode) return false;
    known.created = now;
    return true;
  }

  /** Room for one more: those that were not used for long, and at least one when it is full. */
  #expire(now: number, { max, inactive }: CertificateCacheConf): void {
    for (const [id, { accessed }] of this.#kept) {
      if (this.#kept.size < max && now - accessed <= inactive) return;
      this.#kept.delete(id);
    }
  }
}

/** Throws nginx's reason as an error of the configuration; nginx names no line where a file is at fault. */
export const asConfError = (error: unknown): unknown =>
  error instanceof PemError ? new ConfError(error.message, undefined) : error;

/** Drops what OpenSSL has queued. */
export const clearErrors = (): void => openssl().ERR_clear_error();
