import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { VariableFiles } from '../../../src/log/variable-files.ts';

let folder = '';
const path = (name: string): string => join(folder, name);
const read = (name: string): string => readFileSync(path(name), 'latin1');
const descriptors = (): number => readdirSync('/proc/self/fd').length;
const cache = { max: 2, inactive: 1000, minUses: 1, valid: 500 };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-variable-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('access logs with variables in their path', () => {
  it('are open for one line only without a cache', () => {
    const files = new VariableFiles(undefined);
    const before = descriptors();
    assert.equal(files.log(path('a'), 'one \xff', 0), undefined);
    assert.equal(files.log(path('a'), 'two', 0), undefined);
    assert.equal(descriptors(), before);
    assert.equal(read('a'), 'one \xff\ntwo\n');
  });

  it("say in nginx's words why a line is not written", () => {
    const files = new VariableFiles(undefined);
    const missing = path('no/a');
    assert.equal(files.log(missing, 'x', 0), `open() "${missing}" failed (2: No such file or directory)`);
    assert.equal(
      files.log('/dev/full', 'x', 0),
      'write() to "/dev/full" failed (28: No space left on device)',
    );
  });

  it('stay open up to the size of the cache, the least used is closed first', () => {
    const files = new VariableFiles(cache);
    const before = descriptors();
    for (const name of ['a', 'b', 'c', 'b', 'a']) files.log(path(name), name, 0);
    assert.equal(descriptors(), before + 2);
    assert.deepEqual([read('a'), read('b'), read('c')], ['a\na\n', 'b\nb\n', 'c\n']);
    files.log(path('d'), 'd', 1000);
    assert.equal(descriptors(), before + 1);
    files.close();
    assert.equal(descriptors(), before);
  });

  it('are opened anew when the name leads elsewhere and the time for a look has come', () => {
    const files = new VariableFiles(cache);
    files.log(path('a'), '1', 0);
    renameSync(path('a'), path('b'));
    files.log(path('a'), '2', 499);
    files.log(path('a'), '3', 500);
    files.close();
    assert.deepEqual([read('b'), read('a')], ['1\n2\n', '3\n']);
  });

  it('are not kept when used too rarely', () => {
    const files = new VariableFiles({ ...cache, minUses: 3 });
    const before = descriptors();
    files.log(path('a'), '1', 0);
    files.log(path('a'), '2', 900);
    files.log(path('b'), '3', 1000);
    assert.equal(descriptors(), before + 1);
    files.close();
  });
});
