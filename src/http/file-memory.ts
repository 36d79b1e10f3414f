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
  readonly path: string;
  readonly bytes: Buffer;
  /** What the bytes have been turned into, by what did it. */
  readonly forms: Map<object, Uint8Array>;
  /** Bytes of the forms. */
  extra: number;
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
  readonly #byBytes = new WeakMap<Uint8Array, Kept>();
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
    const forms = new Map<object, Uint8Array>();
    const kept = { dev, ino, size, mtime: mtimeMs, ctime: ctimeMs, path, bytes, forms, extra: 0 };
    this.#kept.set(path, kept);
    this.#byBytes.set(bytes, kept);
    this.#total += size + path.length;
    this.#makeRoom();
  }

  /** Whether these are the very bytes of a file that is kept. */
  holds(bytes: Uint8Array): boolean {
    return this.#byBytes.has(bytes);
  }

  /** What `maker` has turned these bytes into, when that is kept too. */
  form(bytes: Uint8Array, maker: object): Uint8Array | undefined {
    return this.#byBytes.get(bytes)?.forms.get(maker);
  }

  /** Keeps what `maker` has turned these bytes into, for as long as they are kept themselves. */
  keepForm(bytes: Uint8Array, maker: object, form: Uint8Array): void {
    const kept = this.#byBytes.get(bytes);
    if (!kept || this.#kept.get(kept.path) !== kept || kept.forms.has(maker)) return;
    kept.forms.set(maker, form);
    kept.extra += form.length;
    this.#total += form.length;
    this.#makeRoom();
  }

  #makeRoom(): void {
    for (const [oldest, entry] of this.#kept) {
      if (this.#total <= TOTAL) return;
      this.#forget(oldest, entry);
    }
  }

  #forget(path: string, { size, extra }: Kept): void {
    this.#kept.delete(path);
    this.#total -= size + path.length + extra;
  }
}

export const fileMemory = new FileMemory();
