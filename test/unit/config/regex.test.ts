import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileRegex } from '../../../src/config/regex.ts';

type Captures = readonly (string | undefined)[] | null;
const MATCHES: readonly (readonly [pattern: string, subject: string, captures: Captures, caseless?: true])[] =
  [
    ['\\.php$', '/x.php', []],
    ['\\.php$', '/x.php\n', []],
    ['\\.php$', '/x.php\n\n', null],
    ['^(a$)', 'a\n', ['a']],
    ['a\\z', 'a\n', null],
    ['a\\Z', 'a\n', []],
    ['\\Aa', 'ba', null],
    ['^/(.*)$', '/a\nb', null],
    ['a.b', 'a\rb', []],
    ['a.b', 'a\nb', null],
    ['(?s)a.b', 'a\nb', []],
    ['(?m)^b$', 'a\nb\nc', []],
    ['(?m)a\n^', 'a\n', null],
    ['foo', 'FOO', [], true],
    ['(?i)foo', 'FoO', []],
    ['(?i:a)b', 'Ab', []],
    ['(?i:a)b', 'AB', null],
    ['a(?i)b|c', 'C', []],
    ['(?-i)a', 'A', null, true],
    ['(?i)[a-c]+$', 'aBC', []],
    ['(?i)[^a]', 'A', null],
    ['\u00e9', '\u00c9', null, true],
    ['(a)\\1', 'aA', ['a'], true],
    ['(?<n>a)(b)(?P<m>c)', 'abc', ['a', 'b', 'c']],
    ["(?'n'a)\\k{n}", 'aa', ['a']],
    ['(?P<n>a)(?P=n)', 'aa', ['a']],
    ['(a)(b)\\g{-1}', 'abb', ['a', 'b']],
    ['(a)\\10', 'a\b', ['a']],
    ['a++a', 'aaa', null],
    ['(?>a+)b', 'aab', []],
    ['(a++)(b)', 'aab', ['aa', 'b']],
    ['((?>x)(y))\\2', 'xyy', ['xy', 'y']],
    ['(?>a*)(?<k>b)\\k<k>', 'aabb', ['b']],
    ['a{1,2}+a', 'aa', null],
    ['a{,2}', 'a{,2}', []],
    ['^\\h+$', '\t \u00a0', []],
    ['^\\s+$', ' \u00a0', null],
    ['a\\Rb', 'a\r\nb', []],
    ['a\\R\\n', 'a\r\n', null],
    ['\\Qa.b\\E+', 'a.bb', []],
    ['\\Qa.b', 'axb', null],
    ['^[]a]+$', ']a]', []],
    ['^[^]a]+$', 'b]', null],
    ['^[[:alpha:]_]+$', 'aZ_', []],
    ['^[[:^digit:]]+$', 'a1', null],
    ['^[\\w-]+$', 'a-b', []],
    ['^[\\Qa-z\\E]+$', 'a-z', []],
    ['^[\\Qa-z\\E]+$', 'b', null],
    ['\\x{41}\\x42\\103', 'ABC', []],
    ['a(?#comment)+b', 'aab', []],
    ['(?x) a  b # c\n c', 'abc', []],
    ['(?n)(a)(?<z>b)', 'ab', ['b']],
    ['(?U)^(a+)', 'aaa', ['a']],
    ['(a)|(b)', 'b', [undefined, 'b']],
    ['(?<!a)b', 'ab', null],
  ];
for (const [pattern, subject, captures, caseless] of MATCHES) {
  test(`${pattern} ${captures ? 'matches' : 'does not match'} ${JSON.stringify(subject)}`, () => {
    const found = compileRegex(pattern, { caseless: caseless === true }).regexp.exec(subject);
    assert.deepEqual(found && [...found].slice(1), captures);
  });
}

test('names the groups by their numbers, whatever groups the translation adds', () => {
  const { names, captures } = compileRegex('(x)(?<a>y++)(?P<b>z)');
  assert.deepEqual(names, [
    ['a', 2],
    ['b', 3],
  ]);
  assert.equal(captures, 3);
});

test('a name may be used twice where the pattern says so', () => {
  assert.deepEqual(compileRegex('(?J)(?<a>x)|(?<a>y)').names, [
    ['a', 1],
    ['a', 2],
  ]);
});

const ERRORS: readonly (readonly [pattern: string, reason: string, rest?: string])[] = [
  ['(', 'missing closing parenthesis'],
  ['a)b', 'unmatched closing parenthesis', ')b'],
  ['[a', 'missing terminating ] for character class'],
  ['*a', 'quantifier does not follow a repeatable item', '*a'],
  ['a**', 'quantifier does not follow a repeatable item', '*'],
  ['[z-a]', 'range out of order in character class', 'a]'],
  ['[\\w-.]', 'invalid range in character class', '-.]'],
  ['a{3,2}', 'numbers out of order in {} quantifier', '}'],
  ['a{99999}', 'number too big in {} quantifier', '}'],
  ['a\\', '\\ at end of pattern'],
  ['\\y', 'unrecognized character follows \\', 'y'],
  ['(?z)', 'unrecognized character after (? or (?-', 'z)'],
  ['(?<1>a)', 'subpattern name must start with a non-digit', '1>a)'],
  ['(?<a', 'syntax error in subpattern name (missing terminator?)'],
  ['(?<a>x)(?<a>y)', 'two named subpatterns have the same name (PCRE2_DUPNAMES not set)', 'y)'],
  ['[[:foo:]]', 'unknown POSIX class name', 'foo:]]'],
  ['[:alpha:]', 'POSIX named classes are supported only within a class', '[:alpha:]'],
  ['(a)\\2', 'reference to non-existent subpattern', '2'],
  ['(?#a', 'missing ) after (?# comment'],
  ['a(?R)?', 'calling a group as a subroutine is not supported', '(?R)?'],
  ['(*UTF8)a', 'verbs such as (*UTF) are not supported', '(*UTF8)a'],
  ['\\1(a)', 'a back reference before the end of its group is not supported', '1(a)'],
  ['(a|b\\1)', 'a back reference before the end of its group is not supported', '1)'],
  ['(?(1)a|b)', 'conditional groups are not supported', '(?(1)a|b)'],
];
for (const [pattern, reason, rest] of ERRORS) {
  test(`refuses ${pattern}: ${reason}`, () => {
    const at = rest === undefined ? '' : ` at "${rest}"`;
    const message = `pcre2_compile() failed: ${reason} in "${pattern}"${at}`;
    assert.throws(() => compileRegex(pattern), { name: 'Reason', message });
  });
}
