import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRanges } from '../../../src/http/modules/range.ts';

const MANY = Number.MAX_SAFE_INTEGER;

const cases: readonly (readonly [text: string, length: number, most: number, expected: string])[] = [
  ['0-8', 100, MANY, '0-9'],
  ['0-', 100, MANY, '0-100'],
  ['-5', 100, MANY, '95-100'],
  ['-500', 100, MANY, '0-100'],
  ['90-200', 100, MANY, '90-100'],
  ['100-', 100, MANY, '416'],
  ['0-0', 0, MANY, 'all'],
  ['5-2', 100, MANY, '416'],
  ['a-b', 100, MANY, '416'],
  ['', 100, MANY, '416'],
  ['- 5', 100, MANY, '416'],
  [' 1 - 2 ', 100, MANY, '1-3'],
  ['0-9,20-29', 5000, MANY, '0-10 20-30'],
  ['0-9, -10', 5000, MANY, '0-10 4990-5000'],
  ['0-9,5000-6000', 5000, MANY, '0-10'],
  ['0-99,0-99', 100, MANY, 'all'],
  ['0-1,2-3', 100, 1, 'all'],
  ['0-1,2-3', 100, 2, '0-2 2-4'],
  ['99999999999999999999-', 100, MANY, '416'],
];

for (const [text, length, most, expected] of cases) {
  test(`bytes=${text} of ${length}, at most ${most}`, () => {
    const asked = parseRanges(text, length, most);
    const got =
      typeof asked === 'object' ? asked.map(({ start, end }) => `${start}-${end}`).join(' ') : `${asked}`;
    assert.equal(got, expected);
  });
}

test('many small ranges of a small body are not worth their heads', () => {
  const text = Array.from({ length: 40 }, (_, index) => `${index}-${index}`).join(',');
  assert.equal(parseRanges(text, 100, MANY), 'all');
});
