/** Error logs as configured: lines in nginx's form, to every destination whose level takes them. */
import { errorTime } from './clock.ts';
import type { ErrorLog } from './error-log.ts';
import type { JsonLines } from './json-line.ts';
import { DEBUG, LEVELS, WARN } from './levels.ts';
import type { Destination } from './target.ts';

/** nginx's NGX_MAX_ERROR_STR: bytes of a line with its line feed. */
const LONGEST = 2048;

/** A destination with the most talkative level it takes. */
export interface ErrorOutput {
  readonly destination: Destination;
  readonly level: number;
  /** Present where the directive ends in `json`. */
  readonly json: JsonLines | undefined;
}

/** Shown where the program was started, until its logs have taken over: `[emerg] MESSAGE`. */
export type Console = (level: number, message: string) => void;

/** What all error logs of a process share. */
export interface ErrorLogHost {
  /** Undefined once the logs have taken over. Told only what no destination of standard error was told. */
  readonly console: Console | undefined;
}

/** Bytes as a latin1 string, whatever text the message was put together from. */
const asBytes = (line: string): string =>
  /[^\0-\xff]/.test(line) ? Buffer.from(line, 'utf8').toString('latin1') : line;

export class ConfiguredErrorLog implements ErrorLog {
  readonly level: number;
  readonly #outputs: readonly ErrorOutput[];
  readonly #host: ErrorLogHost;
  readonly #toStderr: boolean;
  readonly #verbose: boolean;

  /** `verbose`: every destination takes every level (`debug_connection`). */
  constructor(outputs: readonly ErrorOutput[], toStderr: boolean, host: ErrorLogHost, verbose = false) {
    this.#outputs = outputs;
    this.#toStderr = toStderr;
    this.#host = host;
    this.#verbose = verbose;
    this.level = verbose ? DEBUG : outputs.reduce((most, output) => Math.max(most, output.level), 0);
  }

  write(level: number, message: string, connection = 0): void {
    const about = connection > 0 ? `*${connection} ` : '';
    const head = `${errorTime(Date.now())} [${LEVELS[level]}] ${process.pid}#0: ${about}`;
    const line = asBytes(head + message).slice(0, LONGEST - 1);
    for (const output of this.#outputs) {
      if (output.level < level && !this.#verbose) continue;
      if (output.json) output.json.write(level, asBytes(message), connection);
      else output.destination.write(line, level);
    }
    if (level <= WARN && !this.#toStderr) this.#host.console?.(level, message);
  }

  /** The same log taking every level, for a connection that `debug_connection` names. */
  verbose(): ErrorLog {
    return new ConfiguredErrorLog(this.#outputs, this.#toStderr, this.#host, true);
  }
}
