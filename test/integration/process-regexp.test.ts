/** Patterns that backtrack without end on hostile text. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startProxy } from '../kit/proxy.ts';
import { rigFor } from '../kit/rig.ts';

describe('a pattern that backtracks without end', () => {
  for (const [name, main] of [
    ['does not hang a worker', ''],
    ['does not hang a single process', 'master_process off;'],
  ] as const) {
    test(name, async (t) => {
      const rig = rigFor(t);
      const proxy = await startProxy(rig, {
        main,
        http: 'server { listen 127.0.0.1:%port%; location ~ ^/(a+)+$ { return 200 yes; } location / { return 200 no; } }',
      });
      const reply = await proxy.get(`/${'a'.repeat(60)}b`);
      assert.equal(reply.body, 'no');
    });
  }
});
