/**
 * A fixed number of records in shared memory, known by their position: the peers of an upstream, each with a
 * few doubles. All zero bytes are the start. Counts are changed under the lock or with `bump`; see `SharedSlots`.
 */
import { SharedLock } from './lock.ts';

const HEAD_BYTES = 64;

/** Bytes of memory that `count` records with so many fields take, from a multiple of 64. */
export const slotsBytes = (count: number, integers: number, doubles: number): number =>
  Math.ceil((HEAD_BYTES + count * (integers * 4 + doubles * 8)) / 64) * 64;

export class SharedSlots {
  readonly #lock: SharedLock;
  readonly #integers: Int32Array;
  readonly #doubles: Float64Array;
  readonly #width: number;
  readonly #doubleWidth: number;

  /** `offset`: a multiple of 64 in `memory`. Takes `slotsBytes` bytes from there. */
  constructor(memory: ArrayBuffer, offset: number, count: number, integers: number, doubles: number) {
    const doublesAt = offset + HEAD_BYTES;
    const integersAt = doublesAt + count * doubles * 8;
    this.#lock = new SharedLock(new Int32Array(memory, offset, 1), 0);
    this.#doubles = new Float64Array(memory, doublesAt, count * doubles);
    this.#integers = new Int32Array(memory, integersAt, count * integers);
    this.#width = integers;
    this.#doubleWidth = doubles;
  }

  /** Waits for the right to change several fields at once. Nothing is linked, so a dead owner leaves no harm. */
  lock(): void {
    this.#lock.lock();
  }

  unlock(): void {
    this.#lock.unlock();
  }

  /** An integer of 32 bits with a sign. */
  integer(slot: number, field: number): number {
    return this.#integers[slot * this.#width + field] ?? 0;
  }

  setInteger(slot: number, field: number, value: number): void {
    this.#integers[slot * this.#width + field] = value;
  }

  /** Adds to an integer in one step, needing no lock; gives the value before. */
  bump(slot: number, field: number, by: number): number {
    return Atomics.add(this.#integers, slot * this.#width + field, by);
  }

  double(slot: number, field: number): number {
    return this.#doubles[slot * this.#doubleWidth + field] ?? 0;
  }

  setDouble(slot: number, field: number, value: number): void {
    this.#doubles[slot * this.#doubleWidth + field] = value;
  }
}
