/** A temporary file that is unlinked as soon as it is open, for bodies and replies too large for memory. */

import { randomInt } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readSync, rmSync, unlinkSync, writeSync } from 'node:fs';
import type { TempPath } from '../upstream/contract.ts';

/** A folder below `path`, named by the last digits of the file's number as nginx's levels do. */
const nameIn = (path: TempPath, number: string): string => {
  let folder = path.path;
  let end = number.length;
  for (const level of path.levels) {
    folder += `/${number.slice(end - level, end)}`;
    end -= level;
  }
  return folder;
};

export class TempFile {
  /** Bytes written so far. */
  length = 0;
  readonly path: string;
  readonly fd: number;
  #closed = false;

  /** Creates it. Throws the system's error (a full disk, no right) with the path in its message. */
  constructor(where: TempPath, keep = false, mode = 0o600) {
    const number = String(randomInt(1, 9_999_999_999)).padStart(10, '0');
    const folder = nameIn(where, number);
    this.path = `${folder}/${number}`;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.fd = openSync(this.path, 'wx+', mode);
    if (!keep) unlinkSync(this.path);
  }

  /** Appends all of `bytes`. Throws the system's error. */
  append(bytes: Uint8Array): void {
    let done = 0;
    while (done < bytes.length)
      done += writeSync(this.fd, bytes, done, bytes.length - done, this.length + done);
    this.length += bytes.length;
  }

  /** Reads up to `into.length` bytes from `position`; less only at the end. Throws the system's error. */
  read(into: Uint8Array, position: number): number {
    return readSync(this.fd, into, 0, Math.min(into.length, Math.max(0, this.length - position)), position);
  }

  /** Takes its name away, where it has been kept and has not been given to another place. */
  remove(): void {
    rmSync(this.path, { force: true });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.fd);
  }
}
