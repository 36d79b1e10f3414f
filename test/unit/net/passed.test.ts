import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Endpoint, isAnywhere, listensAt } from '../../../src/net/passed.ts';

const at = (family: Endpoint['family'], address: string, port = 0): Endpoint => ({ family, address, port });

describe('which socket takes what is for an address', () => {
  const table: readonly (readonly [own: Endpoint, to: Endpoint, expected: boolean])[] = [
    [at('ipv4', '127.0.0.1', 80), at('ipv4', '127.0.0.1', 80), true],
    [at('ipv4', '127.0.0.1', 80), at('ipv4', '127.0.0.1', 81), false],
    [at('ipv4', '127.0.0.1', 80), at('ipv4', '0.0.0.0', 80), false],
    [at('ipv4', '0.0.0.0', 80), at('ipv4', '192.0.2.1', 80), true],
    [at('ipv4', '0.0.0.0', 80), at('ipv6', '::1', 80), false],
    [at('ipv6', '::', 80), at('ipv6', '2001:db8::1', 80), true],
    [at('ipv6', '::1', 80), at('ipv6', '0:0:0:0:0:0:0:1', 80), true],
    [at('ipv6', '::1', 80), at('ipv6', '::2', 80), false],
    [at('unix', '/a'), at('unix', '/a'), true],
    [at('unix', '/a'), at('unix', '/b'), false],
  ];
  for (const [own, to, expected] of table) {
    it(`${own.family} ${own.address}:${own.port}, for ${to.address}:${to.port}`, () =>
      assert.equal(listensAt(own, to), expected));
  }
});

it('addresses that stand for all of their family', () => {
  for (const address of ['0.0.0.0', '::', '0:0:0:0:0:0:0:0'])
    assert.ok(isAnywhere(at(address.includes(':') ? 'ipv6' : 'ipv4', address)), address);
  assert.ok(!isAnywhere(at('unix', '')));
  assert.ok(!isAnywhere(at('ipv4', '10.0.0.0')));
});
