/** The numbers of stub_status: in memory that all workers share where the configuration asks for the page. */
import { COUNTERS_BYTES, SharedCounters } from '../zone/counters.ts';

const ACCEPTED = 0;
const REQUESTS = 1;
const ACTIVE = 2;
const READING = 3;
const WRITING = 4;
const WAITING = 5;
const GAUGES = [ACTIVE, READING, WRITING, WAITING];

export class ClientCounters {
  #counts = new SharedCounters(new ArrayBuffer(COUNTERS_BYTES), GAUGES);

  /** Counts in `memory` from now on, with the other workers. */
  share(memory: ArrayBuffer): void {
    this.#counts = new SharedCounters(memory, GAUGES);
  }

  accept(): void {
    this.#counts.add(ACCEPTED, 1);
    this.#counts.add(ACTIVE, 1);
  }

  close(): void {
    this.#counts.add(ACTIVE, -1);
  }

  request(): void {
    this.#counts.add(REQUESTS, 1);
  }

  reading(change: number): void {
    this.#counts.add(READING, change);
  }

  writing(change: number): void {
    this.#counts.add(WRITING, change);
  }

  waiting(change: number): void {
    this.#counts.add(WAITING, change);
  }

  get accepted(): number {
    return this.#counts.sum(ACCEPTED);
  }
  /** No connection is accepted that is not handled. */
  get handled(): number {
    return this.accepted;
  }
  get requests(): number {
    return this.#counts.sum(REQUESTS);
  }
  get active(): number {
    return this.#counts.sum(ACTIVE);
  }
  get readingNow(): number {
    return this.#counts.sum(READING);
  }
  get writingNow(): number {
    return this.#counts.sum(WRITING);
  }
  get waitingNow(): number {
    return this.#counts.sum(WAITING);
  }
}
