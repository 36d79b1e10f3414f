/**
 * Any number of members that come and go, in the order in which they came: each knows its neighbours. No Set, whose
 * earlier tables would keep members alive that are gone (see `http/http2/roster.ts`).
 */

/** What a member of a chain has for it. */
export interface Link<T> {
  before: T | undefined;
  after: T | undefined;
}

export class Chain<T extends Link<T>> implements Iterable<T> {
  #first: T | undefined = undefined;
  #last: T | undefined = undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Puts it behind the others; it must not be in a chain. */
  add(member: T): void {
    const last = this.#last;
    member.before = last;
    if (last) last.after = member;
    else this.#first = member;
    this.#last = member;
    this.#size++;
  }

  /** Takes it out; nothing happens to what is not in the chain. */
  delete(member: T): void {
    const { before, after } = member;
    if (!before && this.#first !== member) return;
    if (before) before.after = after;
    else this.#first = after;
    if (after) after.before = before;
    else this.#last = before;
    member.before = undefined;
    member.after = undefined;
    this.#size--;
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (let member = this.#first; member; member = member.after) yield member;
  }
}
