/**
 * A lock in shared memory: one word that holds the owner's process id. It spins, then naps; a lock whose owner
 * has died is taken over, and the taker is told, since what it guards may be half changed.
 */
import { processAlive } from './process-alive.ts';

const SPINS = 2000;
const NAP = 0.05;
/** Naps between two looks whether the owner still lives. */
const NAPS = 20;

// What to nap on must be a SharedArrayBuffer; nobody ever wakes it.
const bed = new Int32Array(new SharedArrayBuffer(4));

export class SharedLock {
  readonly #words: Int32Array;
  readonly #index: number;
  readonly #pid: number;

  /** The lock is the word `words[index]`; zero is free. */
  constructor(words: Int32Array, index: number, pid: number = process.pid) {
    this.#words = words;
    this.#index = index;
    this.#pid = pid;
  }

  /** Waits for the lock. True when it was left by a process that died holding it. */
  lock(): boolean {
    return Atomics.compareExchange(this.#words, this.#index, 0, this.#pid) === 0 ? false : this.#wait();
  }

  unlock(): void {
    Atomics.store(this.#words, this.#index, 0);
  }

  #wait(): boolean {
    const [words, index, pid] = [this.#words, this.#index, this.#pid];
    for (let round = 1; ; round++) {
      for (let spin = 0; spin < SPINS; spin++) {
        if (Atomics.load(words, index) !== 0) continue;
        if (Atomics.compareExchange(words, index, 0, pid) === 0) return false;
      }
      const owner = Atomics.load(words, index);
      // Never taken twice by one process: an owner with our id is a dead one whose id we were given.
      const dead = owner === pid || (owner !== 0 && round % NAPS === 1 && !processAlive(owner));
      if (dead && Atomics.compareExchange(words, index, owner, pid) === owner) return true;
      Atomics.wait(bed, 0, 0, NAP);
    }
  }
}
