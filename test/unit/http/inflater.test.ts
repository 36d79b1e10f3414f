import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Inflater, takeInflater } from '../../../src/http/inflater.ts';

/** All that comes of the pieces, the last of which ends the stream. */
const inflated = (inflater: Inflater, pieces: readonly Uint8Array[]): Buffer => {
  const parts: Buffer[] = [];
  for (const [i, piece] of pieces.entries()) {
    inflater.take(piece, false, i === pieces.length - 1);
    while (inflater.more) parts.push(Buffer.from(inflater.next()));
  }
  return Buffer.concat(parts);
};

const body = Buffer.from(Array.from({ length: 40_000 }, (_, i) => `line ${i}\n`).join(''));
const packed = gzipSync(body);

test('a stream in one piece, in pieces of one byte, and members behind each other', () => {
  const small = gzipSync('small');
  const table: readonly (readonly [pieces: readonly Uint8Array[], expected: Buffer])[] = [
    [[packed], body],
    [Array.from(small, (byte) => Uint8Array.of(byte)), Buffer.from('small')],
    [[packed, small, new Uint8Array(0)], Buffer.concat([body, Buffer.from('small')])],
    [[small, new Uint8Array(0)], Buffer.from('small')],
  ];
  for (const [pieces, expected] of table) {
    const inflater = takeInflater();
    assert.deepEqual(inflated(inflater, pieces), expected);
    assert.equal(inflater.failure, 0);
    inflater.release();
  }
});

test('data that is wrong, or ends too early, is told by zlib’s number', () => {
  const wrong = takeInflater();
  inflated(wrong, [Buffer.from('this is no gzip')]);
  assert.equal(wrong.failure, -3);
  const early = takeInflater();
  inflated(early, [packed.subarray(0, 100)]);
  assert.equal(early.failure, -5);
  early.release();
  assert.notEqual(takeInflater(), early);
});

test('a piece that must wait is kept by a copy', () => {
  const inflater = takeInflater();
  const passing = Buffer.from(packed);
  inflater.take(passing, false, true);
  const parts = [Buffer.from(inflater.next())];
  assert.ok(inflater.more);
  inflater.keep();
  passing.fill(0);
  while (inflater.more) parts.push(Buffer.from(inflater.next()));
  assert.deepEqual(Buffer.concat(parts), body);
});
