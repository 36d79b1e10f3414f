import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteRecoder, FromUtf8, ToUtf8 } from '../../../src/http/modules/charset-recode.ts';
import { Random } from '../../kit/random.ts';

/** KOI8-R as Node knows it, both ways. */
const KOI = Array.from({ length: 256 }, (_, byte) => new TextDecoder('koi8-r').decode(Uint8Array.of(byte)));
const toUtf8 = KOI.map((letter) => Buffer.from(letter));
const pages: Uint8Array[] = [];
for (const [byte, letter] of KOI.entries()) {
  const code = letter.codePointAt(0) ?? 0;
  const page = pages[code >> 8] ?? new Uint8Array(256);
  page[code & 0xff] = byte;
  pages[code >> 8] = page;
}

const fromUtf8 = (...pieces: readonly Uint8Array[]): Buffer => {
  const recoder = new FromUtf8(pages);
  return Buffer.concat(pieces.map((piece) => Buffer.from(recoder.recode(piece))));
};
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

test('a table of bytes; a piece that it does not change is passed as it is', () => {
  const table = Uint8Array.from({ length: 256 }, (_, byte) => (byte === 0xe0 ? 0xc1 : byte));
  const recoder = new ByteRecoder(table);
  assert.deepEqual(Buffer.from(recoder.recode(latin1('a\xe0b\xe0'))), latin1('a\xc1b\xc1'));
  const same = latin1('abc');
  assert.equal(recoder.recode(same), same);
});

test('to UTF-8: short and long beginnings that need nothing', () => {
  const recoder = new ToUtf8(toUtf8);
  for (const before of [0, 3, 512, 513, 5000]) {
    const bytes = Buffer.concat([Buffer.alloc(before, 'x'), latin1('\xf0\xd2\xc9a')]);
    assert.equal(Buffer.from(recoder.recode(bytes)).toString(), `${'x'.repeat(before)}При${'a'}`);
  }
  const same = latin1('abc');
  assert.equal(recoder.recode(same), same);
});

const oddities: readonly (readonly [what: string, bytes: string, expected: string])[] = [
  ['ASCII', 'abc', 'abc'],
  ['a letter of the charset', '\xd0\x9f', '\xf0'],
  ['two bytes that have no place', '\xc3\xa9!', '&#233;!'],
  ['three bytes that have no place', '\xe2\x82\xac', '&#8364;'],
  ['four bytes', '\xf0\x9f\x98\x80', '&#128512;'],
  ['a byte that begins nothing', 'a\x80b', 'a?b'],
  ['a byte that never stands in UTF-8', 'a\xffb', 'a?b'],
  ['an overlong form', '\xe0\x80\x80b', '?b'],
  ['a character that is cut short takes the byte behind it', '\xd0ab', '?b'],
  ['beyond the last code point', '\xf7\xbf\xbf\xbfb', '?b'],
  ['the end of the body within a character', 'a\xd0', 'a'],
];
for (const [what, bytes, expected] of oddities) {
  test(`from UTF-8: ${what}`, () => assert.equal(fromUtf8(latin1(bytes)).toString('latin1'), expected));
}

test('from UTF-8: characters in any number of pieces', () => {
  const random = new Random(7);
  const letters = ['a', 'Ж', 'я', '€', '😀', 'é', '─'] as const;
  for (let round = 0; round < 500; round++) {
    const text = Array.from({ length: 60 }, () => random.pick([...letters])).join('');
    const whole = Buffer.from(text);
    const pieces: Buffer[] = [];
    for (let at = 0; at < whole.length; ) {
      const length = 1 + random.below(5);
      pieces.push(whole.subarray(at, at + length));
      at += length;
    }
    assert.deepEqual(fromUtf8(...pieces), fromUtf8(whole));
  }
});

test('from UTF-8: more entities than the piece has room for', () => {
  const text = '€'.repeat(2000);
  assert.equal(fromUtf8(Buffer.from(text)).toString(), '&#8364;'.repeat(2000));
});
