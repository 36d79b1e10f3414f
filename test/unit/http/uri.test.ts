import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { escapeUri, normalizeTarget, unescapeUri } from '../../../src/http/uri.ts';

/** Each result as nginx 1.31.5 has it in $uri and $args; undefined: 400. */
const cases: readonly (readonly [target: string, uri: string | undefined, args?: string])[] = [
  ['/', '/'],
  ['/a', '/a'],
  ['/a?b', '/a', 'b'],
  ['?x', '/', 'x'],
  ['/a?b#c?d', '/a', 'b'],
  ['/a#b?c', '/a'],
  ['/%23?x', '/#', 'x'],
  ['/a%3fb?c', '/a?b', 'c'],
  ['/a%25b', '/a%b'],
  ['/a%2525', '/a%25'],
  ['/a%252e%252e/', '/a%2e%2e/'],
  ['/a%20b%7f%ff%0a', '/a b\x7f\xff\n'],
  ['/a+b', '/a+b'],
  ['/?%zz%00', '/', '%zz%00'],
  ['/%', undefined],
  ['/%1', undefined],
  ['/%zz', undefined],
  ['/%1z', undefined],
  ['/%00', undefined],
  ['/a%2fb', '/a/b'],
  ['/a%2f%2Fb', '/a/b'],
  ['/a%2f/b', '/a/b'],
  ['/a%2f..%2fb', '/b'],
  ['/a/%2e%2E/b', '/b'],
  ['/a/.%2e/b', '/b'],
  ['/a/%2e', '/a/'],
  ['/.', '/'],
  ['/./', '/'],
  ['/./a', '/a'],
  ['/a/.', '/a/'],
  ['/a/..', '/'],
  ['/a/../', '/'],
  ['/a/b/../../c', '/c'],
  ['/a/...', '/a/...'],
  ['/a/.../b', '/a/.../b'],
  ['/.a', '/.a'],
  ['/..a', '/..a'],
  ['/a./b', '/a./b'],
  ['/a../b', '/a../b'],
  ['/a/.b/..', '/a/'],
  ['/a/.?x', '/a/', 'x'],
  ['/a/..?x', '/', 'x'],
  ['/a/.#x', '/a/'],
  ['/a/.%23', '/a/.#'],
  ['/a/..%3f', '/a/..?'],
  ['/a/./?b//c', '/a/', 'b//c'],
  ['/..', undefined],
  ['/../', undefined],
  ['/../a', undefined],
  ['/a/../..', undefined],
  ['/a/../../b', undefined],
  ['/%2e%2e', undefined],
  ['/%2F%2E%2E', undefined],
  ['//', '/'],
  ['//a', '/a'],
  ['/a//', '/a/'],
  ['/a///b', '/a/b'],
  ['/a//../b', '/b'],
  ['/a//./b', '/a/b'],
  ['/a/..//b', '/b'],
  ['///../a', undefined],
  ['//?x', '/', 'x'],
];

/** Where slashes are not merged. */
const apart: readonly (readonly [target: string, uri: string | undefined])[] = [
  ['//', '//'],
  ['//a', '//a'],
  ['/a///b', '/a///b'],
  ['/a%2f%2fb', '/a//b'],
  ['/a//../b', '/a/b'],
  ['/a//./b', '/a//b'],
  ['/a//..', '/a/'],
  ['//../a', '/a'],
  ['///../a', '//a'],
  ['/../a', undefined],
];

describe('a target that needs care', () => {
  for (const [target, uri, args = ''] of cases) {
    it(target, () =>
      assert.deepEqual(normalizeTarget(target, true), uri === undefined ? undefined : { uri, args }),
    );
  }
  for (const [target, uri] of apart) {
    it(`${target} without merge_slashes`, () => assert.equal(normalizeTarget(target, false)?.uri, uri));
  }
});

describe('escaping', () => {
  const every = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));
  const kept = (kind: 'uri' | 'args' | 'component'): string =>
    every.filter((c) => escapeUri(c, kind) === c).join('');
  const word = '-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~';
  const sorted = (text: string): string => [...text].sort().join('');

  it('leaves in a path what ngx_escape_uri leaves there', () =>
    assert.equal(kept('uri'), sorted(`${word}!$&'()*+,/:;=@[]`)));
  it('leaves in arguments what it leaves there', () =>
    assert.equal(kept('args'), sorted(`${word}!$'()*,/:=@[]`)));
  it('leaves in a component the unreserved characters', () => assert.equal(kept('component'), sorted(word)));
  it('writes two digits in upper case', () => assert.equal(escapeUri('/a b\n\xff%'), '/a%20b%0A%FF%25'));
  it('is undone by unescaping', () => {
    for (const kind of ['uri', 'args', 'component'] as const)
      assert.equal(unescapeUri(escapeUri(every.join(''), kind)), every.join(''));
  });
});

describe('unescaping', () => {
  const table: readonly (readonly [text: string, plain: string])[] = [
    ['', ''],
    ['abc', 'abc'],
    ['a%20b', 'a b'],
    ['%41%6a%6A', 'Ajj'],
    ['%2541', '%41'],
    ['+', '+'],
    ['%00%ff', '\0\xff'],
  ];
  for (const [text, plain] of table) it(JSON.stringify(text), () => assert.equal(unescapeUri(text), plain));
});
