import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { glob } from '../../../src/config/glob.ts';

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'glob-'));
  for (const name of [
    'b.conf',
    'a.conf',
    'B.conf',
    '.c.conf',
    'a*.txt',
    'x/1.conf',
    'y/2.conf',
    'y/3.txt',
    '\u00e9.conf',
  ]) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '');
  }
});
after(() => rmSync(folder, { recursive: true }));

const ROWS: readonly (readonly [pattern: string, names: readonly string[]])[] = [
  ['*.conf', ['B.conf', 'a.conf', 'b.conf', '\u00c3\u00a9.conf']],
  ['?.conf', ['B.conf', 'a.conf', 'b.conf']],
  ['[ab].conf', ['a.conf', 'b.conf']],
  ['[!ab].conf', ['B.conf']],
  ['[a-z].conf', ['a.conf', 'b.conf']],
  ['[[:upper:]].conf', ['B.conf']],
  ['.*.conf', ['.c.conf']],
  ['a\\*.*', ['a*.txt']],
  ['*/*.conf', ['x/1.conf', 'y/2.conf']],
  ['*/1.conf', ['x/1.conf']],
  ['none/*', []],
  ['[a', []],
];
for (const [pattern, names] of ROWS) {
  test(`${pattern} finds ${names.join(' ') || 'nothing'}`, () => {
    assert.deepEqual(
      glob(`${folder}/${pattern}`).map((path) => path.slice(folder.length + 1)),
      names,
    );
  });
}
