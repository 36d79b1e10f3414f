import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeadersOut } from '../../../src/http/headers.ts';
import { bareType } from '../../../src/http/mime-types.ts';
import { setType } from '../../../src/upstream/reply-type.ts';

const types: readonly (readonly [value: string, bare: string, charset: string])[] = [
  ['text/html', 'text/html', ''],
  ['text/html; charset=utf-8', 'text/html', 'utf-8'],
  ['text/html; charset=utf-8', 'text/html', 'utf-8'],
  ['text/html;charset="KOI8-R"', 'text/html', 'KOI8-R'],
  ['text/html; level=1; Charset=x', 'text/html; level=1', 'x'],
  ['text/html; level=1', 'text/html; level=1', ''],
  ['text/html ; charset=x', 'text/html ', 'x'],
  ['text/html; ', 'text/html; ', ''],
];
for (const [value, bare, charset] of types) {
  test(`the type ${value}`, () => {
    const out = new HeadersOut();
    setType(out, value);
    assert.equal(out.sentType, value);
    assert.equal(bareType(out), bare);
    assert.equal(out.charset, charset);
  });
}
