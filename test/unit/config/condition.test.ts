import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Condition, parseCondition } from '../../../src/config/condition.ts';
import { StatementReader } from '../../../src/config/statements.ts';

const parse = (text: string): Condition => {
  const item = new StatementReader(`if ${text} {`, 'x').next();
  return parseCondition(item.kind === 'open' ? item.words.slice(1) : []);
};

const CONDITIONS: readonly (readonly [text: string, condition: Condition])[] = [
  ['($a)', { kind: 'variable', name: 'a' }],
  ['( $a )', { kind: 'variable', name: 'a' }],
  ['($a = b)', { kind: 'equal', negated: false, name: 'a', value: 'b' }],
  ['($a != "$b c")', { kind: 'equal', negated: true, name: 'a', value: '$b c' }],
  ['($a = "")', { kind: 'equal', negated: false, name: 'a', value: '' }],
  ['($a ~ ^/x$)', { kind: 'match', negated: false, caseless: false, name: 'a', pattern: '^/x$' }],
  ['($a ~* (b|c))', { kind: 'match', negated: false, caseless: true, name: 'a', pattern: '(b|c)' }],
  ['($a !~ "b c")', { kind: 'match', negated: true, caseless: false, name: 'a', pattern: 'b c' }],
  ['($a !~* b)', { kind: 'match', negated: true, caseless: true, name: 'a', pattern: 'b' }],
  ['(-f $a)', { kind: 'file', negated: false, test: 'f', path: '$a' }],
  ['(!-d $a/b)', { kind: 'file', negated: true, test: 'd', path: '$a/b' }],
  ['( -e $a )', { kind: 'file', negated: false, test: 'e', path: '$a' }],
  ['(!-x $a)', { kind: 'file', negated: true, test: 'x', path: '$a' }],
];
for (const [text, condition] of CONDITIONS) {
  test(`reads ${text}`, () => assert.deepEqual(parse(text), condition));
}

const ERRORS: readonly (readonly [text: string, reason: string])[] = [
  ['$a', 'invalid condition "$a"'],
  ['($a', 'invalid condition "$a"'],
  ['(', 'invalid condition "("'],
  ['()', 'invalid condition ")"'],
  ['( )', 'invalid condition ")"'],
  ['($)', 'invalid condition "$"'],
  ['(a)', 'invalid condition "a"'],
  ['(a = b)', 'invalid condition "a"'],
  ['($a = b c)', 'invalid condition "$a"'],
  ['($a =)', 'invalid condition "$a"'],
  ['($a == b)', 'unexpected "==" in condition'],
  ['(-f)', 'invalid condition "-f"'],
  ['(-f a b)', 'invalid condition "-f"'],
  ['(-q a)', 'invalid condition "-q"'],
  ['(!-q a)', 'invalid condition "!-q"'],
];
for (const [text, reason] of ERRORS) {
  test(`refuses ${text}: ${reason}`, () =>
    assert.throws(() => parse(text), { name: 'Reason', message: reason }));
}
