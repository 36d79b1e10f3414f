/** How fast the datagrams of one side are taken, where a rate is set. */
import { Timer, type TimerOwner, wallClock } from '../../net/timers.ts';

export class Pace {
  /** Bytes a second; 0 for no limit. */
  rate = 0;
  /** While it runs nothing is taken. */
  readonly pause: Timer;
  readonly #startSecond: number = Math.floor(wallClock() / 1000);

  constructor(owner: TimerOwner) {
    this.pause = new Timer(owner);
  }

  get paused(): boolean {
    return this.pause.running;
  }

  /** Whether one more may be taken, of whatever length, when `passed` bytes have been; else a pause begins. */
  allows(passed: number): boolean {
    const { rate } = this;
    if (rate === 0) return true;
    const limit = rate * (Math.floor(wallClock() / 1000) - this.#startSecond + 1) - passed;
    if (limit > 0) return true;
    this.pause.start(Math.floor((-limit * 1000) / rate) + 1);
    return false;
  }

  /** So many bytes have been taken. */
  took(length: number): void {
    const ms = this.rate > 0 ? Math.floor((length * 1000) / this.rate) : 0;
    if (ms > 0) this.pause.start(ms);
  }
}
