import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acceptsGzip } from '../../../src/http/gzip-accept.ts';
import { httpDate, parseHttpDate } from '../../../src/http/http-date.ts';
import { tagListed } from '../../../src/http/modules/not-modified.ts';

const tags: readonly (readonly [list: string, tag: string, weak: boolean, expected: boolean])[] = [
  ['*', '', false, true],
  ['"a"', '"a"', false, true],
  ['"b", "a"', '"a"', false, true],
  ['"b" , "a" ,"c"', '"a"', false, true],
  ['"ab"', '"a"', false, false],
  ['W/"a"', '"a"', false, false],
  ['W/"a"', '"a"', true, true],
  ['"a"', 'W/"a"', true, true],
  ['"x","y"', '"a"', true, false],
  ['"a"', '', true, false],
];
for (const [list, tag, weak, expected] of tags) {
  test(`${tag || 'no tag'} in ${list}${weak ? ', weakly' : ''}`, () =>
    assert.equal(tagListed(list, tag, weak), expected));
}

const dates: readonly (readonly [text: string, expected: number | undefined])[] = [
  ['Mon, 28 Sep 1970 06:00:00 GMT', 23_349_600],
  ['Monday, 28-Sep-70 06:00:00 GMT', 23_349_600],
  ['Mon Sep 28 06:00:00 1970', 23_349_600],
  ['Mon Sep  7 06:00:00 1970', 21_535_200],
  ['Sun, 29 Feb 2032 00:00:00 GMT', 1_961_625_600],
  ['Sun, 30 Feb 2032 00:00:00 GMT', undefined],
  ['Mon, 28 Foo 1970 06:00:00 GMT', undefined],
  ['Mon, 28 Sep 1970 24:00:00 GMT', undefined],
  ['yesterday', undefined],
];
for (const [text, expected] of dates)
  test(`the date ${text}`, () => assert.equal(parseHttpDate(text), expected));

test('a date is written as it is read', () =>
  assert.equal(httpDate(23_349_600), 'Mon, 28 Sep 1970 06:00:00 GMT'));

const encodings: readonly (readonly [header: string, expected: boolean])[] = [
  ['gzip', true],
  ['gzip,deflate', true],
  ['deflate, gzip', true],
  ['gzip;q=0', false],
  ['gzip;q=0.0', false],
  ['gzip;q=0.001', true],
  ['gzip; q=1.000', true],
  ['gzip;q=1.001', false],
  ['gzip;x=1', false],
  ['xgzip', false],
  ['gzipx', false],
  ['deflate', false],
];
for (const [header, expected] of encodings) {
  test(`Accept-Encoding: ${header}`, () => assert.equal(acceptsGzip(header), expected));
}
