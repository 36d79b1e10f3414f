/** The error log of a process: the main block's, or the built-in one while there is no configuration. */
import { resolve, type Scope } from '../config/contract.ts';
import type { ErrorLog } from '../log/error-log.ts';
import {
  defaultErrorLog,
  type ErrorLogSpec,
  errorLogModule,
  errorLogSpecs,
} from '../log/error-log-directive.ts';
import type { Console } from '../log/error-log-file.ts';
import { ALERT, NOTICE } from '../log/levels.ts';
import type { Owner } from '../log/log-file.ts';
import { LogRegistry } from '../log/registry.ts';
import type { Invocation } from './invocation.ts';

export class ProcessLog implements ErrorLog {
  readonly #log: ErrorLog;

  private constructor(
    /** All logs that the process has open. */
    readonly registry: LogRegistry,
    log: ErrorLog,
    /** The descriptor of the first file that it goes to; undefined when it goes to none. */
    readonly fd: number | undefined = undefined,
  ) {
    this.#log = log;
  }

  /** The log of `-e`. Throws `open() "PATH" failed (N: TEXT)`. */
  static builtIn(invocation: Invocation, console: Console, level = NOTICE): ProcessLog {
    const target = defaultErrorLog(invocation.errorLog, invocation.prefix);
    const registry = new LogRegistry(target, undefined);
    registry.console = console;
    return new ProcessLog(registry, registry.errorLogTo([{ target, level, json: false }]));
  }

  /** A log that goes to standard error and nowhere else: tests, and where the built-in one cannot be opened. */
  static console(console: Console): ProcessLog {
    const registry = new LogRegistry({ kind: 'stderr' }, undefined);
    registry.console = console;
    return new ProcessLog(registry, registry.errorLogTo([]));
  }

  /**
   * The `error_log` of a configuration's main block. `owner` gets the files that are made. Throws
   * `open() "PATH" failed (N: TEXT)`.
   */
  static configured(main: Scope, invocation: Invocation, owner: Owner, console?: Console): ProcessLog {
    const fallback = defaultErrorLog(invocation.errorLog, invocation.prefix);
    const registry = new LogRegistry(fallback, owner);
    registry.console = console;
    try {
      const conf = resolve(errorLogModule, [main]).error_log;
      const log = registry.errorLog(conf);
      registry.report = (message) => log.write(ALERT, message);
      const [target] = errorLogSpecs(conf, fallback).flatMap((spec) =>
        spec.target.kind === 'file' ? [spec.target] : [],
      );
      return new ProcessLog(registry, log, target && registry.file(target).fd);
    } catch (error) {
      registry.close();
      throw error;
    }
  }

  get level(): number {
    return this.#log.level;
  }

  write(level: number, message: string, connection?: number): void {
    this.#log.write(level, message, connection);
  }

  /** Opens files that others write to, so that `reopen` makes them anew and gives them away. Throws as above. */
  hold(paths: readonly string[]): void {
    for (const path of paths) this.registry.file({ kind: 'file', path });
  }

  /** From here on only the log is written to, and no longer the terminal too. */
  takeOver(): void {
    this.registry.console = undefined;
  }

  /** USR1. */
  reopen(): void {
    this.registry.reopen(this);
  }

  close(): void {
    this.registry.close();
  }
}

const mainLogs = (main: Scope, invocation: Invocation): readonly ErrorLogSpec[] => {
  const fallback = defaultErrorLog(invocation.errorLog, invocation.prefix);
  return errorLogSpecs(resolve(errorLogModule, [main]).error_log, fallback);
};

/** The files that the error logs of a configuration's main block go to. */
export const mainLogFiles = (main: Scope, invocation: Invocation): readonly string[] =>
  mainLogs(main, invocation).flatMap(({ target }) => (target.kind === 'file' ? [target.path] : []));

/** The level of the most talkative of these logs. */
export const mainLogLevel = (main: Scope, invocation: Invocation): number =>
  Math.max(...mainLogs(main, invocation).map(({ level }) => level));

/** Passes on to a log, and keeps what was grave enough to fail for. */
export class Witness implements ErrorLog {
  readonly errors: string[] = [];
  readonly #log: ErrorLog;
  readonly #worst: number;

  /** `worst`: the level from which on a message is kept. */
  constructor(log: ErrorLog, worst: number) {
    this.#log = log;
    this.#worst = worst;
  }

  get level(): number {
    return this.#log.level;
  }

  write(level: number, message: string, connection?: number): void {
    // What is tried again and fails again is said once.
    if (level <= this.#worst && !this.errors.includes(message)) this.errors.push(message);
    this.#log.write(level, message, connection);
  }
}
