/** A request's body that has been read, piece by piece, and what follows when it has been sent. */
import type { Request } from '../http/request.ts';
import type { Connection } from '../net/connection.ts';
import { HEAD_ACTION } from './states.ts';
import type { Upstream } from './upstream.ts';

/** Bytes of a file that are read and sent at a time. */
const PIECE = 65536;

/** Where the sending of a body that has been read stands. */
export class BodySender {
  #position = 0;
  #index = 0;
  readonly #request: Request;

  constructor(request: Request) {
    this.#request = request;
  }

  /** The next piece; undefined at the end. Throws the system's error when the file can't be read. */
  next(): Uint8Array | undefined {
    const { body } = this.#request;
    const file = body?.file;
    if (file && this.#position < file.length) {
      const bytes = Buffer.allocUnsafe(Math.min(PIECE, file.length - this.#position));
      const length = file.read(bytes, this.#position);
      this.#position += length;
      return length === bytes.length ? bytes : bytes.subarray(0, length);
    }
    return body?.pieces[this.#index++];
  }

  get last(): boolean {
    const { body } = this.#request;
    return this.#position >= (body?.file?.length ?? 0) && this.#index >= (body?.pieces.length ?? 0);
  }
}

/** The request has been written: the reply is awaited, or that the system takes the rest of it. */
export const awaitReply = (u: Upstream, connection: Connection): void => {
  if (u.bodySent) {
    u.action = HEAD_ACTION;
    connection.timer.start(u.conf.readTimeout, u.now);
  } else {
    connection.timer.start(u.conf.sendTimeout, u.now);
  }
};
