/** Access logs whose path holds variables: opened by name for each line, or kept open (`open_log_file_cache`). */
import { closeSync, fstatSync, openSync, statSync, writeSync } from 'node:fs';
import type { Args, Parser } from '../../config/contract.ts';
import { parseNumber, parseSec } from '../../config/numbers.ts';
import { CRIT, ERROR } from '../../log/levels.ts';
import { errorText } from '../../platform/errno.ts';
import { documentRoot } from '../file-path.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';

/** What `open_log_file_cache` says; times in seconds. */
export interface LogCacheConf {
  readonly max: number;
  readonly inactive: number;
  readonly valid: number;
  readonly minUses: number;
}

export const logCacheParser: Parser<LogCacheConf | undefined> = {
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
    if (off) return undefined;
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

const open = (path: string): number => openSync(path, 'a', 0o644);

const appendTo = (fd: number, line: string): void => {
  writeSync(fd, `${line}\n`, null, 'latin1');
};

const appendOnce = (path: string, line: string): void => {
  const fd = open(path);
  try {
    appendTo(fd, line);
  } finally {
    closeSync(fd);
  }
};

/** Whether the name still means the open file: it may have been rotated away. */
const isSame = (path: string, known: Known, now: number): boolean => {
  if (statSync(path, { throwIfNoEntry: false })?.ino !== known.ino) return false;
  known.checked = now;
  return true;
};

/** The files of one level's logs, some of them kept open. */
export class LogFiles {
  /** The least recently used is first. */
  readonly #known = new Map<string, Known>();

  constructor(readonly conf: LogCacheConf | undefined) {}

  /** Appends a line to the file that a request's log names. Failures go to the error log, as in nginx. */
  append(request: Request, path: string, line: string): void {
    if (!this.#rootExists(request)) return;
    try {
      if (this.conf) this.#appendCached(path, line, this.conf);
      else appendOnce(path, line);
    } catch (error) {
      logRequest(request, CRIT, `open() "${path}" failed (${errorText(error)})`);
    }
  }

  #appendCached(path: string, line: string, conf: LogCacheConf): void {
    const now = Date.now();
    const known = this.#known.get(path) ?? { fd: -1, ino: 0, checked: now, used: now, uses: 0 };
    this.#known.delete(path);
    if (known.fd >= 0 && now - known.checked >= conf.valid * 1000 && !isSame(path, known, now)) close(known);
    if (known.fd < 0) {
      known.fd = open(path);
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

  /** A log is only written below a site that is there: a made-up host name makes no file. */
  #rootExists(request: Request): boolean {
    const root = documentRoot(request);
    try {
      if (statSync(root).isDirectory()) return true;
      logRequest(request, ERROR, `testing "${root}" existence failed (20: Not a directory)`);
    } catch (error) {
      logRequest(request, ERROR, `testing "${root}" existence failed (${errorText(error)})`);
    }
    return false;
  }
}
