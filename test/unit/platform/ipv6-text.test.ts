/** IPv6 addresses as text. */
import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import { test } from 'node:test';
import { addressBytes } from '../../../src/net/addresses.ts';
import { ipv6Text } from '../../../src/platform/ipv6-text.ts';

test('IPv6 addresses are written as short as can be', () => {
  for (const text of [
    '::',
    '::1',
    '1::',
    '2001:db8::1',
    '1:0:2:3:4:5:6:7',
    '1:0:0:2::3',
    '1::2:0:0:3',
    '::ffff:127.0.0.1',
    '0:1:2:3:4:5:6:7',
    'fe80::a:b:c:d',
    '1:2:3:4:5:6:7:8',
  ]) {
    assert.ok(isIPv6(text));
    assert.equal(ipv6Text(Buffer.from(addressBytes(text) ?? [])), text);
  }
});
