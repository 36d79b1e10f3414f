import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tlvValue } from '../../../src/net/proxy-tlv.ts';

const tlv = (type: number, value: string): string =>
  String.fromCharCode(type, value.length >> 8, value.length & 0xff) + value;

const ssl = tlv(0x20, `\x01\0\0\0\x05${tlv(0x21, 'TLSv1.3')}${tlv(0x22, 'name')}`);
const list = tlv(1, 'h2') + ssl + tlv(0xae, 'own');

const rows: readonly (readonly [tlvs: string, name: string, value: string | undefined, reason?: string])[] = [
  [list, 'alpn', 'h2'],
  [list, '0xae', 'own'],
  [list, 'ssl_version', 'TLSv1.3'],
  [list, 'ssl_0x22', 'name'],
  [list, 'ssl_verify', '5'],
  [list, 'authority', undefined],
  [list, 'ssl_cipher', undefined],
  [list, 'nope', undefined, 'unknown PROXY protocol TLV "nope"'],
  [list, 'ssl_nope', undefined, 'unknown PROXY protocol TLV "ssl_nope"'],
  [list, '0xzz', undefined, 'invalid PROXY protocol TLV "0xzz"'],
  ['\x01\0\x09ab', 'alpn', undefined, 'broken PROXY protocol TLV'],
  ['\x01\0', 'alpn', undefined, 'broken PROXY protocol TLV'],
  ['', 'alpn', undefined],
];
for (const [tlvs, name, value, reason] of rows) {
  test(`${name} is ${value ?? reason ?? 'not there'}`, () => {
    const reasons: string[] = [];
    assert.equal(
      tlvValue(tlvs, name, (text) => reasons.push(text)),
      value,
    );
    assert.deepEqual(reasons, reason === undefined ? [] : [reason]);
  });
}
