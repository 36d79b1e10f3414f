import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AnyModule,
  ConfError,
  defineModule,
  directive,
  type Parser,
} from '../../../src/config/contract.ts';
import {
  access,
  bufs,
  enumOf,
  flag,
  keyValue,
  msec,
  num,
  offOr,
  path,
  size,
  str,
  strings,
  words,
  wordsOf,
} from '../../../src/config/parsers.ts';
import { loadTexts } from './modules.ts';

/** What a parser makes of the statements of a configuration that all begin with `x`; or the reasons. */
const parse = (parser: Parser<unknown>, text: string): unknown => {
  const module: AnyModule = defineModule({
    name: 'test',
    directives: { x: directive(parser, { in: ['main'], initial: undefined }) },
  });
  const { main, errors, warnings } = loadTexts({ 'nginx.conf': text }, { modules: [module] });
  if (errors.length > 0) return errors.map(({ reason }) => reason);
  const value = main.own.get(module)?.x;
  return warnings.length > 0 ? [value, ...warnings.map(({ reason }) => reason)] : value;
};

const bounded = num({ min: 1, max: 9 });
const ROWS: readonly (readonly [name: string, parser: Parser<unknown>, text: string, value: unknown])[] = [
  ['flag', flag, 'x ON;', true],
  ['flag', flag, 'x off;', false],
  ['flag', flag, 'x yes;', ['invalid value "yes" in "x" directive, it must be "on" or "off"']],
  ['flag', flag, 'x on on;', ['invalid number of arguments in "x" directive']],
  ['flag', flag, 'x on; x on;', ['"x" directive is duplicate']],
  ['num', num(), 'x 5;', 5],
  ['num', num(), 'x 5a;', ['"x" directive invalid number']],
  ['num', bounded, 'x 10;', ['value must be between 1 and 9']],
  ['num', num({ min: 2 }), 'x 1;', ['value must be equal to or greater than 2']],
  ['size', size, 'x 8k;', 8192],
  ['size', size, 'x 8q;', ['"x" directive invalid value']],
  ['msec', msec, 'x 1m30s;', 90_000],
  ['str', str, 'x "a b";', 'a b'],
  ['strings', strings, 'x a; x b;', ['a', 'b']],
  ['words', words, 'x a b;', ['a', 'b']],
  ['words', words, 'x;', ['invalid number of arguments in "x" directive']],
  [
    'keyValue',
    keyValue,
    'x a b; x c "";',
    [
      { key: 'a', value: 'b' },
      { key: 'c', value: '' },
    ],
  ],
  ['enumOf', enumOf('off', 'Exact'), 'x exact;', 'Exact'],
  ['enumOf', enumOf('off', 'Exact'), 'x no;', ['invalid value "no"']],
  ['wordsOf', wordsOf('a', 'b'), 'x A b;', ['a', 'b']],
  ['wordsOf', wordsOf('a', 'b'), 'x a; x b;', ['a', 'b']],
  ['wordsOf', wordsOf('a', 'b'), 'x a a;', [['a'], 'duplicate value "a"']],
  ['wordsOf', wordsOf('a', 'b'), 'x c;', ['invalid value "c"']],
  ['bufs', bufs, 'x 8 4k;', { number: 8, size: 4096 }],
  ['bufs', bufs, 'x 0 4k;', ['"x" directive invalid value']],
  ['path', path, 'x temp/ 1 2;', { path: '/p/temp', levels: [1, 2] }],
  ['path', path, 'x /temp 0;', ['"x" directive invalid value']],
  ['path', path, 'x /temp 9 9 9;', ['"x" directive invalid value']],
  ['access', access, 'x group:rw all:r;', 0o664],
  ['access', access, 'x user:r;', 0o400],
  ['access', access, 'x user:w;', ['invalid value "user:w"']],
  ['offOr', offOr(size), 'x off;', undefined],
  ['offOr', offOr(size), 'x 1k;', 1024],
];
for (const [name, parser, text, value] of ROWS) {
  test(`${name} reads "${text}"`, () => assert.deepEqual(parse(parser, text), value));
}

test('a wrong word is what the error points at', () => {
  const module = defineModule({
    name: 'test',
    directives: { x: directive(size, { in: ['main'], initial: 0 }) },
  });
  const [error] = loadTexts({ 'nginx.conf': 'x\n  8q\n;' }, { modules: [module] }).errors;
  assert.ok(error instanceof ConfError);
  assert.equal(error.place?.line, 3);
  assert.deepEqual([error.at?.line, error.at?.column], [2, 3]);
});
