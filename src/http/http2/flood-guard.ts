/** Counts what a client makes the connection do without asking for anything: nginx's bounds. */

/** Bytes that may be beside requests and replies before they are weighed. */
const GRANTED = 1048576;
const RATIO = 8;
/** Answers to control frames that may wait for a client that reads nothing. */
const MOST_WAITING = 10000;
/** Streams that are refused before the connection is. */
const LEAST_REFUSED = 100;

export class FloodGuard {
  /** All bytes of frames, both ways; of these, what requests and replies are made of. */
  total = 0;
  payload = 0;
  #waiting = 0;
  #refused = 0;
  #newStreams = 0;
  #idleReads = 0;
  #priorities: number;

  constructor(
    /** `http2_max_concurrent_streams`. */
    readonly streams: number,
  ) {
    this.#priorities = Math.max(streams, LEAST_REFUSED);
  }

  /** Something is read; `bytes` of it. */
  read(bytes: number): void {
    this.total += bytes;
    this.#newStreams = 0;
  }

  /** Too much of what has come and gone was of no use. */
  get flooded(): boolean {
    return this.total / RATIO > this.payload + GRANTED;
  }

  /** A stream is asked for. False: too many came at once, as when each is reset as soon as it is made. */
  newStream(): boolean {
    return this.#newStreams++ < 2 * this.streams;
  }

  /** A stream has been made: it may be given priorities. */
  streamMade(): void {
    this.#priorities += this.streams;
  }

  /** A stream is refused. False: too many were. */
  refuse(): boolean {
    return this.#refused++ <= Math.max(this.streams, LEAST_REFUSED);
  }

  /** False: too many PRIORITY frames. */
  priority(): boolean {
    return --this.#priorities !== 0;
  }

  /** A control frame is answered. False: too many answers wait. */
  answer(): boolean {
    return ++this.#waiting <= MOST_WAITING;
  }

  /** The client has taken all that was written. */
  taken(): void {
    this.#waiting = 0;
  }

  /** An idle connection is read from, which may happen so many times. */
  idleRead(most: number): boolean {
    return this.#idleReads++ <= most;
  }
}
