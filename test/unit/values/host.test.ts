import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { validateHost } from '../../../src/values/host.ts';

const valid: readonly (readonly [text: string, host: string, port: number])[] = [
  ['a', 'a', 0],
  ['A.B', 'a.b', 0],
  ['a.', 'a', 0],
  ['.a', '.a', 0],
  ['a:80', 'a', 80],
  ['a:', 'a', 0],
  ['a:0', 'a', 0],
  ['a:00080', 'a', 80],
  ['a:65535', 'a', 65535],
  ['a.:80', 'a', 80],
  ['1.2.3.4', '1.2.3.4', 0],
  ['[::1]', '[::1]', 0],
  ['[::1]:80', '[::1]', 80],
  ['[::1]:', '[::1]', 0],
  ['[A::B]', '[a::b]', 0],
  ['[::g]', '[::g]', 0],
  ['[]', '[]', 0],
  ['a_b', 'a_b', 0],
  ['a%20b', 'a%20b', 0],
  ["~!$&'()*+,;=-", "~!$&'()*+,;=-", 0],
  ['*.a', '*.a', 0],
];

const refused = [
  '',
  '.',
  '..',
  'a..',
  'a..b',
  'a..:80',
  '.:80',
  ':80',
  'a:80x',
  'a:-1',
  'a:65536',
  'a:80:80',
  'a:80.',
]
  .concat([
    'a:8.0',
    '[::1]x',
    '[::1',
    '[::1].',
    '[a%1]',
    '[..]',
    'a b',
    'a/b',
    'a\\b',
    'a?b',
    'a#b',
    'a@b',
    'a"b',
  ])
  .concat(['a<b', 'a{b', 'a^b', 'a`b', 'a|b', 'a[b', 'a]b', 'a\x80', 'a\x01', 'a\x7f', 'a\t', ' a']);

describe('a valid host', () => {
  for (const [text, host, port] of valid) {
    it(text, () => {
      assert.deepEqual(validateHost(text), { host, port });
      assert.deepEqual(validateHost(text), { host, port }, 'the second time too');
    });
  }
  it('is told beyond what is remembered', () => {
    for (let i = 0; i < 2000; i++) assert.equal(validateHost(`H${i}.x:1`)?.host, `h${i}.x`);
    assert.equal(validateHost(`${'A'.repeat(5000)}`)?.host, 'a'.repeat(5000));
  });
});

describe('a host that is refused', () => {
  for (const text of refused) it(JSON.stringify(text), () => assert.equal(validateHost(text), undefined));
});
