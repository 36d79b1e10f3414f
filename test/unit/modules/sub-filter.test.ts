import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Patterns, Replacing } from '../../../src/http/modules/sub-filter-search.ts';
import { Random } from '../../kit/random.ts';

type Pairs = readonly (readonly [match: string, value: string])[];

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

const replacing = (pairs: Pairs, once: boolean): Replacing =>
  new Replacing(new Patterns(pairs.map(([match]) => bytes(match))), once, (index) =>
    bytes(pairs[index]?.[1] ?? ''),
  );

/** What comes out of a body in pieces, by piece. */
const fed = (pairs: Pairs, pieces: readonly string[], { once = false, flush = false } = {}): string[] => {
  const search = replacing(pairs, once);
  return pieces.map((piece, i) =>
    Buffer.from(search.feed(bytes(piece), flush, i === pieces.length - 1)).toString('latin1'),
  );
};

interface Case {
  readonly what: string;
  readonly pairs: Pairs;
  readonly pieces: readonly string[];
  readonly once?: boolean;
  readonly flush?: boolean;
  readonly expected: readonly string[];
}

const cases: readonly Case[] = [
  { what: 'nothing found', pairs: [['ab', 'X']], pieces: ['cdef'], expected: ['cdef'] },
  { what: 'all of them', pairs: [['ab', 'X']], pieces: ['abcabab'], expected: ['XcXX'] },
  { what: 'in any case', pairs: [['abz', 'X']], pieces: ['aBZcAbz'], expected: ['XcX'] },
  {
    what: 'no other case for letters outside of ASCII, nor for [ and {',
    pairs: [['\xe9{', 'X']],
    pieces: ['\xc9{\xe9[\xe9{'],
    expected: ['\xc9{\xe9[X'],
  },
  { what: 'across a border', pairs: [['abcd', 'X']], pieces: ['12345ab', 'cd2'], expected: ['1234', '5X2'] },
  {
    what: 'one byte a piece',
    pairs: [['ab', 'X']],
    pieces: ['a', 'a', 'b', ''],
    expected: ['', 'a', 'X', ''],
  },
  {
    what: 'the first written wins',
    pairs: [
      ['ab', 'X'],
      ['abc', 'Y'],
    ],
    pieces: ['abc'],
    expected: ['Xc'],
  },
  {
    what: 'the leftmost wins',
    pairs: [
      ['bc', 'X'],
      ['ab', 'Y'],
    ],
    pieces: ['abc'],
    expected: ['Yc'],
  },
  {
    what: 'what may begin an earlier one is sent as it is at the end',
    pairs: [
      ['abcd', 'X'],
      ['bc', 'Y'],
    ],
    pieces: ['zabc'],
    expected: ['zabc'],
  },
  { what: 'once', pairs: [['a', 'X']], pieces: ['aba', 'a'], once: true, expected: ['Xba', 'a'] },
  {
    what: 'once each',
    pairs: [
      ['a', 'X'],
      ['b', 'Y'],
    ],
    pieces: ['aab', 'ab'],
    once: true,
    expected: ['XaY', 'ab'],
  },
  { what: 'with nothing', pairs: [['ab', '']], pieces: ['1ab2'], expected: ['12'] },
  { what: 'the end is kept back', pairs: [['za', 'X']], pieces: ['xyz', ''], expected: ['xy', 'z'] },
  {
    what: 'a flush keeps what may match',
    pairs: [['za', 'X']],
    pieces: ['xyz', 'a'],
    flush: true,
    expected: ['xy', 'X'],
  },
  {
    what: 'a flush sends what can not',
    pairs: [['ab', 'X']],
    pieces: ['xyz', ''],
    flush: true,
    expected: ['xyz', ''],
  },
];
for (const { what, pairs, pieces, expected, ...how } of cases) {
  test(`sub_filter: ${what}`, () => assert.deepEqual(fed(pairs, pieces, how), expected));
}

test('a piece without a match is passed as it is, not copied', () => {
  const piece = bytes('nothing to see here');
  assert.equal(replacing([['xx', 'y']], false).feed(piece, false, true), piece);
});

/** The same by looking at every byte of the whole body. */
const naive = (pairs: Pairs, body: string): string => {
  let text = '';
  for (let at = 0; at < body.length; ) {
    const rest = body.slice(at).toLowerCase();
    const found = pairs.find(([match]) => rest.startsWith(match));
    text += found ? found[1] : (body[at] ?? '');
    at += found ? found[0].length : 1;
  }
  return text;
};

test('random bodies, patterns and pieces come to what a plain search finds', () => {
  const random = new Random(20_260_701);
  const word = (most: number): string =>
    Array.from({ length: 1 + random.below(most) }, () => random.pick(['a', 'b', 'c'])).join('');
  let replaced = 0;
  for (let round = 0; round < 3000; round++) {
    const pairs: Pairs = Array.from({ length: 1 + random.below(4) }, (_, i) => [word(5), `<${i}>`]);
    // The end of a body may be kept as the beginning of a pattern: it is closed by a byte that is in none.
    const body = `${word(40)}${random.pick(['', 'ABC'])}${word(10)}...........`;
    const pieces: string[] = [];
    for (let at = 0; at < body.length; ) {
      const length = 1 + random.below(8);
      pieces.push(body.slice(at, at + length));
      at += length;
    }
    const flush = random.below(2) === 1;
    const expected = naive(pairs, body);
    if (expected !== body) replaced++;
    assert.equal(fed(pairs, pieces, { flush }).join(''), expected, JSON.stringify({ pairs, pieces }));
  }
  assert.ok(replaced > 1000);
});
