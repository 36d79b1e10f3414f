/**
 * The bytes of small files that were served lately. What is kept is given out only while the file's own record
 * says that nothing was changed, so that serving one costs a single system call beyond the write.
 */
import { readSync, type Stats } from 'node:fs';

/** Bytes of the largest file that is kept: one buffer then serves all its clients, however slow. */
export const SMALL = 1 << 20;
const TOTAL = 32 << 20;
/** A change so soon after the one before could go unseen: the clock of the file system ticks in milliseconds. */
const UNSETTLED = 100;

interface Kept {
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  readonly mtime: number;
  readonly ctime: number;
  readonly bytes: Buffer;
}

/** Reads exactly `size` bytes; fewer when the file has become shorter. Throws the system's error. */
const readAll = (fd: number, size: number): Buffer => {
  const bytes = Buffer.allocUnsafeSlow(size);
  let done = 0;
  while (done < size) {
    const count = readSync(fd, bytes, done, size - done, done);
    if (count === 0) return bytes.subarray(0, done);
    done += count;
  }
  return bytes;
};

/** An open file, or one that can be opened. */
interface Readable {
  readonly path: string;
  readonly stat: Stats;
  descriptor(): number;
}

/** One for each process. */
class FileMemory {
  readonly #kept = new Map<string, Kept>();
  #total = 0;

  /** The bytes of a file of at most SMALL. Throws the system's error when it can't be read. */
  read(file: Readable): Buffer {
    const { path, stat } = file;
    const kept = this.#kept.get(path);
    if (
      kept &&
      kept.mtime === stat.mtimeMs &&
      kept.ctime === stat.ctimeMs &&
      kept.size === stat.size &&
      kept.ino === stat.ino &&
      kept.dev === stat.dev
    ) {
      return kept.bytes;
    }
    if (kept) this.#forget(path, kept);
    const bytes = readAll(file.descriptor(), stat.size);
    if (bytes.length === stat.size && Date.now() - stat.ctimeMs > UNSETTLED) this.#keep(path, stat, bytes);
    return bytes;
  }

  #keep(path: string, { dev, ino, size, mtimeMs, ctimeMs }: Stats, bytes: Buffer): void {
    this.#kept.set(path, { dev, ino, size, mtime: mtimeMs, ctime: ctimeMs, bytes });
    this.#total += size + path.length;
    for (const [oldest, entry] of this.#kept) {
      if (this.#total <= TOTAL) return;
      this.#forget(oldest, entry);
    }
  }

  #forget(path: string, { size }: Kept): void {
    this.#kept.delete(path);
    this.#total -= size + path.length;
  }
}

export const fileMemory = new FileMemory();
