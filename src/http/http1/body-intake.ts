/** The bodies of a client's requests: kept until somebody asks for them, fed to who reads them, refused or thrown away. */
import type { Connection } from '../../net/connection.ts';
import { refuseBody } from '../finalize.ts';
import type { BodyReader } from '../read-body.ts';
import type { Request } from '../request.ts';

/** Whose requests they belong to. */
export interface BodyOwner {
  readonly connection: Connection;
  /** The request has ended: what is left of its body is thrown away before the next one. */
  readonly readsRest: boolean;
  /** Bytes that stand behind the body. */
  cameBehind(bytes: Buffer, from: number, to: number): void;
  /** What comes can't be told apart any more: the connection ends. */
  close(): void;
  /** The request has ended, and all of its body has been read. */
  next(request: Request): void;
}

export class BodyIntake {
  /** Who is fed. */
  reader: BodyReader | undefined = undefined;
  /** The present request has a body that has not been read to its end. */
  expected = false;
  /** Bytes of the body that nobody has asked for yet. */
  #held: Buffer | undefined = undefined;

  constructor(readonly owner: BodyOwner) {}

  /** A request's head is complete. Answers whether a body follows. */
  expect(request: Request): boolean {
    const { contentLength, chunked } = request.headers;
    this.expected = contentLength > 0 || chunked;
    request.lingering = this.expected;
    return this.expected;
  }

  /** The beginning of the body came together with the head. */
  hold(bytes: Buffer): void {
    this.#held = bytes;
  }

  /** Bytes that come while a request is being answered. False: there is no body (any more) that they could be of. */
  take(bytes: Buffer, length: number): boolean {
    if (this.reader) {
      this.#feed(this.reader, bytes, 0, length);
      return true;
    }
    if (!this.expected) return false;
    const copy = Buffer.from(bytes.subarray(0, length));
    this.#held = this.#held ? Buffer.concat([this.#held, copy]) : copy;
    this.owner.connection.pause();
    return true;
  }

  /** Feeds `reader` from now on, first with what is there. */
  read(reader: BodyReader): void {
    this.reader = reader;
    const held = this.#held;
    this.#held = undefined;
    if (held) this.#feed(reader, held, 0, held.length);
    const { connection } = this.owner;
    if (this.reader === reader && !connection.closed) {
      connection.resume();
      if (!reader.discarding) connection.timer.start(reader.request.location.core.client_body_timeout);
    }
  }

  #feed(reader: BodyReader, bytes: Buffer, start: number, end: number): void {
    const { owner } = this;
    const { timer } = owner.connection;
    const { request } = reader;
    const stop = reader.feed(bytes, start, end);
    if (!reader.discarding) request.requestLength += stop - start;
    if (reader.failure !== 0) {
      this.#over();
      request.keepAlive = false;
      if (owner.readsRest) owner.close();
      else refuseBody(request, reader.failure);
      return;
    }
    if (!reader.complete) {
      if (owner.readsRest) timer.start(request.location.core.lingering_timeout);
      else if (!reader.discarding) timer.start(request.location.core.client_body_timeout);
      return;
    }
    this.#over();
    request.lingering = false;
    timer.stop();
    if (stop < end) owner.cameBehind(bytes, stop, end);
    if (owner.readsRest) owner.next(request);
    else reader.finish();
  }

  #over(): void {
    this.reader = undefined;
    this.expected = false;
  }

  /** The request has been answered: who still reads its body wants no more of it. */
  unwanted(request: Request): void {
    const { reader } = this;
    if (!reader || reader.discarding) return;
    request.keepAlive = false;
    reader.discard();
  }

  /** Nothing more is read of the present body. */
  forget(): void {
    this.reader = undefined;
    this.#held = undefined;
  }
}
