/** What the person who started the program reads: lines on standard error. */
import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { LEVELS, WARN } from '../log/levels.ts';

const STDERR = 2;

/** Text of a configuration holds bytes (latin1), text of this program may hold more. */
const bytesOf = (text: string): Buffer => Buffer.from(text, /[^\0-\xff]/.test(text) ? 'utf8' : 'latin1');

/** Writes to standard output or error; one that is closed or full is no reason to fail. */
export const print = (fd: 1 | 2, text: string): void => {
  let bytes = bytesOf(text);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(fd, bytes));
    } catch (error) {
      // A pipe whose reader is slow; anything else is nobody reading.
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) return;
    }
  }
};

/** `nginx: MESSAGE`, as every message of nginx to a terminal begins: scripts look for it. */
export const complain = (message: string): void => print(STDERR, `nginx: ${message}\n`);

/** Shows hints below an error; undefined where no person reads them, but scripts and logs. */
export const terminalHint = (): ((lines: readonly string[]) => void) | undefined =>
  isatty(STDERR) ? (lines) => print(STDERR, lines.map((line) => `${line}\n`).join('')) : undefined;

/** Shows a log message where the program was started. */
export const showMessage = (level: number, message: string): void =>
  complain(`[${LEVELS[level] ?? LEVELS[WARN]}] ${message}`);
