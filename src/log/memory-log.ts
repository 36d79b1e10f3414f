/** `error_log memory:SIZE`: the newest lines in a ring of memory, for a debug log that must not touch the disk. */
import type { Destination } from './target.ts';

export class MemoryLog implements Destination {
  readonly #ring: Buffer;
  #written = 0;

  /** `bytes`: the size of the ring. */
  constructor(bytes: number) {
    this.#ring = Buffer.alloc(bytes);
  }

  write(line: string): void {
    const size = this.#ring.length;
    const bytes = Buffer.from(`${line}\n`, 'latin1').subarray(0, size);
    const at = this.#written % size;
    const copied = bytes.copy(this.#ring, at);
    bytes.copy(this.#ring, 0, copied);
    this.#written += bytes.length;
  }

  /** What the ring holds, oldest first, as a latin1 string; its first line may have lost its beginning. */
  contents(): string {
    const size = this.#ring.length;
    if (this.#written <= size) return this.#ring.toString('latin1', 0, this.#written);
    const at = this.#written % size;
    return this.#ring.toString('latin1', at) + this.#ring.toString('latin1', 0, at);
  }

  flush(): void {}

  reopen(): undefined {}

  close(): void {}
}
