/** The parts of a body that a client asked for (RFC 9110 section 14). */
import { ALERT } from '../../log/levels.ts';
import { terminate } from '../finalize.ts';
import { type BodyFilter, type Data, LAST, NOTHING, NOWHERE, OWNED } from '../output.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { ERROR } from '../verdict.ts';

/** A part of the body, the bytes from `start` up to `end`, and what is sent before it. */
export interface RangePart {
  readonly before: Data;
  readonly start: number;
  readonly end: number;
}

/** Who makes a body that it can seek in takes the parts from here and writes them to `next` itself. */
export class RangeSink implements BodyFilter {
  next = NOWHERE;
  /** How many bytes of the whole body have gone by. */
  #offset: number;
  #done = false;

  constructor(
    readonly parts: readonly RangePart[],
    /** What follows the last part. */
    readonly after: Data,
    /** Where in the whole body the bytes begin that are written. */
    readonly first = 0,
  ) {
    this.#offset = first;
  }

  write(request: Request, bytes: Data, flags: number): void {
    if (this.#done) return;
    if (this.parts.length > 1) {
      this.#several(request, bytes, flags);
      return;
    }
    const part = this.parts[0];
    if (!part) return;
    const from = this.#offset;
    this.#offset += bytes.length;
    const piece = bytes.subarray(Math.max(0, part.start - from), Math.max(0, part.end - from));
    if (this.#offset >= part.end || (flags & LAST) !== 0) {
      this.#done = true;
      this.next.write(request, piece, flags | LAST);
    } else if (piece.length > 0 || (flags & ~OWNED) !== 0) {
      this.next.write(request, piece, flags);
    }
  }

  /** Several parts are cut from a body that comes in one piece; how they overlap and follow is the client's choice. */
  #several(request: Request, bytes: Data, flags: number): void {
    if (bytes.length === 0 && (flags & LAST) === 0) return;
    if ((flags & LAST) === 0 && this.parts.some(({ end }) => end > bytes.length)) {
      this.#done = true;
      logRequest(request, ALERT, 'range in overlapped buffers');
      terminate(request, ERROR);
      return;
    }
    this.#done = true;
    for (const { before, start, end } of this.parts) {
      this.next.write(request, before, OWNED);
      this.next.write(request, bytes.subarray(start, end), flags & OWNED);
    }
    this.next.write(request, this.after, OWNED | LAST);
  }
}

/** The whole of a body of `length` bytes as its only part. */
export const whole = (length: number): RangePart => ({ before: NOTHING, start: 0, end: length });
