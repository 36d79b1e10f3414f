/** Access logs whose path holds variables: opened by name for each line, or kept open (`open_log_file_cache`). */
import { closeSync, fstatSync, statSync, writeSync } from 'node:fs';
import type { Args, Parser } from '../config/contract.ts';
import { parseNumber, parseSec } from '../config/numbers.ts';
import { nativePath } from '../platform/byte-path.ts';

/** What `open_log_file_cache` says; times in seconds. */
export interface LogCacheConf {
  readonly max: number;
  readonly inactive: number;
  readonly valid: number;
  readonly minUses: number;
}

export const logCacheParser: Parser<LogCacheConf | false> = {
  arity: [1, 2, 3, 4],
  parse(args: Args) {
    let [max, inactive, valid, minUses, off] = [0, 10, 60, 1, false];
    for (const word of args.words) {
      const [name = '', text = ''] = word.text.split(/=(.*)/s);
      const number = name === 'inactive' || name === 'valid' ? parseSec(text) : parseNumber(text);
      if (word.text === 'off') off = true;
      else if (number === undefined)
        args.fail(`invalid "open_log_file_cache" parameter "${word.text}"`, word);
      else if (name === 'max') max = number;
      else if (name === 'inactive') inactive = number;
      else if (name === 'valid') valid = number;
      else if (name === 'min_uses') minUses = number;
      else args.fail(`invalid "open_log_file_cache" parameter "${word.text}"`, word);
    }
    if (off) return false;
    if (max === 0) args.fail('"open_log_file_cache" must have "max" parameter');
    return { max, inactive, valid, minUses };
  },
};

const close = (known: { fd: number }): void => {
  if (known.fd >= 0) closeSync(known.fd);
  known.fd = -1;
};

/** A path that was written to lately; `fd` is -1 while it has been used too seldom to be kept open. */
interface Known {
  fd: number;
  ino: number;
  /** When its name was last seen to mean this file, and when it was used: ms. */
  checked: number;
  used: number;
  uses: number;
}

const appendTo = (fd: number, line: string): void => {
  writeSync(fd, `${line}\n`, null, 'latin1');
};

/** Whether the name still means the open file: it may have been rotated away. */
const isSame = (path: string, known: Known, now: number): boolean => {
  if (statSync(nativePath(path), { throwIfNoEntry: false })?.ino !== known.ino) return false;
  known.checked = now;
  return true;
};

/** The files of one level's logs, some of them kept open. */
export class NamedLogFiles<R> {
  /** The least recently used is first. */
  readonly #known = new Map<string, Known>();

  constructor(
    readonly conf: LogCacheConf | false,
    /** Opens a log for appending; throws the system's error. */
    readonly open: (request: R, path: string) => number,
    /** Told of failures. */
    readonly failed: (request: R, path: string, error: unknown) => void,
  ) {}

  /** Appends a line to the file that a request's log names. Failures go to the error log, as in nginx. */
  append(request: R, path: string, line: string): void {
    try {
      if (this.conf) this.#appendCached(request, path, line, this.conf);
      else this.#appendOnce(request, path, line);
    } catch (error) {
      this.failed(request, path, error);
    }
  }

  #appendOnce(request: R, path: string, line: string): void {
    const fd = this.open(request, path);
    try {
      appendTo(fd, line);
    } finally {
      closeSync(fd);
    }
  }

  #appendCached(request: R, path: string, line: string, conf: LogCacheConf): void {
    const now = Date.now();
    const known = this.#known.get(path) ?? { fd: -1, ino: 0, checked: now, used: now, uses: 0 };
    this.#known.delete(path);
    if (known.fd >= 0 && now - known.checked >= conf.valid * 1000 && !isSame(path, known, now)) close(known);
    if (known.fd < 0) {
      known.fd = this.open(request, path);
      known.ino = fstatSync(known.fd).ino;
      known.checked = now;
    }
    known.used = now;
    known.uses += 1;
    this.#known.set(path, known);
    appendTo(known.fd, line);
    if (known.uses < conf.minUses) close(known);
    this.#expire(now, conf);
  }

  /** Those that go: too many, or not used for too long. */
  #expire(now: number, { max, inactive }: LogCacheConf): void {
    for (const [path, known] of this.#known) {
      if (this.#known.size <= max && now - known.used <= inactive * 1000) return;
      this.#known.delete(path);
      close(known);
    }
  }
}
