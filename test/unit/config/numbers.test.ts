import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMsec, parseNumber, parseOffset, parseSec, parseSize } from '../../../src/config/numbers.ts';

const table = (
  name: string,
  parse: (text: string) => number | undefined,
  rows: readonly (readonly [text: string, value: number | undefined])[],
): void => {
  for (const [text, value] of rows) {
    test(`${name} reads "${text}" as ${value}`, () => assert.equal(parse(text), value));
  }
};

table('number', parseNumber, [
  ['0', 0],
  ['007', 7],
  ['', undefined],
  ['-1', undefined],
  ['1x', undefined],
  ['9223372036854775808', undefined],
]);
table('size', parseSize, [
  ['1', 1],
  ['8k', 8192],
  ['1M', 1_048_576],
  ['1g', undefined],
  ['k', undefined],
  ['', undefined],
  ['1kk', undefined],
  ['9007199254740993k', undefined],
]);
table('offset', parseOffset, [
  ['1g', 1_073_741_824],
  ['2G', 2_147_483_648],
  ['3m', 3_145_728],
  ['1t', undefined],
]);
table('milliseconds', parseMsec, [
  ['30', 30_000],
  ['500ms', 500],
  ['1m30s', 90_000],
  ['1h 30m', 5_400_000],
  ['1w1d1h1m1s1ms', 694_861_001],
  ['1s500', 501_000],
  ['10 20', 30_000],
  ['1M', undefined],
  ['1y', undefined],
  ['1s1m', undefined],
  ['1s1s', undefined],
  ['1ms1s', undefined],
  ['s', undefined],
  ['', undefined],
  ['1.5s', undefined],
]);
table('seconds', parseSec, [
  ['30', 30],
  ['1y', 31_536_000],
  ['1M', 2_592_000],
  ['1d 2h', 93_600],
  ['500ms', undefined],
  ['1M1y', undefined],
]);
