/** The output of a translation, in which groups get their numbers only when all of them are known. */

/** Text, a group of the pattern, a group that only serves the translation, or a reference to either. */
export type Piece =
  | string
  | { readonly kind: 'capture'; readonly group: number }
  | { readonly kind: 'helper'; readonly id: number }
  | { readonly kind: 'reference'; readonly to: number | string }
  | { readonly kind: 'helper-reference'; readonly id: number };

export class Pieces {
  readonly #pieces: Piece[] = [];
  #helpers = 0;

  get length(): number {
    return this.#pieces.length;
  }

  push(piece: Piece): void {
    this.#pieces.push(piece);
  }

  /** Puts what was written from `start` on between two texts. */
  wrap(start: number, before: string, after: string): void {
    this.#pieces.splice(start, 0, before);
    this.#pieces.push(after);
  }

  /**
   * Makes what was written from `start` on match once and for all. A lookahead is never entered again, so
   * `(?=(X))\1` gives up all of X's other ways.
   */
  makeAtomic(start: number): void {
    const id = this.#helpers;
    this.#helpers += 1;
    this.#pieces.splice(start, 0, '(?:(?=', { kind: 'helper', id });
    this.#pieces.push('))', { kind: 'helper-reference', id }, ')');
  }

  /** The source, and JavaScript's numbers of the helper groups. `names` gives the numbers of named groups. */
  write(names: ReadonlyMap<string, number>): {
    readonly source: string;
    readonly helpers: readonly number[];
  } {
    const groups = new Map<number, number>();
    const helpers: number[] = [];
    let count = 0;
    for (const piece of this.#pieces) {
      if (typeof piece === 'string' || piece.kind === 'reference' || piece.kind === 'helper-reference')
        continue;
      count += 1;
      if (piece.kind === 'capture') groups.set(piece.group, count);
      else helpers[piece.id] = count;
    }
    const source = this.#pieces
      .map((piece) => {
        if (typeof piece === 'string') return piece;
        if (piece.kind === 'capture' || piece.kind === 'helper') return '(';
        if (piece.kind === 'helper-reference') return `(?:\\${helpers[piece.id]})`;
        const group = typeof piece.to === 'number' ? piece.to : names.get(piece.to);
        return `(?:\\${groups.get(group ?? 0)})`;
      })
      .join('');
    return { source, helpers };
  }
}
