/** A client's requests out of the text that comes, one at a time: what comes too early waits for its turn (pipelining). */
import type { Connection } from '../../net/connection.ts';
import { latin1 } from '../../net/latin1.ts';
import type { Request } from '../request.ts';
import type { BodyIntake } from './body-intake.ts';
import { HeadIntake, type IntakeOwner, MORE, REFUSED } from './head-intake.ts';

/** How much of the next requests is read ahead of the present one. */
const READ_AHEAD = 65536;

/** Who answers them. */
export interface RequestOwner extends IntakeOwner {
  readonly connection: Connection;
  /** No request is being read or answered. */
  readonly idle: boolean;
  /** The first bytes of a head are there. */
  headBegins(): void;
  /** The head is complete. */
  serve(request: Request): void;
  /** It is not the head of a request. */
  refuse(request: Request, status: number, reason: string): void;
}

export class RequestIntake {
  readonly #head: HeadIntake;
  /** Text of an incomplete head, or of the next requests. */
  #pending = '';
  /** The time for the head that is being read runs already. */
  #timed = false;
  /** A request is being answered in a loop that will look at what is pending. */
  #answering = false;
  /** What is read next came while a request was being answered. */
  #behind = false;

  constructor(
    readonly owner: RequestOwner,
    readonly body: BodyIntake,
  ) {
    this.#head = new HeadIntake(owner);
  }

  /** Something has come that no request has been made of. */
  get waiting(): boolean {
    return this.#pending !== '';
  }

  /** Bytes of a head. */
  read(bytes: Buffer, length: number): void {
    const { owner } = this;
    if (owner.idle) owner.headBegins();
    const before = this.#pending.length;
    const text = before === 0 ? latin1(bytes, 0, length) : this.#pending + latin1(bytes, 0, length);
    this.#pending = '';
    this.#answering = true;
    this.#parse(text, bytes, before, length);
    this.#answering = false;
    if (this.#pending !== '' && owner.idle) this.#answerPending();
  }

  /** Bytes of the next requests, while one is being answered. */
  keep(bytes: Buffer, from: number, to: number): void {
    this.#pending += latin1(bytes, from, to);
  }

  /** As `keep`; the client is held back when it is far ahead. */
  readAhead(bytes: Buffer, length: number): void {
    this.keep(bytes, 0, length);
    if (this.#pending.length >= READ_AHEAD) this.owner.connection.pause();
  }

  /** Gives away what has come. */
  takePending(): string {
    const text = this.#pending;
    this.#pending = '';
    return text;
  }

  /** A request begins. Answers whether its first bytes came while another was being answered. */
  begin(): boolean {
    const behind = this.#behind;
    this.#behind = false;
    this.#timed = false;
    return behind;
  }

  /** The request has ended, another head may come. */
  reset(): void {
    this.#head.reset();
  }

  /** The client will send no more of the head. Answers what was being read, for the log. */
  breakOff(request: Request): string {
    return this.#head.breakOff(request);
  }

  /** A request has ended: the next one, if it is there. */
  goOn(): void {
    // Within the loop the next one waits for its turn there: no request runs inside another's end.
    if (this.#pending !== '' && !this.#answering) this.#answerPending();
  }

  /** Answers the requests that have come already, one after the other until one waits. */
  #answerPending(): void {
    const { owner } = this;
    this.#answering = true;
    while (this.#pending !== '' && owner.idle) {
      const text = this.#pending;
      this.#pending = '';
      this.#behind = true;
      owner.headBegins();
      this.#parse(text, undefined, text.length, 0);
    }
    this.#behind = false;
    this.#answering = false;
  }

  /**
   * Reads the head in `text`, whose last `length` characters are the bytes at the start of `bytes`, from
   * character `before` on; `bytes` is only used for what stands behind the head.
   */
  #parse(text: string, bytes: Buffer | undefined, before: number, length: number): void {
    const { owner } = this;
    const head = this.#head;
    const found = head.read(text);
    const { request } = head;
    if (found === MORE) {
      this.#pending = head.rest;
      if (request && !this.#timed) {
        this.#timed = true;
        owner.connection.timer.start(request.location.core.client_header_timeout);
      }
      return;
    }
    if (!request) return;
    if (found === REFUSED) {
      this.#pending = '';
      owner.refuse(request, head.status, head.reason);
      return;
    }
    const { end } = head;
    const hasBody = this.body.expect(request);
    if (end < text.length) {
      if (hasBody) this.body.hold(behindHead(text, end, bytes, before, length));
      else this.#pending = text.slice(end);
    }
    owner.serve(request);
  }
}

/** A copy of what stands behind the head in the text, see `#parse`. */
const behindHead = (
  text: string,
  end: number,
  bytes: Buffer | undefined,
  before: number,
  length: number,
): Buffer => {
  const from = end - before;
  if (bytes && from >= 0) return Buffer.from(bytes.subarray(from, length));
  return Buffer.from(text.slice(end), 'latin1');
};
