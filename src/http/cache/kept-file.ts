/** The file of a kept reply, opened for reading. */
import { closeSync, fstatSync, openSync, readSync, type Stats, writeSync } from 'node:fs';
import { nativePath } from '../../platform/byte-path.ts';
import { errorCode } from '../../platform/errno.ts';
import type { ReplyHead } from '../../upstream/reply-head.ts';
import {
  bodyStart,
  decodeKept,
  encodeTimes,
  FIXED_BYTES,
  type KeptReply,
  parseHeadText,
} from './cache-file.ts';
import { type Content, type KeptName, keptMemory } from './kept-memory.ts';

/** Errors of `open()` that mean that nothing is kept. */
const NOT_THERE = new Set(['ENOENT', 'ENOTDIR']);
/** A file of fewer bytes is read whole, with one call. */
const SMALL = 65536;
/** A body of more bytes is not written as text. */
const TEXT = 16384;
/** Where files are read. */
const shared = Buffer.allocUnsafeSlow(SMALL);

export class KeptFile {
  /** Bytes of the whole file, and where the body begins in it. */
  length = 0;
  bodyStart = 0;
  /** What was read of a small file. */
  content: Content | undefined = undefined;
  #headText = '';
  #fd = -1;

  get isOpen(): boolean {
    return this.#fd >= 0 || this.content !== undefined;
  }

  /** The reply's head; undefined where it is none. */
  get head(): ReplyHead | undefined {
    return this.content ? this.content.head : parseHeadText(this.#headText);
  }

  /**
   * Opens the file of `name`: what is known of the reply; undefined where there is none, or a reason why it can't be
   * used. Throws the system's error.
   */
  open(name: KeptName, key: string): Readonly<KeptReply> | string | undefined {
    const known = keptMemory.recall(name);
    if (known && known.kept.key === key) {
      this.content = known;
      this.length = known.length;
      this.bodyStart = known.bodyStart;
      return known.kept;
    }
    try {
      this.#fd = openSync(nativePath(name.path), 'r');
    } catch (error) {
      if (NOT_THERE.has(errorCode(error))) return undefined;
      throw error;
    }
    const found = this.#read(name, key);
    if (typeof found === 'string') this.close();
    return found;
  }

  #read(name: KeptName, key: string): KeptReply | string {
    const fd = this.#fd;
    let stat = keptMemory.wants(name) ? fstatSync(fd) : undefined;
    let bytes = shared;
    let count = readSync(fd, bytes, 0, SMALL, 0);
    // Fewer bytes than were asked for are all that there are.
    const whole = count < SMALL;
    if (!whole) stat ??= fstatSync(fd);
    const size = whole || !stat ? count : stat.size;
    if (count < FIXED_BYTES) return 'is too small';
    const start = bodyStart(bytes);
    if (start === undefined || start > size) return 'version mismatch';
    if (start > count) {
      bytes = Buffer.allocUnsafeSlow(start);
      count = readSync(fd, bytes, 0, start, 0);
    }
    if (count < start) return 'is too small';
    const kept = decodeKept(bytes.subarray(0, start));
    if (!kept) return 'is too small';
    if (kept.key !== key) return 'has md5 collision';
    this.length = size;
    this.bodyStart = start;
    this.#headText = kept.head;
    if (whole) this.#take(name, kept, stat);
    return kept;
  }

  /** All of it has been read: it need not stay open. */
  #take(name: KeptName, kept: KeptReply, stat: Stats | undefined): void {
    const { length, bodyStart: start } = this;
    const body =
      length - start <= TEXT
        ? shared.latin1Slice(start, length)
        : Buffer.from(shared.subarray(start, length));
    const content = { kept, head: parseHeadText(kept.head), length, bodyStart: start, body };
    this.close();
    this.content = content;
    if (stat?.size === length) keptMemory.keep(name, content, stat);
  }

  /** The descriptor of a file that is not small, which is then the caller's to close. */
  take(): number {
    const fd = this.#fd;
    this.#fd = -1;
    return fd;
  }

  close(): void {
    this.content = undefined;
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
  }
}

/** Writes the times of a kept reply anew. Throws the system's error. */
export const renewTimes = (path: string, kept: Readonly<KeptReply>): void => {
  const fd = openSync(nativePath(path), 'r+');
  try {
    const { bytes, at } = encodeTimes(kept);
    writeSync(fd, bytes, 0, bytes.length, at);
  } finally {
    closeSync(fd);
  }
};
