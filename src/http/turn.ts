/**
 * The order in which a request's own output and that of its subrequests reach the client: each subrequest's stands
 * where the body was when it was made (ngx_http_postpone_filter). One turn is the active one; what others write
 * waits until it is theirs.
 */
import { type BodySink, type Data, FLUSH, LAST, OWNED } from './output.ts';
import type { Request } from './request.ts';

/** Bytes that may wait for their turn before their producer is asked to stop. */
const MOST_HELD = 65536;

interface Piece {
  readonly bytes: Data;
  readonly flags: number;
}

/** Where all the turns of a main request lead to. */
export interface Outlet {
  active: Turn;
  /** Takes what is due, for the main request. */
  deliver(bytes: Data, flags: number): void;
}

export class Turn implements BodySink {
  /** What waits, in order: pieces of its own, and the turns of subrequests. */
  #waiting: (Piece | Turn)[] = [];
  #held = 0;
  /** Its request writes no more. */
  #closed = false;

  constructor(
    readonly request: Request,
    readonly outlet: Outlet,
    readonly parent: Turn | undefined,
  ) {}

  /** Its producer shall wait: it is not its turn, and enough is held for when it will be. */
  get full(): boolean {
    return this.#held >= MOST_HELD;
  }

  get active(): boolean {
    return this.outlet.active === this;
  }

  write(_request: Request, bytes: Data, flags: number): void {
    if (this.active && this.#waiting.length === 0) {
      this.#pass(bytes, flags);
      return;
    }
    this.#held += bytes.length;
    this.#waiting.push({ bytes: (flags & OWNED) === 0 ? Buffer.from(bytes) : bytes, flags: flags | OWNED });
  }

  /** A subrequest made now: its output comes next. */
  add(request: Request): Turn {
    const turn = new Turn(request, this.outlet, this);
    if (this.active && this.#waiting.length === 0) this.outlet.active = turn;
    else this.#waiting.push(turn);
    return turn;
  }

  /** Its request has written all. */
  close(): void {
    this.#closed = true;
    if (this.active) this.#advance();
  }

  #pass(bytes: Data, flags: number): void {
    // Only the main request's end is the end of the body.
    const passed = this.parent ? flags & ~LAST : flags;
    if (bytes.length > 0 || (passed & (LAST | FLUSH)) !== 0) this.outlet.deliver(bytes, passed);
  }

  /** It is its turn: what waits goes out, up to the first subrequest; behind its last word comes its parent. */
  #advance(): void {
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      if (next instanceof Turn) {
        this.outlet.active = next;
        next.#advance();
        return;
      }
      this.#held -= next.bytes.length;
      this.#pass(next.bytes, next.flags);
    }
    if (this.#closed && this.parent) {
      this.outlet.active = this.parent;
      this.parent.#advance();
    } else if (!this.#closed) {
      this.request.producer?.resumeOutput(this.request);
    }
  }
}
