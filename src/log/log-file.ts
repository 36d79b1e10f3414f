/**
 * A log file, or standard error. Lines are gathered for the rest of the turn of the event loop and written
 * together, unless they are grave; so a busy proxy writes once for many requests, and a reader sees every line.
 */
import { chmodSync, chownSync, closeSync, fstatSync, openSync } from 'node:fs';
import { errorCode, errorText } from '../platform/errno.ts';
import { FileWriter } from './file-writer.ts';
import { DEBUG, INFO } from './levels.ts';
import type { Destination } from './target.ts';

/** Held back at most until written, though the turn may not be over. */
const BATCH = 65536;
const STDERR = 2;
const REPORT_EVERY = 60_000;

/** Who the files shall belong to; undefined when the program may not give files away. */
export type Owner = { readonly uid: number; readonly gid: number } | undefined;

/** What gathers the lines of a buffered access log before its file gets them. */
export interface LineBuffer {
  write(line: string): void;
  flush(): void;
  close(): void;
}

/** Told that lines of `path` could not be written, in nginx's words; at most once a minute a file. */
export type Report = (message: string) => void;

const openForAppend = (path: string, owner: Owner): number => {
  try {
    const fd = openSync(path, 'ax', 0o644);
    if (owner) chownSync(path, owner.uid, owner.gid);
    return fd;
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    return openSync(path, 'a', 0o644);
  }
};

/** A rotated file must be one that the workers can open by name. */
const giveTo = (fd: number, path: string, owner: Owner): void => {
  if (!owner) return;
  const { uid, mode } = fstatSync(fd);
  if (uid !== owner.uid) chownSync(path, owner.uid, -1);
  if ((mode & 0o600) !== 0o600) chmodSync(path, (mode & 0o7777) | 0o600);
};

export class LogFile implements Destination {
  readonly #report: Report;
  #fd: number;
  #writer: FileWriter;
  #pending = '';
  #lines = 0;
  #scheduled: NodeJS.Immediate | undefined = undefined;
  #reportedAt = 0;
  #lost = 0;
  #closed = false;
  readonly #flush = (): void => this.flush();
  owner: Owner;
  /** Present when one of the file's access logs has `buffer=` or `gzip`. */
  buffer: LineBuffer | undefined = undefined;

  /** Opens `path` (undefined: standard error). Throws `open() "PATH" failed (N: TEXT)`. */
  constructor(
    readonly path: string | undefined,
    owner: Owner,
    report: Report,
  ) {
    this.owner = owner;
    this.#report = report;
    try {
      this.#fd = path === undefined ? STDERR : openForAppend(path, owner);
    } catch (error) {
      throw new Error(`open() "${path}" failed (${errorText(error)})`);
    }
    this.#writer = this.#writerFor(this.#fd);
  }

  /** The open descriptor: for standard error to be put on it. */
  get fd(): number {
    return this.#fd;
  }

  write(line: string, level: number): void {
    if (this.#closed) return;
    this.#pending += `${line}\n`;
    this.#lines++;
    if (level <= INFO || this.#pending.length >= BATCH) this.flush();
    else this.#scheduled ??= setImmediate(this.#flush);
  }

  /** A line of an access log. */
  log(line: string): void {
    if (this.buffer) this.buffer.write(line);
    else this.write(line, DEBUG);
  }

  /** Writes bytes of `lines` lines behind what is held. */
  writeBytes(bytes: Uint8Array, lines: number): void {
    this.flush();
    this.#writer.write(bytes, lines);
  }

  flush(): void {
    if (this.#scheduled) {
      clearImmediate(this.#scheduled);
      this.#scheduled = undefined;
    }
    if (this.#lines === 0) return;
    const [bytes, lines] = [Buffer.from(this.#pending, 'latin1'), this.#lines];
    this.#pending = '';
    this.#lines = 0;
    this.#writer.write(bytes, lines);
  }

  reopen(): string | undefined {
    if (this.path === undefined) return undefined;
    this.buffer?.flush();
    this.flush();
    let fd: number;
    try {
      fd = openForAppend(this.path, this.owner);
    } catch (error) {
      return `open() "${this.path}" failed (${errorText(error)})`;
    }
    try {
      giveTo(fd, this.path, this.owner);
    } catch (error) {
      closeSync(fd);
      return `chown("${this.path}", ${this.owner?.uid}) failed (${errorText(error)})`;
    }
    this.#writer.close();
    closeSync(this.#fd);
    this.#fd = fd;
    this.#writer = this.#writerFor(fd);
    return undefined;
  }

  close(): void {
    this.buffer?.close();
    this.flush();
    this.#closed = true;
    this.#writer.close();
    if (this.path !== undefined) closeSync(this.#fd);
  }

  #writerFor(fd: number): FileWriter {
    return new FileWriter(fd, (error, lost) => this.#trouble(error, lost));
  }

  #trouble(error: Error | undefined, lost: number): void {
    this.#lost += lost;
    const now = Date.now();
    if (now - this.#reportedAt < REPORT_EVERY) return;
    this.#reportedAt = now;
    const dropped = this.#lost > 0 ? `, ${this.#lost} lines lost` : '';
    this.#lost = 0;
    const name = this.path ?? 'stderr';
    this.#report(
      error
        ? `write() to "${name}" failed (${errorText(error)})${dropped}`
        : `write() to "${name}" works again${dropped}`,
    );
  }
}
