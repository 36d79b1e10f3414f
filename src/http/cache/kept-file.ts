/** The file of a kept reply, opened for reading. */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { bytePath } from '../../platform/byte-path.ts';
import { errorCode } from '../../platform/errno.ts';
import { bodyStart, decodeKept, encodeTimes, FIXED_BYTES, type KeptReply } from './cache-file.ts';

/** Errors of `open()` that mean that nothing is kept. */
const NOT_THERE = new Set(['ENOENT', 'ENOTDIR']);

export class KeptFile {
  /** Bytes of the whole file, and where the body begins in it. */
  length = 0;
  bodyStart = 0;
  #fd = -1;

  get isOpen(): boolean {
    return this.#fd >= 0;
  }

  /**
   * Opens the file of `key`: what is known of the reply; undefined where there is none, or a reason why it can't be
   * used. Throws the system's error.
   */
  open(path: string, key: string): KeptReply | string | undefined {
    try {
      this.#fd = openSync(bytePath(path), 'r');
    } catch (error) {
      if (NOT_THERE.has(errorCode(error))) return undefined;
      throw error;
    }
    const found = this.#read(key);
    if (typeof found === 'string') this.close();
    return found;
  }

  #read(key: string): KeptReply | string {
    const fd = this.#fd;
    const { size } = fstatSync(fd);
    const fixed = Buffer.alloc(FIXED_BYTES);
    if (readSync(fd, fixed, 0, FIXED_BYTES, 0) < FIXED_BYTES) return 'is too small';
    const start = bodyStart(fixed);
    if (start === undefined || start > size) return 'version mismatch';
    const all = Buffer.alloc(start);
    if (readSync(fd, all, 0, start, 0) < start) return 'is too small';
    const kept = decodeKept(all);
    if (!kept) return 'is too small';
    if (kept.key !== key) return 'has md5 collision';
    this.length = size;
    this.bodyStart = start;
    return kept;
  }

  /** The descriptor, which is then the caller's to close. */
  take(): number {
    const fd = this.#fd;
    this.#fd = -1;
    return fd;
  }

  close(): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
  }
}

/** Writes the times of a kept reply anew. Throws the system's error. */
export const renewTimes = (path: string, kept: KeptReply): void => {
  const fd = openSync(bytePath(path), 'r+');
  try {
    const { bytes, at } = encodeTimes(kept);
    writeSync(fd, bytes, 0, bytes.length, at);
  } finally {
    closeSync(fd);
  }
};
