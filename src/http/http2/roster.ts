/**
 * A few streams, in the order in which they came. An array, no Set or Map: where entries come and go, V8 makes the table
 * of a Set anew all the time, and each table refers to the one that took its place. Once one of them is in old memory,
 * all that was ever in the later ones outlives every small collection.
 */
export class Roster<T extends { readonly id: number }> implements Iterable<T> {
  readonly #members: T[] = [];

  get size(): number {
    return this.#members.length;
  }

  /** The member of that number. What is asked for is mostly young. */
  get(id: number): T | undefined {
    const members = this.#members;
    for (let i = members.length - 1; i >= 0; i--) {
      if (members[i]?.id === id) return members[i];
    }
    return undefined;
  }

  has(member: T): boolean {
    return this.#members.includes(member);
  }

  /** Puts it behind the others, unless it is a member. */
  add(member: T): void {
    if (!this.has(member)) this.#members.push(member);
  }

  delete(member: T): void {
    const members = this.#members;
    const at = members.indexOf(member);
    if (at < 0) return;
    members.copyWithin(at, at + 1);
    members.pop();
  }

  /** Takes the first away. */
  shift(): T | undefined {
    return this.#members.shift();
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#members.values();
  }
}
