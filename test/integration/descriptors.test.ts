/** A worker that has no descriptors, or no connections, left. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { children, descriptors } from '../kit/processes.ts';
import { startProxy } from '../kit/proxy.ts';
import { rigFor } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';
import type { Wire } from '../kit/wire.ts';

const LIMIT = 64;

test('without descriptors upstreams are not connected to, and it serves again when there are some', async (t) => {
  const proxy = await startProxy(rigFor(t), {
    allowAlert: /socket\(\) failed/,
    main: `worker_rlimit_nofile ${LIMIT};`,
    http: `server { listen 127.0.0.1:%port%;
        location / { return 200 "here"; }
        location /there { proxy_pass http://127.0.0.1:%port:back%; }
      }
      server { listen 127.0.0.1:%port:back%; location / { return 200 "there"; } }`,
  });
  const held: Wire[] = [];
  for (let i = 0; i < LIMIT + 6; i++) held.push(await proxy.connect());
  const used = (): number => Math.max(0, ...children(proxy.pid).map(descriptors));
  await until(() => used() >= LIMIT, 'no descriptors to be left');
  await proxy.logged(/\[crit\] .*accept4\(\) failed \(24: Too many open files\)/);
  const [first] = held;
  assert.ok(first);
  const reply = await first.request('GET /there HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal(reply.status, 500);
  await proxy.logged(
    /\[alert\] .*socket\(\) failed \(24: Too many open files\) while connecting to upstream/,
  );
  for (const wire of held) wire.close();
  await until(() => used() < LIMIT / 2, 'descriptors');
  assert.equal((await proxy.get('/there')).body, 'there');
});

test('without connections the log of the default server says so', async (t) => {
  const rig = rigFor(t);
  const proxy = await startProxy(rig, {
    conf: `
worker_processes 1;
pid %dir%/nginx.pid;
error_log %dir%/error.log;
events { worker_connections 8; }
http {
  access_log off;
  server { listen 127.0.0.1:%port%; error_log %dir%/server.log; return 200 "here"; }
}`,
  });
  // A connection that has sent nothing may have to give way.
  for (let i = 0; i < 10; i++) (await proxy.connect()).send('GET / HTTP/1.1\r\n');
  const log = join(rig.dir, 'server.log');
  const says = (): boolean =>
    existsSync(log) && /\[alert\] .*8 worker_connections are not enough/.test(readFileSync(log, 'utf8'));
  await until(says, 'the alert');
});
