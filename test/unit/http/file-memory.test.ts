import assert from 'node:assert/strict';
import { closeSync, openSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileMemory } from '../../../src/http/file-memory.ts';
import { rigFor } from '../../kit/rig.ts';

const MAKER = {};

/** Reads a file through the memory, as a request does. */
const read = (t: TestContext, path: string): Buffer => {
  const fd = openSync(path, 'r');
  t.after(() => closeSync(fd));
  return fileMemory.read({ path, stat: statSync(path), descriptor: () => fd });
};
/** Files that were changed a moment ago are not kept. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 150));

test('what was made of a kept file is kept with it, and goes when the file changes', async (t) => {
  const path = join(rigFor(t).dir, 'file');
  writeFileSync(path, 'first');
  await settled();
  const bytes = read(t, path);
  assert.equal(read(t, path), bytes);
  assert.ok(fileMemory.holds(bytes));
  assert.equal(fileMemory.form(bytes, MAKER), undefined);
  const form = Buffer.from('form');
  fileMemory.keepForm(bytes, MAKER, form);
  assert.equal(fileMemory.form(read(t, path), MAKER), form);
  assert.equal(fileMemory.form(bytes, {}), undefined);
  writeFileSync(path, 'second');
  await settled();
  const changed = read(t, path);
  assert.equal(changed.toString(), 'second');
  assert.equal(fileMemory.form(changed, MAKER), undefined);
});

test('nothing is kept of bytes that are no file’s', () => {
  const bytes = Buffer.from('any');
  fileMemory.keepForm(bytes, MAKER, Buffer.from('form'));
  assert.equal(fileMemory.holds(bytes), false);
  assert.equal(fileMemory.form(bytes, MAKER), undefined);
});
