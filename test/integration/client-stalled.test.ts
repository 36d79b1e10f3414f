/** Clients that stop reading: no reply, finished or given up, holds its connection for ever. */
import { describe, test } from 'node:test';
import { startScript } from '../kit/http-backend.ts';
import { children, descriptors } from '../kit/processes.ts';
import { startProxy } from '../kit/proxy.ts';
import { rigFor } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

describe('a client that does not read', () => {
  test('is let go when its reply broke off with bytes still queued', async (t) => {
    const rig = rigFor(t);
    // The head announces more than comes: the reply is given up while most of it is still queued.
    const backend = await startScript(rig, async (wire) => {
      await wire.readHead();
      wire.send(`HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n${'x'.repeat(600_000)}`);
      wire.end();
    });
    const proxy = await startProxy(rig, {
      http: `send_timeout 1s;
        server { listen 127.0.0.1:%port% sndbuf=8k; location = /up { return 204; }
          location / { proxy_pass http://127.0.0.1:${backend.port}; } }`,
    });
    const client = await proxy.connect();
    client.send('GET /up HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.readHead();
    const [worker = 0] = children(proxy.pid);
    const before = descriptors(worker);
    client.pause();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => descriptors(worker) > before, 'the connection to the backend is there');
    await until(() => descriptors(worker) < before, 'both connections are gone', 15_000);
  });
});
