import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseCidr } from '../../src/http/modules/addresses.ts';
import { forwardedAddress, parseAddress } from '../../src/http/modules/realip.ts';

const addresses: readonly (readonly [text: string, address: string | undefined, port: number])[] = [
  ['192.0.2.1', '192.0.2.1', 0],
  ['192.0.2.1:8080', '192.0.2.1', 8080],
  ['2001:db8::1', '2001:db8::1', 0],
  ['[2001:db8::1]:80', '2001:db8::1', 80],
  ['192.0.2.1:0', undefined, 0],
  ['192.0.2.1:65536', undefined, 0],
  ['[192.0.2.1]:80', undefined, 0],
  ['unknown', undefined, 0],
  ['', undefined, 0],
];

describe('an address that a header names', () => {
  for (const [text, address, port] of addresses) {
    it(`${JSON.stringify(text)} is ${address ?? 'none'}`, () => {
      assert.deepEqual(parseAddress(text), address === undefined ? undefined : { text: address, port });
    });
  }
});

const trusted = ['127.0.0.1', '10.0.0.0/8'].flatMap((text) => parseCidr(text) ?? []);

const chains: readonly (readonly [
  name: string,
  recursive: boolean,
  client: string,
  values: readonly string[],
  found: string | undefined,
])[] = [
  ['the last hop counts', false, '127.0.0.1', ['1.1.1.1, 2.2.2.2'], '2.2.2.2'],
  ['a client that is not trusted stays', false, '9.9.9.9', ['1.1.1.1'], undefined],
  ['a mapped client is its IPv4 address', false, '::ffff:127.0.0.1', ['1.1.1.1'], '1.1.1.1'],
  ['what is no address stays', false, '127.0.0.1', ['unknown'], undefined],
  ['recursion passes trusted hops', true, '127.0.0.1', ['1.1.1.1, 2.2.2.2, 10.1.1.1'], '2.2.2.2'],
  ['recursion stops at what is no address', true, '127.0.0.1', ['1.1.1.1, foo, 10.1.1.1'], '10.1.1.1'],
  [
    'recursion takes the first hop when all are trusted',
    true,
    '127.0.0.1',
    ['10.0.0.2, 10.0.0.1'],
    '10.0.0.2',
  ],
  ['the last line is the nearest', true, '127.0.0.1', ['3.3.3.3', '10.0.0.1'], '3.3.3.3'],
  ['without recursion only the last line', false, '127.0.0.1', ['3.3.3.3', '10.0.0.1'], '10.0.0.1'],
];

describe('the address behind trusted balancers', () => {
  for (const [name, recursive, text, values, found] of chains) {
    it(name, () => {
      assert.equal(forwardedAddress(trusted, recursive, { text, unix: false }, values)?.text, found);
    });
  }
  it('a client of a unix socket is trusted by unix:', () => {
    assert.equal(forwardedAddress(['unix'], false, { text: '', unix: true }, ['1.1.1.1'])?.text, '1.1.1.1');
    assert.equal(forwardedAddress(trusted, false, { text: '', unix: true }, ['1.1.1.1']), undefined);
  });
});
