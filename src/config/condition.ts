/** The condition of `if`, from the words between the name and the `{`. */
import type { Word } from './contract.ts';
import { grammarOf, parse } from './earley.ts';
import rules from './grammar/condition.ts';
import { Reason } from './reason.ts';

/** Names are without `$`; `value` and `path` may hold variables, `pattern` is a regular expression. */
export type Condition =
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'equal'; readonly negated: boolean; readonly name: string; readonly value: string }
  | {
      readonly kind: 'match';
      readonly negated: boolean;
      readonly caseless: boolean;
      readonly name: string;
      readonly pattern: string;
    }
  | {
      readonly kind: 'file';
      readonly negated: boolean;
      /** `f` a plain file, `d` a folder, `e` anything that exists, `x` executable. */
      readonly test: 'f' | 'd' | 'e' | 'x';
      readonly path: string;
    };

const grammar = grammarOf(rules);

const invalid = (text: string): never => {
  throw new Reason(`invalid condition "${text}"`);
};

/** The words without the parentheses around them, which may stand alone or touch a word. */
const unwrap = (words: readonly Word[]): string[] => {
  const texts = words.map((word) => word.text);
  const first = texts[0] ?? '';
  if (!first.startsWith('(')) invalid(first);
  texts[0] = first.slice(1);
  const last = texts.at(-1) ?? '';
  if (!last.endsWith(')')) invalid(words.at(-1)?.text === '(' ? '(' : last);
  texts[texts.length - 1] = last.slice(0, -1);
  if (texts[0] === '') texts.shift();
  if (texts.at(-1) === '') texts.pop();
  return texts;
};

/** nginx's verdict on words that are no condition: what is looked at first is what is named. */
const explain = (words: readonly string[]): never => {
  const [first = ')', second = ''] = words;
  if (!/^\$[\s\S]/.test(first) || (words.length !== 1 && words.length !== 3)) return invalid(first);
  throw new Reason(`unexpected "${second}" in condition`);
};

/** Reads a condition. Throws a Reason: `invalid condition "x"`, `unexpected "x" in condition`. */
export const parseCondition = (words: readonly Word[]): Condition => {
  const texts = unwrap(words);
  let next = 0;
  const parsed = parse<Condition, { value: string }>(grammar, () => {
    const value = texts[next];
    next += 1;
    return value === undefined ? undefined : { value };
  });
  return 'result' in parsed ? parsed.result : explain(texts);
};
