import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { placed } from '../../../src/config/contract.ts';
import { loadTexts } from './modules.ts';

/** The golden file is read from the sources: it is not compiled. */
const golden = readFileSync(
  new URL('../../../../test/unit/config/golden/errors.txt', import.meta.url),
  'latin1',
);

const [, ...cases] = golden.split('===\n');
for (const [index, pair] of cases.filter((text) => text !== '').entries()) {
  const [text = '', expected = ''] = pair.split('---\n');
  test(`configuration ${index + 1}: ${expected.trim()}`, () => {
    const { errors, warnings } = loadTexts({ 'nginx.conf': text });
    const lines = warnings.map(({ reason, place }) => `[warn] ${placed(reason, place)}`);
    if (errors[0]) lines.push(`[emerg] ${errors[0].message}`);
    assert.equal(lines.join('\n') || 'accepted', expected.trim());
  });
}
