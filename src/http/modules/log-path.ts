/** Access logs whose path holds variables: opened by name for each line, or kept open (`open_log_file_cache`). */
import { closeSync, openSync, statSync, writeSync } from 'node:fs';
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

interface Open {
  fd: number;
  ino: number;
  /** When its name was last seen to mean this file, and when it was used: ms. */
  checked: number;
  used: number;
  uses: number;
}

const open = (path: string): number => openSync(path, 'a', 0o644);

/** The files of one level's logs that are kept open. */
export class LogFiles {
  readonly #open = new Map<string, Open>();

  constructor(readonly conf: LogCacheConf | undefined) {}

  /** Appends a line to the file that a request's log names. Failures go to the error log, as in nginx. */
  append(request: Request, path: string, line: string): void {
    if (!this.#rootExists(request)) return;
    try {
      const fd = this.conf ? this.#kept(path, this.conf) : open(path);
      try {
        writeSync(fd, `${line}\n`, null, 'latin1');
      } finally {
        if (!this.conf) closeSync(fd);
      }
    } catch (error) {
      logRequest(request, CRIT, `open() "${path}" failed (${errorText(error)})`);
    }
  }

  close(): void {
    for (const { fd } of this.#open.values()) closeSync(fd);
    this.#open.clear();
  }

  #kept(path: string, conf: LogCacheConf): number {
    const now = Date.now();
    const present = this.#open.get(path);
    if (present) {
      this.#open.delete(path);
      if (now - present.checked < conf.valid * 1000 || this.#same(path, present, now)) {
        present.used = now;
        present.uses += 1;
        this.#open.set(path, present);
        return present.fd;
      }
      closeSync(present.fd);
    }
    const fd = open(path);
    this.#open.set(path, { fd, ino: statSync(path).ino, checked: now, used: now, uses: 1 });
    this.#expire(now, conf);
    return fd;
  }

  #same(path: string, kept: Open, now: number): boolean {
    if (statSync(path, { throwIfNoEntry: false })?.ino !== kept.ino) return false;
    kept.checked = now;
    return true;
  }

  /** The least recently used go when there are too many, or when they were used too seldom. */
  #expire(now: number, { max, inactive, minUses }: LogCacheConf): void {
    for (const [path, { fd, used, uses }] of this.#open) {
      const idle = now - used > inactive * 1000 && uses < minUses;
      if (this.#open.size <= max && !idle && now - used <= inactive * 1000) return;
      this.#open.delete(path);
      closeSync(fd);
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
