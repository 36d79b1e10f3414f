/**
 * nginx.conf item by item: the lexer's tokens through the grammar of grammar/conf.ne. The grammar looks at the types of
 * tokens only, so what it makes of `word word ;` is asked once and holds for every item of that form.
 */
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
/** What the grammar makes of a form: the kind of item, and how many of its tokens, from the first, are its words. */
interface Form {
  readonly kind: Parsed['kind'];
  readonly words: number;
}

/** One letter for each type of token: a form is written as `ww;`. */
const LETTERS: Readonly<Record<ConfToken['type'], string>> = {
  word: 'w',
  quoted: 'q',
  semicolon: ';',
  open: '{',
  close: '}',
  end: '.',
  error: '!',
};
/** Longer items are parsed each time: their forms would not be met again. */
const LONGEST_FORM = 16;
const forms = new Map<string, Form>();

/** The item that tokens are, or the one among them that no rule takes. */
const parseItem = (tokens: readonly ConfToken[]): Parsed | ConfToken => {
  let next = 0;
  const parsed = parse<Parsed, ConfToken>(grammar, () => tokens[next++]);
  if ('result' in parsed) return parsed.result;
  if (!parsed.refused) throw new Error('the grammar of nginx.conf has no end for an item');
  return parsed.refused;
};

/** Reads one text. Each call of `next` reads no further than the item's terminator. */
export class StatementReader {
  readonly #lexer: ConfLexer;

  /** `isFile` is false for the text of `-g`, which has no lines. */
  constructor(text: string, file: string, isFile = true) {
    this.#lexer = new ConfLexer(text, file, isFile);
  }

  next(): Item {
    const tokens: ConfToken[] = [];
    let letters = '';
    let last: ConfToken;
    do {
      last = this.#lexer.next();
      tokens.push(last);
      letters += LETTERS[last.type];
    } while (last.type === 'word' || last.type === 'quoted');
    const form = forms.get(letters);
    if (form) return { kind: form.kind, words: tokens.slice(0, form.words), place: last };
    const parsed = parseItem(tokens);
    if ('type' in parsed) return this.#malformed(parsed);
    const { kind, words, last: place } = parsed;
    const plain = words.every((word, index) => word === tokens[index]);
    if (plain && tokens.length <= LONGEST_FORM) forms.set(letters, { kind, words: words.length });
    return { kind, words, place };
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
