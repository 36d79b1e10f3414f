/** nginx.conf item by item: the lexer's tokens through the grammar of grammar/conf.ne, one parse an item. */
import type { Place, Word } from './contract.ts';
import { grammarOf, parse } from './earley.ts';
import rules from './grammar/conf.ts';
import { ConfLexer, type ConfToken } from './lexer.ts';

/** What the text goes on with. `place` is the line of the terminator, where nginx reports. */
export type Item =
  | {
      readonly kind: 'statement' | 'open' | 'close' | 'end';
      readonly words: readonly Word[];
      readonly place: Place;
    }
  | Malformed;

/** What is no item. `last` tells how to go on: behind a `;`, `{` or `}`, or not at all. */
export interface Malformed {
  readonly kind: 'malformed';
  readonly reason: string;
  readonly place: Place;
  readonly last: ConfToken['type'];
}

/** What the grammar's rules give. */
interface Parsed {
  readonly kind: 'statement' | 'open' | 'close' | 'end';
  readonly words: readonly ConfToken[];
  readonly last: ConfToken;
}

const grammar = grammarOf(rules);
const TERMINATORS: ReadonlySet<string> = new Set(['semicolon', 'open', 'close', 'end', 'error']);

/** Reads one text. Each call of `next` reads no further than the item's terminator. */
export class StatementReader {
  readonly #lexer: ConfLexer;

  /** `isFile` is false for the text of `-g`, which has no lines. */
  constructor(text: string, file: string, isFile = true) {
    this.#lexer = new ConfLexer(text, file, isFile);
  }

  next(): Item {
    let last: ConfToken | undefined;
    const parsed = parse<Parsed, ConfToken>(grammar, () => {
      if (last && TERMINATORS.has(last.type)) return undefined;
      last = this.#lexer.next();
      return last;
    });
    if ('result' in parsed) {
      const { kind, words, last: place } = parsed.result;
      return { kind, words, place };
    }
    if (!parsed.refused) throw new Error('the grammar of nginx.conf has no end for an item');
    return this.#malformed(parsed.refused);
  }

  /** Goes on behind the `}` of a body, whose `{` has just been read; false where the text ends within. */
  skipBody(name: string): boolean {
    if (name.endsWith('_by_lua_block')) return this.#lexer.skipLua();
    for (let depth = 1; depth > 0; ) {
      const { type } = this.#lexer.next();
      if (type === 'open') depth += 1;
      else if (type === 'close') depth -= 1;
      else if (type === 'end' || type === 'error') return false;
    }
    return true;
  }

  #malformed(last: ConfToken): Malformed {
    const reason =
      last.type === 'error'
        ? last.text
        : last.type === 'end'
          ? this.#lexer.endReason
          : `unexpected "${last.text}"`;
    return { kind: 'malformed', reason, place: last, last: last.type };
  }
}
