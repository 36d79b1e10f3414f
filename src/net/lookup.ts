/** One party's wait for the addresses of a name. */
import type { NameRecord } from './name-record.ts';
import { Timer, type TimerOwner } from './timers.ts';

export interface LookupOwner {
  /** The wait is over: `code` says how. May be called before `Resolver.lookup` returns. */
  onResolved(lookup: Lookup): void;
}

/** Codes of a wait that ended without an address, beside those of DNS (3: no such name). */
export const TIMED_OUT = 110;
export const NO_SUCH_NAME = 3;

/** An address that a name leads to. */
export interface Resolved {
  /** Numeric, without brackets. */
  readonly host: string;
  /** From SRV; else 0, and so are the next two. */
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
  /** The name that SRV led to, '' without. */
  readonly name: string;
}

/** A name that SRV led to and that has no address. */
export interface Lost {
  readonly name: string;
  readonly code: number;
}

export class Lookup implements TimerOwner {
  /** 0: `addresses` are there. */
  code = 0;
  addresses: readonly Resolved[] = [];
  readonly lost: Lost[] = [];
  /** Until when the addresses (or their lack) hold, seconds of the wall clock. */
  valid = 0;
  /** How many CNAMEs were followed. */
  recursion = 0;
  /** Whose completion is awaited. */
  record: NameRecord | undefined = undefined;
  /** With SRV: the waits for the names that it led to. */
  parts: readonly Lookup[] = [];
  over = false;
  readonly timer: Timer = new Timer(this);

  constructor(
    /** What is looked for, in lower case, without a dot at its end. */
    readonly name: string,
    /** `http`, `_http._tcp`: SRV records of this service are; '' for addresses. */
    readonly service: string,
    readonly owner: LookupOwner,
    /** Milliseconds; 0: for ever. */
    readonly timeout: number,
  ) {}

  /** Ends the wait and tells its owner. */
  end(code: number, addresses: readonly Resolved[], valid: number): void {
    if (this.over) return;
    this.cancel();
    this.code = code;
    this.addresses = addresses;
    this.valid = valid;
    this.owner.onResolved(this);
  }

  /** Its owner waits no longer, and is not told. */
  cancel(): void {
    this.over = true;
    this.timer.remove();
    this.record?.waiting.delete(this);
    this.record = undefined;
    const { parts } = this;
    this.parts = [];
    for (const part of parts) part.cancel();
  }

  onTimer(): void {
    this.end(TIMED_OUT, [], 0);
  }
}

/** nginx's words for a code. */
export const lookupError = (code: number): string => {
  const texts = ['Format error', 'Server failure', 'Host not found', 'Unimplemented', 'Operation refused'];
  return code === TIMED_OUT ? 'Operation timed out' : (texts[code - 1] ?? 'Unknown error');
};
