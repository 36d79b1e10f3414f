import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { libcAvailable } from '../../../src/platform/libc.ts';
import { mapShared } from '../../../src/platform/shared-memory.ts';
import { COUNTERS_BYTES, SharedCounters } from '../../../src/zone/counters.ts';
import { RecordTable } from '../../../src/zone/record-table.ts';
import { SharedSlots, slotsBytes } from '../../../src/zone/slots.ts';

const worker = fileURLToPath(new URL('./zone-worker.js', import.meta.url));
const PROCESSES = 4;

describe('memory shared by four processes', { skip: !libcAvailable() }, () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-zone-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  const start = (job: string, file: string, bytes: number, times: number): ChildProcess =>
    fork(worker, [job, join(folder, file), String(bytes), String(times)]);

  const run = async (job: string, bytes: number, times: number): Promise<ArrayBuffer> => {
    const memory = mapShared(join(folder, job), bytes);
    const children = Array.from({ length: PROCESSES }, () => start(job, job, bytes, times));
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]));
    assert.deepEqual(codes, [0, 0, 0, 0]);
    return memory;
  };

  it('lets one process at a time hold the lock', async () => {
    const words = new Int32Array(await run('lock', 4096, 50_000));
    assert.equal(words[1], PROCESSES * 50_000);
    assert.equal(words[0], 0);
  });

  it('counts every key of a table exactly', async () => {
    const table = new RecordTable(await run('table', 1 << 20, 20_000), 1);
    assert.equal(table.count, 500);
    for (let i = 0; i < 500; i++) {
      const record = table.find(`key ${i}`);
      assert.notEqual(record, 0);
      assert.equal(table.get(record, 0), (PROCESSES * 20_000) / 500);
    }
  });

  it('keeps a full table whole while records come and go', async () => {
    const table = new RecordTable(await run('churn', 65536, 20_000), 1);
    assert.equal(table.count, table.capacity);
    let seen = 0;
    for (let record = table.oldest(); record !== 0; record = table.newer(record)) seen++;
    assert.equal(seen, table.capacity);
  });

  it('changes slots with and without the lock', async () => {
    const slots = new SharedSlots(await run('slots', slotsBytes(3, 2, 1), 50_000), 0, 3, 2, 1);
    assert.equal(slots.integer(1, 0), PROCESSES * 50_000);
    assert.equal(slots.double(2, 0), PROCESSES * 25_000);
    assert.equal(slots.integer(0, 1), 0);
  });

  it('adds up totals of processes that are gone, and forgets their gauges', async () => {
    const counters = new SharedCounters(await run('counters', COUNTERS_BYTES, 100_000), [0]);
    counters.add(0, 2);
    assert.equal(counters.sum(1), PROCESSES * 100_000);
    assert.equal(counters.sum(0), 2);
  });

  it('takes a table over from a process that was killed while holding it', async () => {
    const table = new RecordTable(mapShared(join(folder, 'hold'), 65536), 1);
    table.lock();
    const keys = Array.from({ length: 100 }, (_, i) => `key ${i}`);
    for (const key of keys) table.set(table.insert(key), 0, 5);
    table.remove(table.find('key 50'));
    table.unlock();
    const child = start('hold', 'hold', 65536, 0);
    await once(child, 'message');
    child.kill('SIGKILL');
    await once(child, 'exit');
    table.lock();
    assert.equal(table.count, 99);
    assert.equal(table.get(table.find('key 99'), 0), 5);
    assert.equal(table.find('key 50'), 0);
    table.unlock();
  });
});
