/**
 * Timeouts for connections: one hashed timing wheel for the whole process. A timer that is started again
 * while it runs only moves its deadline, and is put where it belongs when its old slot comes up: the usual
 * case, a timeout renewed at each read, costs one store and no system timer.
 */

export interface TimerOwner {
  /** `timer` has run out; it is stopped when this is called. */
  onTimer(timer: Timer): void;
}

const NEVER = Infinity;
/** Milliseconds a slot: timeouts are late by up to this much, never early. */
const TICK = 8;
/** 8192 slots of 8 ms are 65 s; a longer timeout is passed on when its last slot comes up. */
const SLOTS = 8192;

/** When what is being dealt with came; 0 when the clock goes. */
let frozen = 0;
/** What turns `monotonic` into the time of day, looked at once a second. */
let offset = Math.round(Date.now() - performance.now());
let offsetAt = 0;

/**
 * Whole milliseconds on a clock that never goes back. As in nginx it stands still while what has come in is being dealt
 * with.
 */
export const monotonic = (): number => (frozen === 0 ? Math.floor(performance.now()) : frozen);

/** What turns `monotonic` into the clock of the machine. */
const sinceStart = Math.floor(Number(process.hrtime.bigint() / 1_000_000n) - performance.now());

/** As `monotonic`, on a clock that all processes of the machine share. */
export const sharedMonotonic = (): number => monotonic() + sinceStart;

/** The clock stands from now on, until `thaw`: one look at it serves all that follows from a read. */
export const freeze = (): void => {
  frozen = Math.floor(performance.now());
  if (frozen - offsetAt > 1000) {
    offsetAt = frozen;
    offset = Date.now() - frozen;
  }
};
/** The clock goes again. */
export const thaw = (): void => {
  frozen = 0;
};

/** Whether what has come in is being dealt with. */
export const clockStands = (): boolean => frozen !== 0;

/** The first tick that is later by the clock's own fraction of a millisecond too. */
const tickBehind = (time: number): number => Math.floor(time / TICK) + 1;

/** Milliseconds since 1970; the same moment as `monotonic` while the clock stands. */
export const wallClock = (): number => (frozen === 0 ? Date.now() : offset + frozen);

/** One timeout of one owner. Made once per connection, started and stopped at will. */
export class Timer {
  /** When it runs out, on the clock of `monotonic`; Infinity while stopped. */
  deadline = NEVER;
  /** The tick of the slot it is linked in; -1 when in none. */
  tick = -1;
  previous: Timer | undefined = undefined;
  next: Timer | undefined = undefined;

  constructor(readonly owner: TimerOwner) {}

  get running(): boolean {
    return this.deadline !== NEVER;
  }

  /** Runs out `ms` milliseconds from `now`, whatever it was set to before. */
  start(ms: number, now: number = monotonic()): void {
    this.deadline = now + ms;
    const tick = tickBehind(this.deadline);
    if (this.tick >= 0 && this.tick <= tick) return;
    if (this.tick >= 0) wheel.unlink(this);
    wheel.link(this, tick);
  }

  /** Does not run out. It stays in its slot until that comes up, so that a restart is cheap. */
  stop(): void {
    this.deadline = NEVER;
  }

  /** Stops it and lets go of its owner: for the end of a connection. */
  remove(): void {
    this.deadline = NEVER;
    if (this.tick >= 0) wheel.unlink(this);
  }
}

class Wheel {
  readonly #slots: (Timer | undefined)[] = new Array<Timer | undefined>(SLOTS).fill(undefined);
  /** The last tick whose slot has been emptied. */
  #done = Math.floor(monotonic() / TICK);
  #armed: NodeJS.Timeout | undefined = undefined;
  #armedTick = NEVER;
  #count = 0;

  link(timer: Timer, wanted: number): void {
    if (this.#count++ === 0) this.#done = Math.max(this.#done, Math.floor(monotonic() / TICK) - 1);
    const tick = Math.min(Math.max(wanted, this.#done + 1), this.#done + SLOTS - 1);
    const slot = tick % SLOTS;
    const head = this.#slots[slot];
    timer.tick = tick;
    timer.previous = undefined;
    timer.next = head;
    if (head) head.previous = timer;
    this.#slots[slot] = timer;
    if (tick < this.#armedTick) this.#arm(tick);
  }

  unlink(timer: Timer): void {
    if (timer.previous) timer.previous.next = timer.next;
    else this.#slots[timer.tick % SLOTS] = timer.next;
    if (timer.next) timer.next.previous = timer.previous;
    timer.previous = undefined;
    timer.next = undefined;
    timer.tick = -1;
    this.#count--;
  }

  #arm(tick: number): void {
    clearTimeout(this.#armed);
    this.#armedTick = tick;
    // Unreferenced: a pending timeout never keeps a finished process alive, its connections do.
    this.#armed = setTimeout(turn, Math.max(1, Math.ceil(tick * TICK - performance.now()))).unref();
  }

  turn(): void {
    this.#armedTick = NEVER;
    const now = performance.now();
    const until = Math.floor(now / TICK);
    // After a long sleep of the process every slot is looked at once, not once a lap.
    let tick = Math.max(this.#done + 1, until - SLOTS + 1);
    for (; tick <= until; tick++) {
      this.#done = tick;
      for (let timer = this.#slots[tick % SLOTS]; timer; timer = this.#slots[tick % SLOTS]) {
        this.unlink(timer);
        if (timer.deadline === NEVER) continue;
        if (timer.deadline <= now) {
          timer.deadline = NEVER;
          timer.owner.onTimer(timer);
        } else {
          this.link(timer, tickBehind(timer.deadline));
        }
      }
    }
    this.#armNext();
  }

  #armNext(): void {
    if (this.#count === 0) return;
    for (let tick = this.#done + 1; tick < this.#done + SLOTS; tick++) {
      if (this.#slots[tick % SLOTS]) {
        if (tick < this.#armedTick) this.#arm(tick);
        return;
      }
    }
  }
}

const wheel = new Wheel();
const turn = (): void => wheel.turn();
