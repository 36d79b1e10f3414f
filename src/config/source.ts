/** Where the text of a configuration comes from: the disk, or what another process has read from it. */
import { readFileSync, statSync } from 'node:fs';
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
  /** A file that the configuration names and modules read (certificates, keys); undefined when it cannot be. */
  object(path: string): SourceObject | undefined;
  /** The addresses of a name in the system's order, v6 without brackets; none when it is not found. Blocks. */
  addresses(host: string): readonly string[];
}

/** A file as it was read. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Another file, and what tells whether it is still the same one. */
export interface SourceObject extends SourceFile {
  /** Whole seconds. */
  readonly mtime: number;
  readonly inode: number;
}

/** All that a load took from its source: enough to repeat it elsewhere, through JSON too. */
export interface SourceRecord {
  readonly files: readonly SourceFile[];
  /** Files that modules read: workers need no more rights for them than to know their master. */
  readonly objects?: readonly SourceObject[];
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
  object(path) {
    try {
      const name = Buffer.from(path, 'latin1');
      const { mtimeMs, ino } = statSync(name);
      const text = readFileSync(name, 'latin1');
      return { path, text, mtime: Math.floor(mtimeMs / 1000), inode: ino };
    } catch {
      return undefined;
    }
  },
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

/** As the disk, but a file that has not changed since `before` was recorded is not read again. */
export const diskSince = (before: SourceRecord): Source => {
  const known = new Map((before.objects ?? []).map((object) => [object.path, object]));
  return {
    ...disk,
    object(path) {
      const object = known.get(path);
      const now = object && statSync(Buffer.from(path, 'latin1'), { throwIfNoEntry: false });
      const same = now && now.ino === object.inode && Math.floor(now.mtimeMs / 1000) === object.mtime;
      return same ? object : disk.object(path);
    },
  };
};

/**
 * Gives what was recorded and asks neither disk nor resolver: a worker reads the configuration that its master
 * read, also one that replaces another while names cannot be looked up.
 */
export const recorded = (record: SourceRecord): Source => {
  const files = new Map(record.files.map(({ path, text }) => [path, text]));
  const globs = new Map(record.globs);
  const hosts = new Map(record.hosts);
  const objects = new Map((record.objects ?? []).map((object) => [object.path, object]));
  return {
    object: (path) => objects.get(path),
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
  readonly #objects = new Map<string, SourceObject | undefined>();

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

  object(path: string): SourceObject | undefined {
    if (this.#objects.has(path)) return this.#objects.get(path);
    const object = this.#source.object(path);
    this.#objects.set(path, object);
    return object;
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
      objects: [...this.#objects.values()].filter((object) => object !== undefined),
      globs: [...this.#globs],
      hosts: [...this.#hosts],
    };
  }
}
