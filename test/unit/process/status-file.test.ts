import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { readStatus, removeStatus, statusPath, writeStatus } from '../../../src/process/status-file.ts';

describe('the status beside the pid file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-status-'));
  const pidPath = join(folder, 'nginx.pid');
  const status = { pid: 7, received: 2, finished: 1, generation: 2, errors: ['no'] };

  it('is read by whoever knows the pid', () => {
    writeStatus(pidPath, status);
    assert.deepEqual(readStatus(pidPath, 7), status);
    assert.equal(readStatus(pidPath, 8), undefined);
  });

  it('is nothing when it is missing or broken', () => {
    writeFileSync(statusPath(pidPath), '{"pid":7');
    assert.equal(readStatus(pidPath, 7), undefined);
    removeStatus(pidPath);
    assert.equal(readStatus(pidPath, 7), undefined);
    rmSync(folder, { recursive: true });
  });

  it('is not missed where it cannot be written', () => {
    writeStatus(join(folder, 'missing', 'x.pid'), status);
  });
});
