/** `limit_rate` and `limit_rate_after`: the reply goes out no faster than that, counted as nginx counts it. */
import { parseSize } from '../config/numbers.ts';
import { ERROR } from '../log/levels.ts';
import { Timer, type TimerOwner } from '../net/timers.ts';
import { type BodySink, type Data, FLUSH, LAST, NOTHING, OWNED } from './output.ts';
import type { Request } from './request.ts';
import { logRequest } from './request-log.ts';
import type { Template } from './template.ts';

const sizeOf = (template: Template | undefined, request: Request): number => {
  if (template === undefined) return 0;
  const text = template.text(request);
  const size = parseSize(text);
  if (size === undefined) logRequest(request, ERROR, `invalid size "${text}"`);
  return size ?? 0;
};

/** Stands before the connection; what is not due yet waits here, copied. */
class RateSink implements BodySink, TimerOwner {
  readonly #timer = new Timer(this);
  /** Pieces that are not due yet. */
  readonly #held: Data[] = [];
  #last = false;
  /** What has gone out so far is paid for by waiting. */
  #delayed = false;
  #begun = false;
  /** Bytes of the body handed on. */
  #passed = 0;
  readonly #since: number;

  constructor(
    readonly request: Request,
    /** Bytes a second. */
    readonly rate: number,
    /** Bytes that go out before the limit holds. */
    readonly after: number,
  ) {
    this.#since = Math.floor(request.startedAt / 1000);
  }

  /** Bytes of head and body that have gone out, the head counted from the start. */
  get #sent(): number {
    return this.request.stream.headLength + this.#passed;
  }

  /** Of these, what the limit holds for. */
  get #counted(): number {
    return this.#begun ? Math.max(0, this.#sent - this.after) : 0;
  }

  /** How many bytes may go out now. */
  get #due(): number {
    return this.rate * (Math.floor(Date.now() / 1000) - this.#since + 1) - (this.#sent - this.after);
  }

  write(request: Request, bytes: Data, flags: number): void {
    if (request.headerOnly) {
      this.#next(bytes, flags);
      return;
    }
    if ((flags & LAST) !== 0) this.#last = true;
    if (bytes.length > 0) this.#held.push(bytes);
    this.#pump((flags & FLUSH) !== 0);
    // What is left of the piece is only there during this call.
    if (bytes.length > 0 && this.#held.length > 0 && (flags & OWNED) === 0) this.#own();
  }

  #own(): void {
    const end = this.#held.length - 1;
    const piece = this.#held[end];
    if (piece) this.#held[end] = Buffer.from(piece);
  }

  #next(bytes: Data, flags: number): void {
    this.#passed += bytes.length;
    this.#begun = true;
    this.request.stream.write(this.request, bytes, flags);
  }

  /** Hands on what is due, and waits for the rest. */
  #pump(flush: boolean): void {
    const { request } = this;
    const { stream } = request;
    if (!this.#delayed) {
      const before = this.#counted;
      const due = this.#due;
      this.#pass(due, flush);
      if (request.finished || request.outputDone || stream.broken) return;
      const wait = due <= 0 ? (-due * 1000) / this.rate + 1 : ((this.#counted - before) * 1000) / this.rate;
      if (wait >= 1) {
        this.#delayed = true;
        this.#timer.start(wait);
      }
    }
    stream.throttled = this.#delayed || this.#held.length > 0;
  }

  /** Hands on up to `most` bytes; the head goes in any case. */
  #pass(most: number, flush: boolean): void {
    let room = most;
    for (let piece = this.#held[0]; piece && room > 0; piece = this.#held[0]) {
      if (piece.length > room) {
        this.#held[0] = piece.subarray(room);
        this.#next(piece.subarray(0, room), 0);
        return;
      }
      room -= piece.length;
      this.#held.shift();
      this.#next(piece, this.#last && this.#held.length === 0 ? LAST : 0);
    }
    if (this.request.outputDone) return;
    if (this.#held.length === 0 && this.#last) this.#next(NOTHING, LAST);
    else if (!this.#begun || flush) this.#next(NOTHING, FLUSH);
  }

  onTimer(): void {
    const { request } = this;
    if (request.finished || request.stream.broken) {
      this.#held.length = 0;
      return;
    }
    this.#delayed = false;
    if (this.#held.length > 0 || this.#last) this.#pump(false);
    else request.stream.throttled = false;
    if (!this.#last && !request.finished && !request.stream.congested) request.resumeOutput();
  }
}

/** Puts the limit before the connection where one applies. Runs once a reply, before its header filters. */
export const limitRate = (request: Request): void => {
  const { core } = request.location;
  if (request.limitRate < 0) request.limitRate = sizeOf(core.limit_rate, request);
  const rate = request.limitRate;
  if (rate > 0) request.sink = new RateSink(request, rate, sizeOf(core.limit_rate_after, request));
};
