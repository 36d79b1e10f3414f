/** Files that requests name: looked at and opened, as `disable_symlinks` and `open_file_cache` say. */
import { closeSync, fstatSync, openSync, type Stats, statSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { nativePath } from '../platform/byte-path.ts';
import { errnoText, errorCode, errorText } from '../platform/errno.ts';
import { SystemError } from '../platform/libc.ts';
import { type Links, openGuarded } from '../platform/open-at.ts';
import { fileMemory } from './file-memory.ts';
import { FOR_READING, type Held, heldFiles } from './held-files.ts';
import type { Request } from './request.ts';
import type { Template } from './template.ts';

/** Why a file can't be opened or looked at. */
export class OpenFailure {
  constructor(
    /** `ENOENT` and its like. */
    readonly code: string,
    /** `2: No such file or directory`. */
    readonly text: string,
    /** `open()`, `openat()`. */
    readonly call: string,
  ) {}
}

/** Not an error of the system's: the file is regular, a folder, or neither, and may be read. */
export interface OpenFile {
  readonly path: string;
  readonly stat: Stats;
  /** The bytes of a file of up to SMALL bytes, to be left as they are. Throws the system's error. */
  bytes(): Buffer;
  /** A descriptor that stays open until `close`. Throws the system's error. */
  descriptor(): number;
  /** Must be called once the file is of no more use. */
  close(): void;
}

/** How a location opens files. */
export interface Opener {
  open(request: Request, path: string): OpenFile | OpenFailure;
  /** Looks at a file that is not to be read now. */
  test(request: Request, path: string): Stats | OpenFailure;
}

const ABSENT = '2: No such file or directory';
const absentAtOpen = new OpenFailure('ENOENT', ABSENT, 'open()');
const absentAtStat = new OpenFailure('ENOENT', ABSENT, 'stat()');
/** Bytes from which on a file is not kept in memory where its descriptor will do. */
const HELD_FROM = 65536;
const NO_THROW = { throwIfNoEntry: false } as const;

/** Since Node 24 a path that leads through a file is no error here either, but nothing. */
const HIDES_ENOTDIR = ((): boolean => {
  try {
    return statSync(`${process.execPath}/-`, NO_THROW) === undefined;
  } catch {
    return false;
  }
})();

/** What is at a path; undefined for nothing, which costs no error. Throws for everything else, ENOTDIR too. */
const lookAt = (path: string): Stats | undefined => {
  const native = nativePath(path);
  const stat = statSync(native, NO_THROW);
  if (stat || !HIDES_ENOTDIR) return stat;
  try {
    return statSync(native);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
};

/** The failure that the system's error means. */
export const failureOf = (error: unknown, call: string): OpenFailure => {
  if (!(error instanceof SystemError)) return new OpenFailure(errorCode(error), errorText(error), call);
  return new OpenFailure(getSystemErrorName(-error.errno), errnoText(error.errno), error.call);
};

/** A file that is opened when its bytes are asked for. */
class PlainFile implements OpenFile {
  #fd = -1;
  #held: Held | undefined = undefined;

  constructor(
    readonly path: string,
    readonly stat: Stats,
  ) {}

  bytes(): Buffer {
    return fileMemory.read(this);
  }

  descriptor(): number {
    if (this.#fd < 0) this.#open();
    return this.#fd;
  }

  #open(): void {
    const { path, stat } = this;
    if (stat.size < HELD_FROM) {
      this.#fd = openSync(nativePath(path), FOR_READING);
      return;
    }
    this.#held = heldFiles.take(path, stat);
    this.#fd = this.#held.fd;
  }

  close(): void {
    if (this.#fd < 0) return;
    if (this.#held) heldFiles.release(this.#held);
    else closeSync(this.#fd);
    this.#held = undefined;
    this.#fd = -1;
  }
}

/** Files as they are. */
class PlainOpener implements Opener {
  open(_request: Request, path: string): OpenFile | OpenFailure {
    try {
      const stat = lookAt(path);
      return stat ? new PlainFile(path, stat) : absentAtOpen;
    } catch (error) {
      return failureOf(error, 'open()');
    }
  }

  test(_request: Request, path: string): Stats | OpenFailure {
    try {
      return lookAt(path) ?? absentAtStat;
    } catch (error) {
      return failureOf(error, 'stat()');
    }
  }
}

export const plainOpener: Opener = new PlainOpener();

/** A file that is open already. */
class DescribedFile implements OpenFile {
  constructor(
    readonly path: string,
    readonly stat: Stats,
    readonly fd: number,
  ) {}

  bytes(): Buffer {
    return fileMemory.read(this);
  }

  descriptor(): number {
    return this.fd;
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** `disable_symlinks`. */
export interface LinkRule {
  readonly links: Links;
  /** The beginning of a path in which links are not looked at. */
  readonly from: Template | undefined;
}

/** How many characters of the path are trusted; -1: all of them. nginx's ngx_http_set_disable_symlinks. */
export const trustedLength = ({ from }: LinkRule, request: Request, path: string): number => {
  const prefix = from === undefined ? '' : from.text(request);
  if (prefix === '' || !path.startsWith(prefix)) return 0;
  if (prefix.length === path.length) return -1;
  if (path[prefix.length] === '/') return prefix.length;
  return prefix.endsWith('/') ? prefix.length - 1 : 0;
};

/** Files that no symbolic link may lead to. */
export class GuardedOpener implements Opener {
  constructor(readonly rule: LinkRule) {}

  open(request: Request, path: string): OpenFile | OpenFailure {
    const trusted = trustedLength(this.rule, request, path);
    if (trusted < 0) return plainOpener.open(request, path);
    try {
      const fd = openGuarded(path, this.rule.links, trusted);
      return new DescribedFile(path, fstatSync(fd), fd);
    } catch (error) {
      return failureOf(error, 'openat()');
    }
  }

  test(request: Request, path: string): Stats | OpenFailure {
    const trusted = trustedLength(this.rule, request, path);
    if (trusted < 0) return plainOpener.test(request, path);
    const file = this.open(request, path);
    if (file instanceof OpenFailure) return file;
    file.close();
    return file.stat;
  }
}
