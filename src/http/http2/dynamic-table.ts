/** The table that a client's header blocks fill and refer to, behind the static one (RFC 7541 section 2.3). */
import type { Field } from './field.ts';
import { STATIC } from './static-table.ts';

/** Its size in bytes, as entries are counted: the default, which this program never raises. */
export const TABLE_SIZE = 4096;

export class DynamicTable {
  /** The newest entry last; those before `#oldest` have been thrown out. */
  #entries: Field[] = [];
  #oldest = 0;
  #used = 0;
  #limit = TABLE_SIZE;

  /** The entry of an index, in both tables; undefined when there is none. */
  at(index: number): Field | undefined {
    if (index < STATIC.length) return STATIC[index];
    const at = this.#entries.length - 1 - (index - STATIC.length);
    return at < this.#oldest ? undefined : this.#entries[at];
  }

  /** How far an index is beyond the static table. */
  beyond(index: number): number {
    return index - STATIC.length;
  }

  /** Bytes in use. */
  get used(): number {
    return this.#used;
  }

  /** A new entry pushes out the oldest ones; one that is too large for the table empties it. */
  add(field: Field): void {
    const { size } = field;
    this.#shrink(this.#limit - size);
    if (size > this.#limit) return;
    this.#entries.push(field);
    this.#used += size;
  }

  /** The client takes another size, of at most `TABLE_SIZE`. */
  resize(limit: number): void {
    this.#limit = limit;
    this.#shrink(limit);
  }

  #shrink(limit: number): void {
    const entries = this.#entries;
    while (this.#used > limit && this.#oldest < entries.length) {
      this.#used -= entries[this.#oldest++]?.size ?? 0;
    }
    // The dead ones at the front go when they are as many as a full table.
    if (this.#oldest === entries.length) {
      entries.length = 0;
      this.#oldest = 0;
    } else if (this.#oldest >= TABLE_SIZE / 32) {
      this.#entries = entries.slice(this.#oldest);
      this.#oldest = 0;
    }
  }
}
