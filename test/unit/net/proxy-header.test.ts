import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { INCOMPLETE, INVALID, parseProxyHeader } from '../../../src/net/proxy-header.ts';

/** `SOURCE:PORT SERVER:PORT` and the rest; `none` where no address is named. */
const summary = (text: string): string => {
  const found = parseProxyHeader(text);
  if (found === INCOMPLETE) return 'incomplete';
  if (found === INVALID) return 'invalid';
  const rest = JSON.stringify(text.slice(found.length));
  if (!found.addresses) return `none ${rest}`;
  const { sourceAddress, sourcePort, serverAddress, serverPort, tlvs } = found.addresses;
  const more = tlvs === '' ? '' : ` ${JSON.stringify(tlvs)}`;
  return `${sourceAddress} ${sourcePort} ${serverAddress} ${serverPort} ${rest}${more}`;
};

const v2 = (command: number, family: number, body: string): string =>
  `\r\n\r\n\0\r\nQUIT\n${String.fromCharCode(command, family, body.length >> 8, body.length & 255)}${body}`;
const V4 = '\x01\x02\x03\x04\x05\x06\x07\x08\x1f\x90\x01\xbb';
const ports = '\x1f\x90\x01\xbb';
const ip6 = (...words: readonly number[]): string =>
  words.map((word) => String.fromCharCode(word >> 8, word & 255)).join('');
const LOOPBACK = ip6(0, 0, 0, 0, 0, 0, 0, 1);

const whole: readonly (readonly [name: string, header: string, meaning: string])[] = [
  ['v1 TCP4', 'PROXY TCP4 1.2.3.4 5.6.7.8 8080 443\r\n', '1.2.3.4 8080 5.6.7.8 443'],
  ['v1 TCP6', 'PROXY TCP6 2001:db8::1 ::1 1 65535\r\n', '2001:db8::1 1 ::1 65535'],
  [
    'v1 of the greatest length',
    `PROXY TCP6 ${'a'.repeat(39)} ${'b'.repeat(39)} 65535 65535\r\n`,
    `${'a'.repeat(39)} 65535 ${'b'.repeat(39)} 65535`,
  ],
  ['v1 UNKNOWN', 'PROXY UNKNOWN\r\n', 'none'],
  ['v1 UNKNOWN with addresses', 'PROXY UNKNOWN ff:: :: 1 2\r\n', 'none'],
  ['v2 IPv4', v2(0x21, 0x11, V4), '1.2.3.4 8080 5.6.7.8 443'],
  [
    'v2 IPv6',
    v2(0x21, 0x21, ip6(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1) + LOOPBACK + ports),
    '2001:db8::1 8080 ::1 443',
  ],
  [
    'v2 IPv4 in IPv6',
    v2(0x21, 0x21, ip6(0, 0, 0, 0, 0, 0xffff, 0x102, 0x304) + LOOPBACK + ports),
    '::ffff:1.2.3.4 8080 ::1 443',
  ],
  ['v2 LOCAL', v2(0x20, 0x11, V4), 'none'],
  ['v2 LOCAL without addresses', v2(0x20, 0, ''), 'none'],
  ['v2 of datagrams', v2(0x21, 0x12, V4), 'none'],
  ['v2 of no family', v2(0x21, 0x01, ''), 'none'],
  ['v2 of unix', v2(0x21, 0x31, 'x'.repeat(216)), 'none'],
];

describe('a PROXY protocol header', () => {
  for (const [name, header, meaning] of whole) {
    it(name, () => {
      assert.equal(summary(header), `${meaning} ""`);
      assert.equal(summary(`${header}GET / HTTP/1.1\r\n`), `${meaning} "GET / HTTP/1.1\\r\\n"`);
    });
    it(`${name}, cut anywhere`, () => {
      for (let length = 0; length < header.length; length++)
        assert.equal(summary(header.slice(0, length)), 'incomplete', `${length} of ${header.length}`);
    });
  }

  it('of version 2 brings more values', () =>
    assert.equal(
      summary(`${v2(0x21, 0x11, `${V4}\x02\0\x01h`)}G`),
      '1.2.3.4 8080 5.6.7.8 443 "G" "\\u0002\\u0000\\u0001h"',
    ));
});

describe('what is no PROXY protocol header', () => {
  const table: readonly (readonly [name: string, text: string])[] = [
    ['a request', 'GET / HTTP/1.1\r\n'],
    ['TLS', '\x16\x03\x01'],
    ['an unknown protocol of version 1, before its line has ended', 'PROXY INVALID'],
    ['a word that begins like one that is known', 'PROXY TCPX'],
    ['lower case', 'proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n'],
    ['another protocol', 'PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n'],
    ['a missing port', 'PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n'],
    ['something behind', 'PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n'],
    ['letters in an address', 'PROXY TCP4 x.2.3.4 5.6.7.8 1 2\r\n'],
    ['two spaces', 'PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n'],
    ['a port that is none', 'PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n'],
    ['the server’s port that is none', 'PROXY TCP4 1.2.3.4 5.6.7.8 1 99999\r\n'],
    ['a negative port', 'PROXY TCP4 1.2.3.4 5.6.7.8 -1 2\r\n'],
    ['a line without end', `PROXY TCP4 ${'1'.repeat(100)}`],
    ['a line that ends too late', `PROXY UNKNOWN${' '.repeat(100)}\r\n`],
    ['version 1 in the form of 2', v2(0x11, 0x11, V4)],
    ['too few bytes of IPv4', v2(0x21, 0x11, V4.slice(1))],
    ['too few bytes of IPv6', v2(0x21, 0x21, 'x'.repeat(35))],
    ['another signature', '\r\n\r\n\0\r\nQUIX\n'],
  ];
  for (const [name, text] of table) it(name, () => assert.equal(summary(text), 'invalid'));
});
