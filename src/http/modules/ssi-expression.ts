/** The expression of SSI's `if`: `$name`, `$name = text`, `$name != /pattern/`. */
import moo from 'moo';
import { grammarOf, parse } from '../../config/earley.ts';
import rules from '../../config/grammar/ssi-expression.ts';

/** `left`, `text` and `pattern` may hold variables. Without `text` and `pattern`: whether `left` is empty. */
export interface SsiExpression {
  readonly left: string;
  readonly negated?: boolean;
  readonly text?: string;
  readonly pattern?: string;
}

const grammar = grammarOf(rules);
const lexer = moo.states({
  left: {
    operand: /[A-Za-z0-9${}_"']+/,
    blank: / +/,
    equal: { match: /!?= */, value: (text) => text.trimEnd(), next: 'right' },
    other: { match: /[\s\S]/, lineBreaks: true },
  },
  right: {
    regex: { match: /\/[\s\S]*\/(?![\s\S])/, lineBreaks: true, value: (text) => text.slice(1, -1) },
    other: { match: /\/[\s\S]+/, lineBreaks: true },
    text: {
      match: /[\s\S]+/,
      lineBreaks: true,
      value: (text) => (text.startsWith('\\/') && text.length > 2 ? text.slice(1) : text),
    },
  },
});

const MOST_KNOWN = 1000;
const known = new Map<string, SsiExpression | undefined>();

/** Reads an expression; undefined for one that is invalid. */
export const parseSsiExpression = (source: string): SsiExpression | undefined => {
  if (known.has(source)) return known.get(source);
  lexer.reset(source);
  const parsed = parse<SsiExpression, moo.Token>(grammar, () => {
    let token = lexer.next();
    while (token?.type === 'blank') token = lexer.next();
    return token;
  });
  const result = 'result' in parsed ? parsed.result : undefined;
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(source, result);
  return result;
};
