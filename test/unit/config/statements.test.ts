import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatementReader } from '../../../src/config/statements.ts';

/** The items of a text, each as its words joined by `|` and its terminator. */
const read = (text: string): string[] => {
  const reader = new StatementReader(text, 'x');
  const items: string[] = [];
  for (;;) {
    const item = reader.next();
    if (item.kind === 'end') return items;
    if (item.kind === 'malformed') return [...items, `${item.reason} @${item.place.line}`];
    const mark = { statement: ';', open: '{', close: '}' }[item.kind];
    items.push(item.words.map((word) => word.text).join('|') + mark);
  }
};

const WORDS: readonly (readonly [name: string, text: string, items: readonly string[]])[] = [
  ['plain words', 'a b  c;', ['a|b|c;']],
  ['a value over several lines', 'a b\n  c\r\n\td;', ['a|b|c|d;']],
  ['a block', 'a { b; }', ['a{', 'b;', '}']],
  ['comments', '# x\na # ; {\nb;#', ['a|b;']],
  ['a hash inside a word', 'a b#c;', ['a|b#c;']],
  ['a byte order mark', '\u00ef\u00bb\u00bfa;', ['a;']],
  ['double quotes', 'a "b; {c} #d" ;', ['a|b; {c} #d;']],
  ['single quotes', 'a \'b "c"\';', ['a|b "c";']],
  ['an empty quoted word', 'a "";', ['a|;']],
  ['a quote inside a word', 'a b"c d";', ['a|b"c|d";']],
  ['a line break in quotes', 'a "b\nc";', ['a|b\nc;']],
  ['escaped quotes', String.raw`a "b\"c" 'd\'e' f\"g;`, ['a|b"c|d\'e|f"g;']],
  ['escapes that stand for bytes', String.raw`a \t\r\n\\;`, ['a|\t\r\n\\;']],
  ['an escape that keeps its backslash', String.raw`a \.php$ \x "\d";`, [String.raw`a|\.php$|\x|\d;`]],
  ['escaped separators', String.raw`a b\ c\;\{ d;`, [String.raw`a|b\ c\;\{|d;`]],
  ['a variable in braces', 'a ${b}c;', ['a|${b}c;']],
  ['a variable at a block', 'a $b {', ['a|$b{']],
  ['a brace behind a dollar', 'a ^/x${b{c};', ['a|^/x${b{', 'c};']],
  ['a closing brace inside a word', 'a b}c;', ['a|b}c;']],
  ['a parenthesis behind quotes', 'a ("b") {', ['a|("b"){']],
  ['a parenthesis that ends quotes', 'a (b = "c") {', ['a|(b|=|c|){']],
  ['bytes beyond ASCII', 'a \u00c3\u00a9;', ['a|\u00c3\u00a9;']],
];

for (const [name, text, items] of WORDS) {
  test(`reads ${name}`, () => assert.deepEqual(read(text), items));
}

test('a place is the line of the terminator, a word its own', () => {
  const item = new StatementReader('\n a\n  "b\nc"\n;', 'x').next();
  assert.equal(item.kind, 'statement');
  assert.equal(item.place.line, 5);
  const words = item.kind === 'statement' ? item.words : [];
  assert.deepEqual(
    words.map(({ line, column, quoted }) => ({ line, column, quoted })),
    [
      { line: 2, column: 2, quoted: false },
      { line: 3, column: 3, quoted: true },
    ],
  );
});

const long = (count: number): string => 'a'.repeat(count);
const LONG: readonly (readonly [name: string, text: string, items: readonly string[]])[] = [
  [
    'accepts the longest word',
    `x ${long(4095)};\ny`,
    [`x|${long(4095)};`, 'unexpected end of file, expecting ";" or "}" @2'],
  ],
  ['refuses a longer word', `x ${long(4096)};\ny`, ['too long parameter "aaaaaaaaaa..." started @1']],
  [
    'counts the space behind a word',
    `x ${long(4095)} ;\ny`,
    ['too long parameter "aaaaaaaaaa..." started @1'],
  ],
  ['refuses a long comment', `\n#${long(4095)}\nx`, ['too long parameter "#aaaaaaaaa..." started @2']],
  [
    'names the quote that is missing',
    `x "${long(2500)}\n${long(2500)};\n`,
    ['too long parameter, probably missing terminating """ character @1'],
  ],
  ['counts the closing quote', `x '${long(4095)}';\ny`, ['too long parameter "aaaaaaaaaa..." started @1']],
  [
    'has no limit at the end of the file',
    `x ${long(4096)}`,
    ['unexpected end of file, expecting ";" or "}" @1'],
  ],
];
for (const [name, text, items] of LONG) {
  test(name, () => assert.deepEqual(read(text), items));
}

test('the text of -g has no lines and no limit', () => {
  const reader = new StatementReader(`x\n${long(5000)}; y`, 'command line', false);
  assert.equal(reader.next().place.line, 0);
  const item = reader.next();
  assert.equal(item.kind === 'malformed' && item.reason, 'unexpected end of parameter, expecting ";"');
});

test('a body of Lua is skipped, whatever braces its strings and comments hold', () => {
  const reader = new StatementReader('access_by_lua_block { a = "}" -- }\n b = [[ } ]] c = { } } next;', 'x');
  assert.equal(reader.next().kind, 'open');
  assert.ok(reader.skipBody('access_by_lua_block'));
  const item = reader.next();
  assert.equal(item.kind === 'statement' && item.words[0]?.text, 'next');
});
