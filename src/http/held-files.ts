/**
 * Descriptors of large files that were served just now: the next request for one needs no open and no close. A
 * descriptor is given out only while the file's own record says that nothing was changed, and a file that nobody
 * asks for is closed within two seconds: one that was removed takes no room for longer.
 */
import { closeSync, constants, openSync, type Stats } from 'node:fs';
import { nativePath } from '../platform/byte-path.ts';

/** Nobody waits at a pipe that nobody writes to. */
export const FOR_READING = constants.O_RDONLY | constants.O_NONBLOCK;
const MOST = 64;
const IDLE = 1000;

export interface Held {
  readonly fd: number;
  readonly path: string;
  readonly stat: Stats;
  users: number;
  /** Nobody has used it since the last look. */
  idle: boolean;
  /** No longer given out: its last user closes it. */
  gone: boolean;
}

const isSame = (a: Stats, b: Stats): boolean =>
  a.ino === b.ino &&
  a.mtimeMs === b.mtimeMs &&
  a.ctimeMs === b.ctimeMs &&
  a.size === b.size &&
  a.dev === b.dev;

/** One for each process. */
class HeldFiles {
  readonly #held = new Map<string, Held>();
  #timer: NodeJS.Timeout | undefined = undefined;

  /** The descriptor of the file that `stat` describes, for one user. Throws the system's error. */
  take(path: string, stat: Stats): Held {
    const known = this.#held.get(path);
    if (known && isSame(known.stat, stat)) {
      known.users++;
      known.idle = false;
      return known;
    }
    if (known) this.#drop(known);
    const held: Held = {
      fd: openSync(nativePath(path), FOR_READING),
      path,
      stat,
      users: 1,
      idle: false,
      gone: this.#held.size >= MOST,
    };
    if (held.gone) return held;
    this.#held.set(path, held);
    this.#timer ??= setInterval(() => this.#sweep(), IDLE).unref();
    return held;
  }

  /** A user is done with it. */
  release(held: Held): void {
    held.users--;
    if (held.gone && held.users === 0) closeSync(held.fd);
  }

  #drop(held: Held): void {
    this.#held.delete(held.path);
    held.gone = true;
    if (held.users === 0) closeSync(held.fd);
  }

  #sweep(): void {
    for (const held of this.#held.values()) {
      if (held.idle && held.users === 0) this.#drop(held);
      else held.idle = true;
    }
    if (this.#held.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

export const heldFiles = new HeldFiles();
