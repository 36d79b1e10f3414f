/** Where the text of a configuration comes from: the disk, or what another process has read from it. */
import { readFileSync } from 'node:fs';
import { errorCode, errorText } from '../platform/errno.ts';
import { hostAddresses } from '../platform/host-addresses.ts';
import { LibcMissing } from '../platform/libc.ts';
import { glob } from './glob.ts';
import { Reason } from './reason.ts';

/** Texts and paths are strings of bytes (latin1). */
export interface Source {
  /** The text of a file. Throws a Reason in nginx's words where it cannot be read. */
  read(path: string): string;
  /** The files that match a pattern, sorted. */
  glob(pattern: string): readonly string[];
  /** The addresses of a name in the system's order, v6 without brackets; none when it is not found. Blocks. */
  addresses(host: string): readonly string[];
}

/** A file as it was read. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** All that a load took from its source: enough to repeat it elsewhere, through JSON too. */
export interface SourceRecord {
  readonly files: readonly SourceFile[];
  readonly globs: readonly (readonly [pattern: string, paths: readonly string[]])[];
  readonly hosts: readonly (readonly [name: string, addresses: readonly string[]])[];
}

/** Reads from the disk. */
export const disk: Source = {
  read(path) {
    try {
      return readFileSync(Buffer.from(path, 'latin1'), 'latin1');
    } catch (error) {
      const call = errorCode(error) === 'EISDIR' ? 'pread' : 'open';
      throw new Reason(`${call}() "${path}" failed (${errorText(error)})`);
    }
  },
  glob,
  addresses(host) {
    try {
      return hostAddresses(host);
    } catch (error) {
      if (error instanceof LibcMissing) throw new Reason(error.message);
      // A resolver that cannot be asked just now is, in nginx's words too, a host not found.
      return [];
    }
  },
};

/**
 * Gives what was recorded and asks neither disk nor resolver: a worker reads the configuration that its master
 * read, also one that replaces another while names cannot be looked up.
 */
export const recorded = (record: SourceRecord): Source => {
  const files = new Map(record.files.map(({ path, text }) => [path, text]));
  const globs = new Map(record.globs);
  const hosts = new Map(record.hosts);
  return {
    read(path) {
      const text = files.get(path);
      if (text === undefined) throw new Reason(`open() "${path}" failed (2: No such file or directory)`);
      return text;
    },
    glob: (pattern) => globs.get(pattern) ?? [],
    addresses: (host) => hosts.get(host) ?? [],
  };
};

/** Passes on to `source` and keeps what it gave; a file is read once, however often it is included. */
export class RecordingSource implements Source {
  readonly #source: Source;
  readonly #texts = new Map<string, string>();
  readonly #globs = new Map<string, readonly string[]>();
  readonly #hosts = new Map<string, readonly string[]>();

  constructor(source: Source) {
    this.#source = source;
  }

  read(path: string): string {
    const known = this.#texts.get(path);
    if (known !== undefined) return known;
    const text = this.#source.read(path);
    this.#texts.set(path, text);
    return text;
  }

  glob(pattern: string): readonly string[] {
    const known = this.#globs.get(pattern);
    if (known !== undefined) return known;
    const paths = this.#source.glob(pattern);
    this.#globs.set(pattern, paths);
    return paths;
  }

  addresses(host: string): readonly string[] {
    const known = this.#hosts.get(host);
    if (known !== undefined) return known;
    const addresses = this.#source.addresses(host);
    this.#hosts.set(host, addresses);
    return addresses;
  }

  /** The files in the order in which they were first opened. */
  get record(): SourceRecord {
    return {
      files: Array.from(this.#texts, ([path, text]) => ({ path, text })),
      globs: [...this.#globs],
      hosts: [...this.#hosts],
    };
  }
}
