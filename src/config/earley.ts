/** nearley behind one typed function: tokens in, what the grammar's rules give out. */
import nearley from 'nearley';

export type { Grammar } from 'nearley';

/** A grammar that nearleyc has compiled. */
export const grammarOf = (rules: nearley.CompiledRules): nearley.Grammar =>
  nearley.Grammar.fromCompiled(rules);

class Tokens<T extends { value: string }> implements nearley.Lexer {
  readonly #pull: () => T | undefined;
  last: T | undefined;

  constructor(pull: () => T | undefined) {
    this.#pull = pull;
  }

  next(): T | undefined {
    this.last = this.#pull();
    return this.last;
  }

  reset(): void {}
  save(): nearley.LexerState {
    return {};
  }
  formatError(): string {
    return '';
  }
}

/**
 * Parses what `pull` gives, up to its first undefined. The result is the grammar's, whose rules are untyped: the
 * caller names their type. `refused` is the first token that no rule takes; undefined where the end came too soon.
 */
export const parse = <R, T extends { value: string }>(
  grammar: nearley.Grammar,
  pull: () => T | undefined,
): { readonly result: R } | { readonly refused: T | undefined } => {
  const tokens = new Tokens(pull);
  const parser = new nearley.Parser(grammar, { lexer: tokens });
  try {
    parser.feed('');
  } catch (error) {
    if (tokens.last) return { refused: tokens.last };
    throw error;
  }
  const [result]: R[] = parser.results;
  return result === undefined ? { refused: undefined } : { result };
};
