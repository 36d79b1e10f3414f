/** Reload: nothing is refused, a bad configuration changes nothing, and `-s reload` tells which it was. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { askOnce, Client, freePort, Sandbox, until } from './process-fixture/harness.ts';

describe('reload', () => {
  let box: Sandbox;
  let port: number;
  beforeEach(async () => {
    box = new Sandbox();
    port = await freePort();
  });
  afterEach(() => box.clean());

  it('refuses no connection under load', async () => {
    box.configure(`serve ${port} hello;`);
    await box.start();
    let asked = 0;
    let running = true;
    const failures: unknown[] = [];
    const load = Array.from({ length: 16 }, async () => {
      while (running) {
        try {
          const client = await Client.open(port);
          for (let i = 0; i < 3; i++) await client.ask('x');
          client.close();
          asked++;
        } catch (error) {
          // An idle connection may be closed by a drain; a new one must never be refused.
          if (error instanceof Error && 'code' in error) failures.push(error);
        }
      }
    });
    for (let reload = 0; reload < 5; reload++)
      assert.deepEqual(await box.run('-s', 'reload'), { code: 0, output: '' });
    running = false;
    await Promise.all(load);
    assert.deepEqual(failures, []);
    assert.ok(asked > 100, `${asked} asked`);
    assert.equal((await askOnce(port))[2], '6');
  });

  it('lets a busy connection finish on the configuration it began with', async () => {
    box.configure(`serve ${port} before;`);
    await box.start();
    const client = await Client.open(port);
    const held = client.ask('hold');
    box.configure(`serve ${port} after;`);
    await box.run('-s', 'reload');
    assert.equal((await askOnce(port))[0], 'after');
    assert.equal((await held)[0], 'before');
    await client.closed;
  });

  it('opens new sockets, closes dropped ones and keeps the rest', async () => {
    const [second, path] = [await freePort(), join(box.folder, 'unix.sock')];
    box.configure(`serve ${port} one; serve unix:${path} unix;`);
    await box.start();
    assert.equal((await askOnce(path))[0], 'unix');
    box.configure(`serve ${port} one; serve ${second} two;`);
    assert.equal((await box.run('-s', 'reload')).code, 0);
    assert.equal((await askOnce(second))[0], 'two');
    assert.equal((await askOnce(port))[0], 'one');
    assert.equal(existsSync(path), false);
  });

  const refused: readonly (readonly [string, (port: number, taken: number) => string, RegExp])[] = [
    [
      'a mistake',
      (port) => `serve ${port} hello; nonsense on;`,
      /unknown directive "nonsense" in .*nginx\.conf:3/,
    ],
    ['workers that cannot begin', (port) => `serve ${port} new; fail_prepare "no key";`, /no key/],
    [
      'a port in use',
      (port, taken) => `serve ${port} new; serve ${taken} new;`,
      /bind\(\) to 127\.0\.0\.1:\d+ failed \(98: Address already in use\)/,
    ],
  ];
  for (const [name, text, reason] of refused) {
    it(`changes nothing for ${name}`, async () => {
      const other = new Sandbox();
      try {
        const taken = await freePort();
        other.configure(`serve ${taken} other;`);
        await other.start();
        box.configure(`serve ${port} hello;`);
        await box.start();
        const client = await Client.open(port);
        const first = await client.ask('x');
        box.configure(text(port, taken));
        const { code, output } = await box.run('-s', 'reload');
        assert.equal(code, 1);
        assert.match(output, reason);
        if (name === 'a mistake') process.kill(box.pid, 'SIGHUP');
        await until('the reason in the log', () => reason.test(box.logged));
        assert.deepEqual(await client.ask('y'), first);
        client.close();
        assert.equal((await askOnce(port))[0], 'hello');
        box.configure(`serve ${port} mended;`);
        assert.deepEqual(await box.run('-s', 'reload'), { code: 0, output: '' });
        assert.equal((await askOnce(port))[0], 'mended');
      } finally {
        await other.clean();
      }
    });
  }

  it('says what is wrong with the pid file', async () => {
    box.configure(`serve ${port} hello;`);
    const { code, output } = await box.run('-s', 'stop');
    assert.equal(code, 1);
    assert.equal(output, `nginx: [error] open() "${box.pidFile}" failed (2: No such file or directory)\n`);
  });

  it('takes over a stale unix socket', async () => {
    const path = join(box.folder, 'stale.sock');
    box.configure(`serve unix:${path} hello;`);
    const { child, ended } = await box.start();
    child.kill('SIGKILL');
    await ended;
    chmodSync(path, 0o600);
    const started = box.count('start worker process \\d+');
    box.spawn();
    await until('a second start', () => box.count('start worker process \\d+') >= started + 2);
    assert.equal((await askOnce(path))[0], 'hello');
  });
});
