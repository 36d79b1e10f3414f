/**
 * The last head of a location's replies. A server's heads are much alike: one that comes again, byte by byte, needs
 * not be read again, and its lines are shared.
 */
import type { ReplyHead } from '../../reply-head.ts';

/** Longer pieces, whose heads would keep them in memory, are not remembered. */
const LONGEST = 16384;

export class HeadMemory {
  #text = '';
  #head: ReplyHead | undefined = undefined;

  /** Bytes of the head that is remembered, the empty line included. */
  get length(): number {
    return this.#text.length;
  }

  /** What `piece` begins with, when that is the head that is remembered. */
  find(piece: string): ReplyHead | undefined {
    const text = this.#text;
    return this.#head !== undefined && piece.slice(0, text.length) === text ? this.#head : undefined;
  }

  /** Remembers `head`, which must not change any more: the first `length` characters of `piece`. */
  keep(piece: string, length: number, head: ReplyHead): void {
    if (piece.length > LONGEST) return;
    this.#text = piece.slice(0, length);
    this.#head = head;
  }
}
