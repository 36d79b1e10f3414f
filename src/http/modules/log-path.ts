/** Access logs whose path holds variables: opened by name for each line, or kept open (`open_log_file_cache`). */
import { closeSync, fstatSync, openSync, statSync, writeSync } from 'node:fs';
import type { Args, Parser } from '../../config/contract.ts';
import { parseNumber, parseSec } from '../../config/numbers.ts';
import { CRIT, ERROR } from '../../log/levels.ts';
import { nativePath } from '../../platform/byte-path.ts';
import { appendGuarded } from '../../platform/open-at.ts';
import { documentRoot } from '../file-path.ts';
import { failureOf, OpenFailure, trustedLength } from '../open-file.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';

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

const MODE = 0o644;

/** Opens a log for appending, as `disable_symlinks` says. Throws the system's error. */
const open = (request: Request, path: string): number => {
  const rule = request.location.core.disable_symlinks;
  const trusted = rule ? trustedLength(rule, request, path) : -1;
  return rule && trusted >= 0
    ? appendGuarded(path, rule.links, trusted, MODE)
    : openSync(nativePath(path), 'a', MODE);
};

const appendTo = (fd: number, line: string): void => {
  writeSync(fd, `${line}\n`, null, 'latin1');
};

const appendOnce = (request: Request, path: string, line: string): void => {
  const fd = open(request, path);
  try {
    appendTo(fd, line);
  } finally {
    closeSync(fd);
  }
};

/** Whether the name still means the open file: it may have been rotated away. */
const isSame = (path: string, known: Known, now: number): boolean => {
  if (statSync(nativePath(path), { throwIfNoEntry: false })?.ino !== known.ino) return false;
  known.checked = now;
  return true;
};

/** The files of one level's logs, some of them kept open. */
export class LogFiles {
  /** The least recently used is first. */
  readonly #known = new Map<string, Known>();

  constructor(readonly conf: LogCacheConf | false) {}

  /** Appends a line to the file that a request's log names. Failures go to the error log, as in nginx. */
  append(request: Request, path: string, line: string): void {
    if (!this.#rootExists(request)) return;
    try {
      if (this.conf) this.#appendCached(request, path, line, this.conf);
      else appendOnce(request, path, line);
    } catch (error) {
      const { call, text } = failureOf(error, 'open()');
      logRequest(request, CRIT, `${call} "${path}" failed (${text})`);
    }
  }

  #appendCached(request: Request, path: string, line: string, conf: LogCacheConf): void {
    const now = Date.now();
    const known = this.#known.get(path) ?? { fd: -1, ino: 0, checked: now, used: now, uses: 0 };
    this.#known.delete(path);
    if (known.fd >= 0 && now - known.checked >= conf.valid * 1000 && !isSame(path, known, now)) close(known);
    if (known.fd < 0) {
      known.fd = open(request, path);
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
    const found = request.location.core.opener.test(request, root);
    if (!(found instanceof OpenFailure) && found.isDirectory()) return true;
    const text = found instanceof OpenFailure ? found.text : '20: Not a directory';
    logRequest(request, ERROR, `testing "${root}" existence failed (${text})`);
    return false;
  }
}
