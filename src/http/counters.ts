/** The numbers of stub_status: in memory that all workers share, where there is some. */

const ACCEPTED = 0;
const HANDLED = 1;
const REQUESTS = 2;
const ACTIVE = 3;
const READING = 4;
const WRITING = 5;
const WAITING = 6;
/** How many 32-bit numbers they take. */
export const COUNTER_SLOTS = 8;

export class ClientCounters {
  #slots: Int32Array = new Int32Array(COUNTER_SLOTS);

  /** Counts in `slots` from now on: memory shared with the other workers. */
  share(slots: Int32Array): void {
    this.#slots = slots;
  }

  accept(): void {
    Atomics.add(this.#slots, ACCEPTED, 1);
    Atomics.add(this.#slots, HANDLED, 1);
    Atomics.add(this.#slots, ACTIVE, 1);
  }

  close(): void {
    Atomics.sub(this.#slots, ACTIVE, 1);
  }

  request(): void {
    Atomics.add(this.#slots, REQUESTS, 1);
  }

  reading(change: number): void {
    Atomics.add(this.#slots, READING, change);
  }

  writing(change: number): void {
    Atomics.add(this.#slots, WRITING, change);
  }

  waiting(change: number): void {
    Atomics.add(this.#slots, WAITING, change);
  }

  /** As unsigned numbers. */
  get accepted(): number {
    return Atomics.load(this.#slots, ACCEPTED) >>> 0;
  }
  get handled(): number {
    return Atomics.load(this.#slots, HANDLED) >>> 0;
  }
  get requests(): number {
    return Atomics.load(this.#slots, REQUESTS) >>> 0;
  }
  get active(): number {
    return Atomics.load(this.#slots, ACTIVE) >>> 0;
  }
  get readingNow(): number {
    return Atomics.load(this.#slots, READING) >>> 0;
  }
  get writingNow(): number {
    return Atomics.load(this.#slots, WRITING) >>> 0;
  }
  get waitingNow(): number {
    return Atomics.load(this.#slots, WAITING) >>> 0;
  }
}
