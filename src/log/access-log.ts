/**
 * Where the lines of an `access_log` go. A line costs an append to a string; without `buffer=` what a turn of
 * the event loop logged is written at its end, with it when the buffer is full, old enough or let go.
 */
import { gzipSync } from 'node:zlib';
import type { LineBuffer, LogFile } from './log-file.ts';
import type { Destination, LogTarget } from './target.ts';

/** `access_log PATH FORMAT [buffer=] [flush=] [gzip=]`, without its format and condition. */
export interface AccessLogSpec {
  readonly target: LogTarget;
  /** Bytes; 0 writes without a buffer. */
  readonly buffer: number;
  /** Milliseconds that the oldest buffered line may wait; 0 is for ever. */
  readonly flush: number;
  /** Compression level 1 to 9; 0 writes plain lines. */
  readonly gzip: number;
}

/** What the http room writes to. */
export interface AccessLog {
  /** One line without its line feed: bytes as a latin1 string. */
  log(line: string): void;
}

/** The buffer of one file; all access logs to the file share it. */
export class AccessLogBuffer implements LineBuffer {
  readonly #file: LogFile;
  #pending = '';
  #lines = 0;
  #timer: NodeJS.Timeout | undefined = undefined;

  constructor(
    file: LogFile,
    readonly spec: Pick<AccessLogSpec, 'buffer' | 'flush' | 'gzip'>,
  ) {
    this.#file = file;
  }

  write(line: string): void {
    const length = line.length + 1;
    if (this.#pending.length + length > this.spec.buffer) this.flush();
    if (this.#lines === 0 && this.spec.flush > 0 && length <= this.spec.buffer) this.#startTimer();
    this.#pending += `${line}\n`;
    this.#lines++;
    if (length > this.spec.buffer) this.flush();
  }

  /** Writes what is held; with `gzip=` as a gzip member of its own, as nginx does. */
  flush(): void {
    if (this.#lines === 0) return;
    const [bytes, lines] = [Buffer.from(this.#pending, 'latin1'), this.#lines];
    this.#pending = '';
    this.#lines = 0;
    this.#file.writeBytes(this.spec.gzip > 0 ? gzipSync(bytes, { level: this.spec.gzip }) : bytes, lines);
  }

  close(): void {
    this.flush();
    clearTimeout(this.#timer);
  }

  #startTimer(): void {
    if (this.#timer) this.#timer.refresh();
    else this.#timer = setTimeout(() => this.flush(), this.spec.flush).unref();
  }
}

/** An access log to a syslog server, at the severity that its parameters name. */
export class SyslogAccessLog implements AccessLog {
  constructor(readonly destination: Destination) {}

  log(line: string): void {
    this.destination.write(line, 0);
  }
}
