/** Which peers of a list a request has tried. */
export class Tried {
  #bits = 0;
  #more: Set<number> | undefined = undefined;

  has(index: number): boolean {
    return index < 31 ? (this.#bits & (1 << index)) !== 0 : this.#more?.has(index) === true;
  }

  add(index: number): void {
    if (index < 31) {
      this.#bits |= 1 << index;
    } else {
      this.#more ??= new Set();
      this.#more.add(index);
    }
  }

  clear(): void {
    this.#bits = 0;
    this.#more = undefined;
  }
}
