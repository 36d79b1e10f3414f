/** `error_log FILE LEVEL json`: the same messages as pino's JSON lines. */
import { createRequire } from 'node:module';
import type { Logger } from 'pino';
import { LEVELS } from './levels.ts';

const require = createRequire(import.meta.url);

/** pino's own numbers, so that its tools read these lines; nginx has graver levels than pino's `fatal`. */
const NUMBERS: Readonly<Record<string, number>> = {
  emerg: 80,
  alert: 70,
  crit: 60,
  error: 50,
  warn: 40,
  notice: 35,
  info: 30,
  debug: 20,
};

/** Makes JSON lines and gives them, without line feed, to `put`. */
export class JsonLines {
  readonly #logger: Logger<keyof typeof NUMBERS & string>;
  #level = 0;

  /** Loads pino: only where a configuration asks for it. */
  constructor(put: (line: string, level: number) => void) {
    const pino: typeof import('pino').pino = require('pino');
    this.#logger = pino<keyof typeof NUMBERS & string>(
      {
        level: 'debug',
        customLevels: NUMBERS,
        useOnlyCustomLevels: true,
        base: { pid: process.pid },
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label, number) => ({ level: label, severity: number }) },
      },
      { write: (line) => put(line.slice(0, -1), this.#level) },
    );
  }

  /** `level` 1 to 8; `connection` is left out when 0. */
  write(level: number, message: string, connection: number): void {
    this.#level = level;
    const fields = connection > 0 ? { connection } : {};
    this.#logger[LEVELS[level] ?? 'debug']?.(fields, message);
  }
}
