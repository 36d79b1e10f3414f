/**
 * Counters of the whole program, such as those of stub_status. Each process adds to a row of its own, so that an
 * increment needs no lock and cannot overflow; reading adds the rows up. Totals outlive their process, gauges
 * (what is open now) do not.
 */
import { processAlive } from './process-alive.ts';

/** Processes that may count at the same time: workers, and those of older configurations that still drain. */
const ROWS = 512;
const ROW_BYTES = 128;
/** Doubles of a row behind the owner's process id. */
export const MOST_COUNTERS = ROW_BYTES / 8 - 1;

/** Bytes that the counters take. */
export const COUNTERS_BYTES = ROWS * ROW_BYTES;

export class SharedCounters {
  readonly #owners: Int32Array;
  readonly #values: Float64Array;
  readonly #gauges: readonly number[];
  /** Where this process's row begins. */
  readonly #row: number;

  /**
   * Uses the first COUNTERS_BYTES of `memory`; made once per process. `gauges`: the counters that start at zero
   * with each process.
   */
  constructor(memory: ArrayBuffer, gauges: readonly number[]) {
    this.#owners = new Int32Array(memory, 0, COUNTERS_BYTES / 4);
    this.#values = new Float64Array(memory, 0, COUNTERS_BYTES / 8);
    this.#gauges = gauges;
    this.#row = this.#claim(process.pid);
  }

  /** `counter`: 0 to MOST_COUNTERS - 1. */
  add(counter: number, by: number): void {
    const at = this.#row + counter;
    this.#values[at] = (this.#values[at] ?? 0) + by;
  }

  /** The counter over all processes. */
  sum(counter: number): number {
    const gauge = this.#gauges.includes(counter);
    let sum = 0;
    for (let row = 0; row < ROWS; row++) {
      const owner = this.#owners[(row * ROW_BYTES) / 4] ?? 0;
      if (owner === 0) break;
      if (!gauge || processAlive(owner)) sum += this.#values[(row * ROW_BYTES) / 8 + 1 + counter] ?? 0;
    }
    return sum;
  }

  /** A row never used, or that of a process which is gone, whose totals it carries on. Throws when all are taken. */
  #claim(pid: number): number {
    for (let row = 0; row < ROWS; row++) {
      const at = (row * ROW_BYTES) / 4;
      const owner = Atomics.load(this.#owners, at);
      if (owner !== 0 && owner !== pid && processAlive(owner)) continue;
      if (Atomics.compareExchange(this.#owners, at, owner, pid) !== owner) continue;
      const first = (row * ROW_BYTES) / 8 + 1;
      for (const gauge of this.#gauges) this.#values[first + gauge] = 0;
      return first;
    }
    throw new Error(`more than ${ROWS} processes share the counters`);
  }
}
