/** A master whose workers have all been drained (WINCH) stays, and a reload brings workers back. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, it } from 'node:test';
import { askOnce, childrenOf, freePort, isAlive, Sandbox, until } from './process-fixture/harness.ts';

let box: Sandbox;
beforeEach(() => {
  box = new Sandbox();
});
afterEach(() => box.clean());

it('stays without workers until its next signal', async () => {
  const port = await freePort();
  box.configure(`serve ${port} hello;`, 'daemon on; worker_processes 2;');
  assert.deepEqual(await box.run(), { code: 0, output: '' });
  const { pid } = box;
  process.kill(pid, 'SIGWINCH');
  await until('the end of the workers', () => childrenOf(pid).length === 0);
  // Long enough for a process with nothing to wait for to end.
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.ok(isAlive(pid));
  assert.equal((await box.run('-s', 'reload')).code, 0);
  assert.equal((await askOnce(port))[0], 'hello');
});
