import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { internName, KNOWN } from '../../../src/http/header-names.ts';

describe('header names', () => {
  const table: readonly (readonly [text: string, lower: string, known: number, validity: number])[] = [
    ['Host', 'host', KNOWN.host, 0],
    ['HOST', 'host', KNOWN.host, 0],
    ['content-LENGTH', 'content-length', KNOWN['content-length'], 0],
    ['X-Any', 'x-any', 0, 0],
    ['-', '-', 0, 0],
    ['1', '1', 0, 0],
    ['X_Y', 'x_y', 0, 1],
    ['_', '_', 0, 1],
    ['X.Y', 'x.y', 0, -1],
    ['X_.', 'x_.', 0, -1],
    ['X._', 'x._', 0, -1],
    ['X\x80', 'x\x80', 0, -1],
    ['', '', 0, -2],
    ['X Y', 'x y', 0, -2],
    ['X\t', 'x\t', 0, -2],
    ['X.\x7f', 'x.\x7f', 0, -2],
    ['X.\0', 'x.\0', 0, -2],
  ];
  for (const [text, lower, known, validity] of table) {
    it(JSON.stringify(text), () => {
      assert.deepEqual(internName(text), { text, lower, known, validity });
      assert.deepEqual(internName(text), { text, lower, known, validity }, 'the second time too');
    });
  }

  it('have a number of their own each, and 0 is none of them', () => {
    const numbers = Object.values(KNOWN).filter((number) => number !== 0);
    assert.equal(new Set(numbers).size, numbers.length);
    assert.ok(numbers.every((number) => number > 0 && number < 256));
  });

  it('are one object each, as written', () => {
    assert.equal(internName('X-Same'), internName('X-Same'));
    assert.notEqual(internName('X-Same'), internName('x-same'));
  });

  it('are not kept when too long or not valid', () => {
    for (const text of ['x'.repeat(65), 'x.y']) assert.notEqual(internName(text), internName(text));
  });

  it('are kept up to a bound, and known beyond it', () => {
    const names = Array.from({ length: 5000 }, (_, i) => `X-Flood-${i}`);
    const first = names.map(internName);
    const kept = names.filter((text, i) => internName(text) === first[i]).length;
    assert.ok(kept > 1000 && kept <= 2048, `${kept} kept`);
    assert.equal(internName('hOsT').known, KNOWN.host);
    assert.equal(internName('X-Same'), internName('X-Same'));
  });
});
