/** A request that waits in a phase for time to pass; a client that leaves meanwhile ends the wait. */
import { Timer, type TimerOwner } from '../net/timers.ts';
import type { Producer } from './output.ts';
import type { Request } from './request.ts';

export class Pause implements Producer, TimerOwner {
  readonly #timer = new Timer(this);

  /** Runs `then` after that many milliseconds. The handler that waits answers AGAIN or DONE. */
  constructor(
    readonly request: Request,
    milliseconds: number,
    readonly then: (request: Request) => void,
  ) {
    request.producer = this;
    this.#timer.start(milliseconds);
  }

  onTimer(): void {
    this.request.producer = undefined;
    this.then(this.request);
  }

  resumeOutput(): void {}

  abortOutput(): void {
    this.#timer.remove();
  }
}
