import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { getLimit } from '../../../src/platform/process-calls.ts';
import { mapShared } from '../../../src/platform/shared-memory.ts';

const EACH = 100_000;

describe('shared memory', () => {
  it('counts exactly when two processes add to it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-shared-'));
    const path = join(folder, 'memory');
    const cells = new Int32Array(mapShared(path, 4096));
    const module = new URL('../../../src/platform/shared-memory.js', import.meta.url).href;
    const script = `import { mapShared } from ${JSON.stringify(module)};
      const cells = new Int32Array(mapShared(${JSON.stringify(path)}, 4096));
      for (let i = 0; i < ${EACH}; i++) Atomics.add(cells, 0, 1);`;
    const children = [1, 2].map(() =>
      spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' }),
    );
    for (const child of children) {
      if (child.exitCode === null) await once(child, 'exit');
      assert.equal(child.exitCode, 0);
    }
    assert.equal(Atomics.load(cells, 0), 2 * EACH);
    rmSync(folder, { recursive: true });
  });

  it('tells the limit of open files', () => {
    const { soft, hard } = getLimit('RLIMIT_NOFILE');
    assert.ok(soft > 0 && soft <= hard);
  });
});
