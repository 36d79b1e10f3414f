/** Datagrams that wait for their peer: it is not known yet, or the system has no room for them. */

/** So many wait at most, however short they are. */
const MOST = 1024;

export class DatagramQueue {
  #waiting: Buffer[] = [];
  #length = 0;

  get size(): number {
    return this.#waiting.length;
  }

  get first(): Buffer | undefined {
    return this.#waiting[0];
  }

  /** How many bytes one more may have when all together may have `most`. */
  room(most: number): number {
    return this.#waiting.length < MOST ? most - this.#length : 0;
  }

  add(bytes: Buffer): void {
    this.#waiting.push(bytes);
    this.#length += bytes.length;
  }

  addFirst(bytes: Buffer): void {
    this.#waiting.unshift(bytes);
    this.#length += bytes.length;
  }

  removeFirst(): void {
    this.#length -= this.#waiting.shift()?.length ?? 0;
  }

  clear(): void {
    this.#waiting = [];
    this.#length = 0;
  }
}
