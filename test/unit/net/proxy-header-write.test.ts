/** The PROXY protocol's header as it is sent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProxyHeader } from '../../../src/net/proxy-header.ts';
import { proxyHeaderV1, proxyHeaderV2 } from '../../../src/net/proxy-header-write.ts';

const ends = (remoteAddress: string, localAddress: string) => ({
  remoteAddress,
  remotePort: 1234,
  localAddress,
  localPort: 80,
});

test('version 1 names the ends, or says that it does not know', () => {
  assert.equal(proxyHeaderV1(ends('192.0.2.1', '192.0.2.2')), 'PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n');
  assert.equal(proxyHeaderV1(ends('2001:db8::1', '::1')), 'PROXY TCP6 2001:db8::1 ::1 1234 80\r\n');
  assert.equal(proxyHeaderV1(ends('', '')), 'PROXY UNKNOWN\r\n');
});

test('version 2 is read as it was written', () => {
  for (const [source, target] of [
    ['192.0.2.1', '192.0.2.2'],
    ['2001:db8::1', '::1'],
  ] as const) {
    const header = proxyHeaderV2(ends(source, target)).toString('latin1');
    const read = parseProxyHeader(header);
    assert.ok(typeof read === 'object');
    assert.equal(read.length, header.length);
    assert.equal(read.addresses?.sourceAddress, source);
    assert.equal(read.addresses?.serverAddress, target);
    assert.equal(read.addresses?.sourcePort, 1234);
    assert.equal(read.addresses?.serverPort, 80);
  }
});

test('version 2 of a unix socket is local, and its checksum is CRC-32C', () => {
  const header = proxyHeaderV2(ends('', ''));
  assert.equal(header.toString('hex', 12, 19), '20000007030004');
  const mapped = proxyHeaderV2(ends('::ffff:192.0.2.1', '::ffff:192.0.2.2'));
  assert.deepEqual(mapped, proxyHeaderV2(ends('192.0.2.1', '192.0.2.2')));
});
