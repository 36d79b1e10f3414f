/** What is known of one name, or being asked for: the entry of the resolver's cache. */
import type { DnsAnswer } from './dns-decode.ts';
import type { Lookup } from './lookup.ts';
import { Timer, type TimerOwner } from './timers.ts';

export interface RecordOwner {
  /** No reply has come for the time after which queries are repeated. */
  onOverdue(record: NameRecord): void;
}

/** One of the questions about a name: its query and where the answer stands. */
export class Question {
  /** Undefined until answered. */
  addresses: readonly string[] | undefined = undefined;
  /** The reply did not fit into a datagram. */
  tcp = false;

  constructor(
    readonly id: number,
    readonly type: number,
    readonly query: Buffer,
  ) {}
}

export class NameRecord implements TimerOwner {
  readonly waiting: Set<Lookup> = new Set();
  readonly timer: Timer = new Timer(this);
  /** Those that are being asked; empty when the record is complete. */
  questions: readonly Question[] = [];
  addresses: readonly string[] = [];
  /** SRV records in the order of their priority. */
  services: readonly DnsAnswer[] = [];
  cname: string | undefined = undefined;
  /** An error that one of two questions was answered with, until the other is answered. */
  code = 0;
  /** Seconds, the least of the replies. */
  ttl = Infinity;
  /** Until when it holds, seconds of the wall clock; 0 while it is not complete. */
  valid = 0;
  /** When it may be forgotten, seconds of the wall clock. */
  expire = 0;
  /** Which name server was asked last. */
  server = 0;
  /** The query was given to a second server at once, since the first can't be reached. */
  retried = false;

  constructor(
    readonly key: string,
    readonly name: string,
    readonly owner: RecordOwner,
  ) {}

  onTimer(): void {
    this.owner.onOverdue(this);
  }
}
