import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { entriesFromEnd, forwardedAddress, parseEndpoint } from '../../src/http/modules/forwarded.ts';
import { addressText } from '../../src/net/address-text.ts';
import { addressBytes, parseCidr } from '../../src/net/addresses.ts';
import { isTrusted } from '../../src/values/trusted.ts';

const texts: readonly (readonly [written: string, shown: string])[] = [
  ['192.0.2.1', '192.0.2.1'],
  ['010.01.2.1', '10.1.2.1'],
  ['2001:DB8:0:0::1', '2001:db8::1'],
  ['::', '::'],
  ['::1', '::1'],
  ['fe80::', 'fe80::'],
  ['::1:80', '::0.1.0.128'],
  ['::ffff:1.2.3.4', '::ffff:1.2.3.4'],
  ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
  ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
  ['1:0:3:4:5:6:7:8', '1:0:3:4:5:6:7:8'],
];
describe('an address as text', () => {
  for (const [written, shown] of texts) {
    it(`${written} is ${shown}`, () => {
      const bytes = addressBytes(written);
      assert.ok(bytes);
      assert.equal(addressText(bytes), shown);
    });
  }
});

const addresses: readonly (readonly [text: string, address: string | undefined, port: number])[] = [
  ['192.0.2.1', '192.0.2.1', 0],
  ['192.0.2.1:8080', '192.0.2.1', 8080],
  ['2001:db8::1', '2001:db8::1', 0],
  ['[2001:db8::1]:80', '2001:db8::1', 80],
  ['192.0.2.1:0', undefined, 0],
  ['192.0.2.1:65536', undefined, 0],
  ['[192.0.2.1]:80', '192.0.2.1', 80],
  ['[::1]', '::1', 0],
  ['unknown', undefined, 0],
  ['', undefined, 0],
];

describe('an address that a header names', () => {
  for (const [text, address, port] of addresses) {
    it(`${JSON.stringify(text)} is ${address ?? 'none'}`, () => {
      const found = parseEndpoint(text);
      const shown = found && { text: addressText(found.bytes), port: found.port };
      assert.deepEqual(shown, address === undefined ? undefined : { text: address, port });
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
  for (const [name, recursive, text, values, expected] of chains) {
    it(name, () => {
      const client = addressBytes(text);
      assert.ok(client);
      const found = forwardedAddress(isTrusted(client, trusted), values, trusted, recursive);
      assert.equal(found && addressText(found.bytes), expected);
    });
  }
});

const lists: readonly (readonly [value: string, entries: readonly string[]])[] = [
  ['a, b', ['b', 'a']],
  ['a , b , ', ['b', 'a']],
  ['a', ['a']],
  ['', ['']],
  [',a', [',a']],
];
describe('entries of a list, the nearest first', () => {
  for (const [value, entries] of lists) {
    it(JSON.stringify(value), () => assert.deepEqual(entriesFromEnd(value), entries));
  }
});
