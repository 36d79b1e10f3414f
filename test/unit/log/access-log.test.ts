import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import type { AccessLogSpec } from '../../../src/log/access-log.ts';
import { LogRegistry } from '../../../src/log/registry.ts';

let folder = '';
let logs: LogRegistry;
const spec = (rest: Partial<AccessLogSpec> = {}): AccessLogSpec => ({
  target: { kind: 'file', path: join(folder, 'a.log') },
  buffer: 0,
  flush: 0,
  gzip: 0,
  ...rest,
});
const read = (): string => readFileSync(join(folder, 'a.log'), 'latin1');

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-access-'));
  logs = new LogRegistry({ kind: 'stderr' }, undefined);
});
afterEach(() => {
  logs.close();
  rmSync(folder, { recursive: true });
});

describe('an access log', () => {
  it('has the lines of a turn in the file at its end, bytes unchanged', async () => {
    const log = logs.accessLog(spec());
    log.log('one \xe9');
    log.log('two');
    await turn();
    assert.equal(read(), 'one \xe9\ntwo\n');
  });

  it('does not hold more than it should within a turn', () => {
    const log = logs.accessLog(spec());
    for (let i = 0; i < 1000; i++) log.log('x'.repeat(99));
    assert.ok(read().length > 0);
    logs.flush();
    assert.equal(read().length, 100_000);
  });

  it('writes a buffer when the next line does not fit', async () => {
    const log = logs.accessLog(spec({ buffer: 10 }));
    log.log('1234');
    log.log('5678');
    await turn();
    assert.equal(read(), '');
    log.log('9');
    assert.equal(read(), '1234\n5678\n');
    log.log('longer than the buffer');
    assert.equal(read(), '1234\n5678\n9\nlonger than the buffer\n');
  });

  it('writes a buffer whose oldest line has waited long enough', async () => {
    const log = logs.accessLog(spec({ buffer: 1000, flush: 20 }));
    const watcher = watch(folder);
    log.log('one');
    assert.equal(read(), '');
    await once(watcher, 'change');
    watcher.close();
    assert.equal(read(), 'one\n');
  });

  it('compresses each buffer as a member of its own', () => {
    const log = logs.accessLog(spec({ buffer: 8, gzip: 1 }));
    log.log('1234');
    log.log('5678');
    logs.flush();
    assert.equal(gunzipSync(readFileSync(join(folder, 'a.log'))).toString(), '1234\n5678\n');
  });

  it('shares the buffer of a file among all its logs', () => {
    const plain = logs.accessLog(spec());
    logs.accessLog(spec({ buffer: 1000 }));
    plain.log('held');
    assert.equal(read(), '');
    logs.flush();
    assert.equal(read(), 'held\n');
  });

  it('writes what is held before the file is opened again', () => {
    const log = logs.accessLog(spec({ buffer: 1000 }));
    log.log('before');
    logs.reopen({ level: 8, write: (_level, message) => assert.fail(message) });
    assert.equal(read(), 'before\n');
  });

  it('writes what is held when the process exits', () => {
    const registry = new URL('../../../src/log/registry.js', import.meta.url).href;
    const file = join(folder, 'exit.log');
    const script = `import { LogRegistry } from ${JSON.stringify(registry)};
      const logs = new LogRegistry({ kind: 'stderr' }, undefined);
      const target = { kind: 'file', path: ${JSON.stringify(file)} };
      logs.accessLog({ target, buffer: 1000, flush: 0, gzip: 0 }).log('buffered');
      logs.file(target).write('direct', 8);
      process.exit(0);`;
    assert.equal(spawnSync(process.execPath, ['--input-type=module', '-e', script]).status, 0);
    assert.deepEqual(readFileSync(file, 'utf8').split('\n').sort(), ['', 'buffered', 'direct']);
  });
});

describe('a log that cannot be written', { skip: !existsSync('/dev/full') }, () => {
  it('loses lines, says so once, keeps memory bounded and does not throw', () => {
    const registry = new URL('../../../src/log/registry.js', import.meta.url).href;
    const script = `import { LogRegistry } from ${JSON.stringify(registry)};
      const logs = new LogRegistry({ kind: 'stderr' }, undefined);
      const log = logs.accessLog({ target: { kind: 'file', path: '/dev/full' }, buffer: 0, flush: 0, gzip: 0 });
      const line = 'x'.repeat(1000);
      for (let turns = 0; turns < 2000; turns++) {
        for (let i = 0; i < 100; i++) log.log(line);
        await new Promise(setImmediate);
      }
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      console.log(heapUsed + arrayBuffers);`;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--max-old-space-size=64', '--input-type=module', '-e', script],
      { encoding: 'utf8' },
    );
    assert.equal(status, 0, stderr);
    assert.match(
      stderr,
      /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[alert\] \d+#0: write\(\) to "\/dev\/full" failed \(28: No space left on device\)\n$/,
    );
    assert.ok(Number(stdout) < 64 << 20, stdout);
  });
});
