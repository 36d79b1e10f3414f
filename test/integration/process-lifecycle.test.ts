/** Starting and stopping: the pid file, signals, workers that die, the background. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { askOnce, Client, childrenOf, freePort, isAlive, Sandbox, until } from './process-fixture/harness.ts';

describe('the life of the processes', () => {
  let box: Sandbox;
  let port: number;
  beforeEach(async () => {
    box = new Sandbox();
    port = await freePort();
  });
  afterEach(() => box.clean());

  it('serves, and leaves neither pid file nor process behind when told to stop', async () => {
    box.configure(`serve ${port} hello;`);
    const { child, ended } = await box.start();
    assert.equal(box.pid, child.pid);
    assert.equal((await askOnce(port))[0], 'hello');
    const workers = childrenOf(box.pid);
    assert.equal(workers.length, 2);
    child.kill('SIGTERM');
    assert.equal((await ended).code, 0);
    assert.equal(existsSync(box.pidFile), false);
    assert.equal(existsSync(`${box.pidFile}.status`), false);
    for (const worker of workers) assert.equal(isAlive(worker), false);
    assert.match(box.logged, /signal 15 \(SIGTERM\) received, exiting/);
  });

  it('may be told to stop as soon as there is a pid file', async () => {
    box.configure(`serve ${port} hello;`);
    const { child, ended } = box.spawn();
    await until('the pid file', () => existsSync(box.pidFile));
    child.kill('SIGTERM');
    assert.equal((await ended).code, 0);
    assert.equal(existsSync(box.pidFile), false);
  });

  it('closes at once what is busy when told to stop', async () => {
    box.configure(`serve ${port} hello;`);
    const { child } = await box.start();
    const client = await Client.open(port);
    const held = client.ask('hold');
    await client.ask('now').catch(() => undefined);
    child.kill('SIGTERM');
    await client.closed;
    await held.catch(() => undefined);
  });

  it('finishes what is busy and closes what is idle when told to quit', async () => {
    box.configure(`serve ${port} hello;`);
    const { child, ended } = await box.start();
    const [idle, busy] = [await Client.open(port), await Client.open(port)];
    await busy.ask('first');
    const held = busy.ask('hold');
    // When this is answered the worker has read the line before it.
    await idle.ask('first');
    await idle.ask('second');
    child.kill('SIGQUIT');
    await idle.closed;
    assert.equal((await held)[0], 'hello');
    assert.equal((await ended).code, 0);
    assert.match(box.logged, /gracefully shutting down/);
    assert.match(box.logged, /\[notice\] \d+#0: exit\n$/);
  });

  it('ends a drain at worker_shutdown_timeout', async () => {
    box.configure(`worker_shutdown_timeout 50ms; serve ${port} hello;`);
    const { child, ended } = await box.start();
    const client = await Client.open(port);
    const held = client.ask('hold');
    child.kill('SIGQUIT');
    await assert.rejects(held, /closed instead/);
    assert.equal((await ended).code, 0);
  });

  it('replaces a worker that is killed while the other goes on', async () => {
    box.configure(`serve ${port} hello;`);
    await box.start();
    const client = await Client.open(port);
    const [, served = ''] = await client.ask('who');
    const victim = childrenOf(box.pid).find((pid) => pid !== Number(served)) ?? 0;
    process.kill(victim, 'SIGKILL');
    await until('a third start', () => box.count('start worker process \\d+') === 3);
    assert.match(box.logged, new RegExp(`\\[alert\\] .*worker process ${victim} exited on signal 9`));
    assert.deepEqual((await client.ask('again'))[1], served);
    client.close();
  });

  it('logs an uncaught exception on one line and replaces its worker', async () => {
    box.configure(`serve ${port} hello;`, 'daemon off; worker_processes 1;');
    await box.start();
    const [, before] = await askOnce(port);
    await assert.rejects(askOnce(port, 'crash'));
    await until('the replacement', () => box.count('start worker process \\d+') === 2);
    assert.match(box.logged, /\[alert\] .*uncaught exception: Error: crash asked for \| at /);
    assert.notEqual((await askOnce(port))[1], before);
  });

  it('opens the logs again at USR1', async () => {
    const requests = join(box.folder, 'requests.log');
    box.configure(`serve ${port} hello; request_log ${requests};`);
    const { child } = await box.start();
    await askOnce(port, 'before');
    await until('the first line', () => readFileSync(requests, 'utf8').includes('before'));
    renameSync(requests, `${requests}.1`);
    renameSync(box.log, `${box.log}.1`);
    child.kill('SIGUSR1');
    // Each process says so in the file that it is about to leave.
    const said = (): number =>
      [...readFileSync(`${box.log}.1`, 'utf8').matchAll(/#0: reopening logs/g)].length;
    await until('the master and both workers', () => said() === 3);
    await askOnce(port, 'after');
    await until(
      'the second line',
      () => existsSync(requests) && readFileSync(requests, 'utf8').includes('after'),
    );
    assert.equal(readFileSync(`${requests}.1`, 'utf8').includes('after'), false);
  });

  it('runs without a master', async () => {
    box.configure(`serve ${port} hello;`, 'daemon off; master_process off;');
    const { child, ended } = box.spawn();
    await until('the pid file', () => existsSync(box.pidFile));
    const [, pid] = await askOnce(port);
    assert.equal(Number(pid), child.pid);
    box.configure(`serve ${port} changed;`, 'daemon off; master_process off;');
    assert.equal((await box.run('-s', 'reload')).code, 0);
    assert.deepEqual((await askOnce(port)).slice(0, 2), ['changed', pid]);
    child.kill('SIGQUIT');
    assert.equal((await ended).code, 0);
    assert.equal(existsSync(box.pidFile), false);
  });

  it('goes into the background, and returns when it serves', async () => {
    box.configure(`serve ${port} hello;`, 'worker_processes 2;');
    const { code, output } = await box.run();
    assert.deepEqual({ code, output }, { code: 0, output: '' });
    assert.equal((await askOnce(port))[0], 'hello');
    const { pid } = box;
    assert.equal((await box.run('-s', 'quit')).code, 0);
    await until('its end', () => !isAlive(pid));
    assert.equal(existsSync(box.pidFile), false);
  });

  it('leaves no worker behind when the master is killed', async () => {
    box.configure(`serve ${port} hello;`);
    const { child } = await box.start();
    const workers = childrenOf(box.pid);
    child.kill('SIGKILL');
    await until('the end of the workers', () => workers.every((pid) => !isAlive(pid)));
  });

  it('refuses to start on a port that stays in use, in nginx words', async () => {
    box.configure(`serve ${port} hello;`);
    await box.start();
    const other = new Sandbox();
    try {
      other.configure(`serve ${port} other;`);
      const { code, output } = await other.run();
      assert.equal(code, 1);
      const line = `nginx: [emerg] bind() to 127.0.0.1:${port} failed (98: Address already in use)\n`;
      assert.equal(output, `${line.repeat(5)}nginx: [emerg] still could not bind()\n`);
      assert.equal(existsSync(other.pidFile), false);
    } finally {
      await other.clean();
    }
  });

  it('hands its sockets to a new program at USR2 and gets the pid file back', async () => {
    box.configure(`serve ${port} hello;`);
    const { child, ended } = await box.start();
    const old = box.pid;
    child.kill('SIGUSR2');
    await until('the old pid file', () => existsSync(`${box.pidFile}.oldbin`) && existsSync(box.pidFile));
    await until('the new workers', () => box.count('start worker process \\d+') === 4);
    const fresh = box.pid;
    assert.notEqual(fresh, old);
    child.kill('SIGQUIT');
    assert.equal((await ended).code, 0);
    assert.equal((await askOnce(port))[0], 'hello');
    assert.equal(existsSync(`${box.pidFile}.oldbin`), false);
    assert.equal(box.pid, fresh);
  });
});
