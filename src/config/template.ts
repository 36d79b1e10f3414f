/** Values with variables, split into their parts; compiling them is the protocols' work. */
import moo from 'moo';
import { grammarOf, parse } from './earley.ts';
import rules from './grammar/template.ts';
import { Reason } from './reason.ts';

/** Text as it stands, a variable by name, or a capture (1 to 9) of the last regular expression. */
export type TemplatePart = string | { readonly variable: string } | { readonly capture: number };

const grammar = grammarOf(rules);
const lexer = moo.compile({
  text: { match: /[^$]+/, lineBreaks: true },
  capture: { match: /\$[1-9]/, value: (text) => text.slice(1) },
  variable: [
    { match: /\$[A-Za-z0-9_]+/, value: (text) => text.slice(1) },
    { match: /\$\{[A-Za-z0-9_]+\}/, value: (text) => text.slice(2, -1) },
  ],
  unclosed: {
    match: /\$\{[A-Za-z0-9_]*(?=[^A-Za-z0-9_}])|\$\{[A-Za-z0-9_]+/,
    value: (text) => text.slice(2),
  },
  nameless: /\$\{\}|\$\{|\$/,
});

/**
 * Splits a value into its parts; none for an empty text.
 * Throws a Reason: `invalid variable name`, `the closing bracket in "x" variable is missing`.
 */
export const parseTemplate = (text: string): readonly TemplatePart[] => {
  if (text === '') return [];
  if (!text.includes('$')) return [text];
  lexer.reset(text);
  const parsed = parse<readonly TemplatePart[], moo.Token>(grammar, () => lexer.next());
  if ('result' in parsed) return parsed.result;
  throw new Reason(
    parsed.refused?.type === 'unclosed'
      ? `the closing bracket in "${parsed.refused.value}" variable is missing`
      : 'invalid variable name',
  );
};
