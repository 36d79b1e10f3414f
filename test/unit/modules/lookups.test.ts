import assert from 'node:assert/strict';
import { test } from 'node:test';
import { argumentValue, lineValue } from '../../../src/http/modules/header-value.ts';
import { escapeDefault, escapeJson } from '../../../src/http/modules/log-format.ts';
import { addressBytes, inCidr, parseCidr, unmapped } from '../../../src/net/addresses.ts';
import { HostTable } from '../../../src/values/host-table.ts';
import { murmurHash2 } from '../../../src/values/murmur-hash.ts';

const ranges: readonly (readonly [range: string, address: string, expected: boolean])[] = [
  ['10.0.0.0/8', '10.255.0.1', true],
  ['10.0.0.0/8', '11.0.0.1', false],
  ['192.168.1.1', '192.168.1.1', true],
  ['192.168.1.0/25', '192.168.1.128', false],
  ['0.0.0.0/0', '1.2.3.4', true],
  ['2001:db8::/32', '2001:db8:1::1', true],
  ['2001:db8::/32', '2001:db9::1', false],
  ['::1', '::1', true],
  ['10.0.0.0/8', '::ffff:10.0.0.1', true],
];
for (const [range, address, expected] of ranges) {
  test(`${address} in ${range}`, () => {
    const cidr = parseCidr(range);
    const bytes = addressBytes(address);
    assert.ok(cidr && bytes);
    assert.equal(inCidr(unmapped(bytes), cidr), expected);
  });
}

for (const text of ['10.0.0.0/33', '10.0.0', 'localhost', '::1/129', '10.0.0.0/']) {
  test(`${text} is no range`, () => assert.equal(parseCidr(text), undefined));
}

test('bits behind the length of a range are noticed', () =>
  assert.equal(parseCidr('10.1.0.0/8')?.strayBits, true));

test('names with a wildcard: the longest fits, heads before tails', () => {
  const table = new HostTable<string>();
  assert.equal(table.add('*.example.org', 'head'), undefined);
  assert.equal(table.add('*.www.example.org', 'longer'), undefined);
  assert.equal(table.add('.example.com', 'bare'), undefined);
  assert.equal(table.add('www.example.*', 'tail'), undefined);
  assert.equal(table.add('*.example.com', 'again'), 'conflict');
  assert.equal(table.add('a.*.org', 'x'), 'invalid');
  assert.equal(table.find('a.example.org'), 'head');
  assert.equal(table.find('a.b.www.example.org'), 'longer');
  assert.equal(table.find('example.org'), undefined);
  assert.equal(table.find('example.com'), 'bare');
  assert.equal(table.find('x.example.com'), 'bare');
  assert.equal(table.find('www.example.net'), 'tail');
});

test('arguments by name', () => {
  assert.equal(argumentValue('a=1&b=2', 'b'), '2');
  assert.equal(argumentValue('A=1', 'a'), '1');
  assert.equal(argumentValue('ab=1&b', 'b'), undefined);
  assert.equal(argumentValue('b=', 'b'), '');
});

test('lines of the same name are joined', () => {
  assert.equal(lineValue(['X-A', '1', 'X-B', '2', 'x-a', '3'], 'x_a'), '1, 3');
});

test('what a log line must not hold is escaped', () => {
  assert.equal(escapeDefault('a"b\\c\n\xff'), 'a\\x22b\\x5Cc\\x0A\\xFF');
  assert.equal(escapeDefault(undefined), '-');
  assert.equal(escapeJson('a"b\\c\n\x01\xff'), 'a\\"b\\\\c\\n\\u0001\xff');
  assert.equal(escapeJson(undefined), '');
});

test('hashes are those of MurmurHash2', () => {
  assert.equal(murmurHash2(Buffer.from('')), 0);
  assert.equal(murmurHash2(Buffer.from('a')), 0x92685f5e);
});
