/**
 * All open logs of one process. The same path is opened once, whoever writes to it; handed around, so that a
 * reload builds its own beside the old one.
 */
import { writeSync } from 'node:fs';
import { type AccessLog, AccessLogBuffer, type AccessLogSpec, SyslogAccessLog } from './access-log.ts';
import { errorTime } from './clock.ts';
import type { ErrorLog } from './error-log.ts';
import { type ErrorLogConf, type ErrorLogSpec, errorLogSpecs } from './error-log-directive.ts';
import { ConfiguredErrorLog, type Console, type ErrorLogHost, type ErrorOutput } from './error-log-file.ts';
import { JsonLines } from './json-line.ts';
import { LogFile, type Owner } from './log-file.ts';
import { MemoryLog } from './memory-log.ts';
import { Syslog } from './syslog.ts';
import type { Destination, FileTarget, LogTarget } from './target.ts';

const STDERR = 2;

const toStderr = (message: string): void => {
  try {
    writeSync(STDERR, `${errorTime(Date.now())} [alert] ${process.pid}#0: ${message}\n`);
  } catch {
    // Nobody is left to be told.
  }
};

export class LogRegistry implements ErrorLogHost {
  /** Set while the program starts: graver messages are shown where it was started too. */
  console: Console | undefined = undefined;
  /** Told of messages that no syslog server took; standard error until there is a log. */
  report: (message: string) => void = toStderr;
  readonly #fallback: LogTarget;
  readonly #owner: Owner;
  readonly #open = new Map<string, Destination>();
  readonly #files = new Map<string, LogFile>();
  readonly #errorLogs = new Map<ErrorLogConf, ConfiguredErrorLog>();
  readonly #flush = (): void => this.flush();

  /**
   * `fallback`: the log of a configuration without one, from `defaultErrorLog`. `owner`: who gets the files
   * that are made; undefined when not root.
   */
  constructor(fallback: LogTarget, owner: Owner) {
    this.#fallback = fallback;
    this.#owner = owner;
    process.on('exit', this.#flush);
  }

  /** Throws `open() "PATH" failed (N: TEXT)`. */
  open(target: LogTarget): Destination {
    if (target.kind === 'file') return this.file(target);
    const name = JSON.stringify(target);
    let destination = this.#open.get(name);
    if (!destination) {
      destination = this.#make(target);
      this.#open.set(name, destination);
    }
    return destination;
  }

  /** Throws `open() "PATH" failed (N: TEXT)`. */
  file({ path }: FileTarget): LogFile {
    let file = this.#files.get(path);
    if (!file) {
      file = new LogFile(path, this.#owner, toStderr);
      this.#files.set(path, file);
    }
    return file;
  }

  /** The error log of a level of the configuration: one object for all levels that inherit it. Throws as `open`. */
  errorLog(conf: ErrorLogConf): ErrorLog {
    let log = this.#errorLogs.get(conf);
    if (!log) {
      log = this.errorLogTo(errorLogSpecs(conf, this.#fallback));
      this.#errorLogs.set(conf, log);
    }
    return log;
  }

  /** An error log outside any configuration. Throws as `open`. */
  errorLogTo(specs: readonly ErrorLogSpec[]): ConfiguredErrorLog {
    const outputs = specs.map((spec) => this.#output(spec));
    return new ConfiguredErrorLog(
      outputs,
      specs.some(({ target }) => target.kind === 'stderr'),
      this,
    );
  }

  /** The sink of an `access_log`. Throws as `open`. */
  accessLog(spec: AccessLogSpec): AccessLog {
    if (spec.target.kind !== 'file') return new SyslogAccessLog(this.open(spec.target));
    const file = this.file(spec.target);
    if (spec.buffer > 0) file.buffer ??= new AccessLogBuffer(file, spec);
    return file;
  }

  /** USR1: every file is opened again by its name. Failures go to `log`; the old file then stays in use. */
  reopen(log: ErrorLog): void {
    for (const file of this.#files.values()) {
      const reason = file.reopen();
      if (reason !== undefined) log.write(1, reason);
    }
  }

  /** Writes everything held, buffers too; also done when the process exits. Never throws. */
  flush(): void {
    for (const file of this.#files.values()) {
      file.buffer?.flush();
      file.flush();
    }
    for (const destination of this.#open.values()) destination.flush();
  }

  /** Flushes and closes everything. */
  close(): void {
    process.off('exit', this.#flush);
    for (const file of this.#files.values()) file.close();
    for (const destination of this.#open.values()) destination.close();
    this.#files.clear();
    this.#open.clear();
    this.#errorLogs.clear();
  }

  #make(target: Exclude<LogTarget, FileTarget>): Destination {
    if (target.kind === 'memory') return new MemoryLog(target.bytes);
    if (target.kind === 'stderr') return new LogFile(undefined, undefined, toStderr);
    return new Syslog(target, (reason) => this.report(reason));
  }

  #output({ target, level, json }: ErrorLogSpec): ErrorOutput {
    const destination = this.open(target);
    return {
      destination,
      level,
      json: json ? new JsonLines((line, at) => destination.write(line, at)) : undefined,
    };
  }
}
