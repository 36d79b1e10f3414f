import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CHUNK_DATA, CHUNKS_END, CHUNKS_INVALID, ChunkedDecoder } from '../../../src/net/chunked.ts';

interface Outcome {
  body: string;
  /** How it ended: `end`, `invalid` or `more`. */
  how: string;
  /** How many bytes it took. */
  taken: number;
}

/** Decodes `text` given in pieces that begin at `cuts`. */
const decode = (text: string, cuts: readonly number[] = [], keepTrailers = false): Outcome => {
  const decoder = new ChunkedDecoder();
  decoder.reset(keepTrailers);
  const edges = [0, ...cuts, text.length];
  const outcome: Outcome = { body: '', how: 'more', taken: 0 };
  for (let i = 0; i + 1 < edges.length; i++) {
    const piece = Buffer.from(text.slice(edges[i], edges[i + 1]), 'latin1');
    decoder.position = 0;
    let found = decoder.next(piece, piece.length);
    for (; found === CHUNK_DATA; found = decoder.next(piece, piece.length))
      outcome.body += piece.latin1Slice(decoder.from, decoder.to);
    outcome.taken += decoder.position;
    if (found === CHUNKS_END || found === CHUNKS_INVALID) {
      outcome.how = found === CHUNKS_END ? 'end' : 'invalid';
      return outcome;
    }
  }
  return outcome;
};

const END = '0\r\n\r\n';
const valid: readonly (readonly [text: string, body: string])[] = [
  [END, ''],
  [`3\r\nabc\r\n${END}`, 'abc'],
  [`3\r\nabc\r\n2\r\nde\r\n${END}`, 'abcde'],
  [`A\r\n0123456789\r\n${END}`, '0123456789'],
  [`0a\r\n0123456789\r\n${END}`, '0123456789'],
  [`${'0'.repeat(40)}1\r\na\r\n${END}`, 'a'],
  [`1;x=y\r\na\r\n${END}`, 'a'],
  [`1 ;x="\t\x01\xff"\r\na\r\n${END}`, 'a'],
  [`1\t\r\na\r\n0;z\r\n\r\n`, 'a'],
  [`4\r\n\r\n\r\n\r\n${END}`, '\r\n\r\n'],
  ['00\r\n\r\n', ''],
  ['1\r\na\r\n0\r\nA: b\r\nC: d\r\n\r\n', 'a'],
  ['0\r\nany thing\0\r\n\r\n', ''],
];

describe('a chunked body', () => {
  for (const [text, body] of valid) {
    it(JSON.stringify(text), () => {
      assert.deepEqual(decode(`${text}GET /`), { body, how: 'end', taken: text.length });
    });
    it(`${JSON.stringify(text)} in two or three pieces`, () => {
      for (let a = 0; a <= text.length; a++) {
        assert.deepEqual(decode(text, [a]), { body, how: 'end', taken: text.length }, `cut at ${a}`);
        for (let b = a; b <= text.length; b++)
          assert.deepEqual(
            decode(text, [a, b]),
            { body, how: 'end', taken: text.length },
            `cut at ${a}, ${b}`,
          );
      }
    });
    it(`${JSON.stringify(text)} that breaks off`, () => {
      for (let length = 0; length < text.length; length++)
        assert.equal(decode(text.slice(0, length)).how, 'more', `${length}`);
    });
  }

  it('can be read again after a reset', () => {
    const decoder = new ChunkedDecoder();
    const bytes = Buffer.from(`1\r\na\r\n${END}1\r\nb\r\n${END}`);
    for (const expected of ['a', 'b']) {
      decoder.reset(false);
      assert.equal(decoder.next(bytes, bytes.length), CHUNK_DATA);
      assert.equal(bytes.latin1Slice(decoder.from, decoder.to), expected);
      assert.equal(decoder.next(bytes, bytes.length), CHUNKS_END);
    }
    assert.equal(decoder.position, bytes.length);
  });

  it('leaves its trailers to who wants them', () => {
    assert.deepEqual(decode('1\r\na\r\n0;x\r\nA: b\r\n\r\n', [], true), { body: 'a', how: 'end', taken: 11 });
  });

  it('tells how much of a chunk is to come', () => {
    const decoder = new ChunkedDecoder();
    decoder.reset(false);
    const bytes = Buffer.from('1f\r\nabc');
    assert.equal(decoder.next(bytes, bytes.length), CHUNK_DATA);
    assert.equal(decoder.remaining, 28);
  });
});

describe('what is no chunked body', () => {
  const invalid: readonly (readonly [text: string, taken: string])[] = [
    ['\r\n', ''],
    [' 1\r\n', ''],
    [';x\r\n', ''],
    ['g\r\n', ''],
    ['-1\r\n', ''],
    ['+1\r\n', ''],
    ['0x1\r\n', ''],
    ['1\n', ''],
    ['1g\r\n', ''],
    ['1\rx', ''],
    ['1\r\r\n', ''],
    ['1;x\n', ''],
    ['1;x\rx', ''],
    ['1\r\nab', 'a'],
    ['1\r\na\n', 'a'],
    ['1\r\na\rx', 'a'],
    ['1\r\na\r\n\r\n', 'a'],
    ['0\r\n\n', ''],
    ['0\n\r\n', ''],
    ['0\r\n\rx', ''],
    ['0\r\nA: b\n', ''],
    ['0\r\nA: b\rx', ''],
    ['ffffffffffffffff\r\n', ''],
    ['7fffffffffffffff\r\n', ''],
    ['100000000000000\r\n', ''],
  ];
  for (const [text, body] of invalid) {
    it(JSON.stringify(text), () => {
      const { how, body: seen } = decode(`${text}${END}`);
      assert.deepEqual([how, seen], ['invalid', body]);
    });
    it(`${JSON.stringify(text)} byte by byte`, () => {
      const all = `${text}${END}`;
      const { how, body: seen } = decode(
        all,
        Array.from({ length: all.length - 1 }, (_, at) => at + 1),
      );
      assert.deepEqual([how, seen], ['invalid', body]);
    });
  }
});
