/** What `listen` asks of the system, as the system tells it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { freePort } from '../kit/ports.ts';
import { startProxy } from '../kit/proxy.ts';
import { rigFor } from '../kit/rig.ts';
import { needs } from '../kit/tools.ts';

/** The lengths of the queues of those who listen there. */
const queues = (port: number): string[] =>
  execFileSync('ss', ['-Hltn', `sport = :${port}`], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/ +/)[2] ?? '');

describe('listen', { skip: needs('ss') }, () => {
  test('backlog: also where a worker has a socket of its own', async (t) => {
    const rig = rigFor(t);
    const own = await freePort();
    const plain = await freePort();
    const proxy = await startProxy(rig, {
      http: `server { listen 127.0.0.1:%port% backlog=66; listen 127.0.0.1:${own} backlog=77 reuseport; listen 127.0.0.1:${plain};
        return 204; }`,
    });
    assert.deepEqual(queues(proxy.port()), ['66']);
    assert.deepEqual(new Set(queues(own)), new Set(['77']));
    assert.deepEqual(queues(plain), ['511']);
  });
});
