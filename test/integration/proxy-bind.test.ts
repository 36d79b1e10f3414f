/** `proxy_bind`: the address that connections to servers come from. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { reply, startBackend, startScript } from '../kit/http-backend.ts';
import { freePort } from '../kit/ports.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { rigFor } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const root = process.getuid?.() === 0;

const start = async (
  owner: { after(fn: () => Promise<void>): void },
  locations: (port: number) => string,
): Promise<Subject> => {
  const rig = rigFor(owner);
  const backend = await startBackend(rig, (_, wire) => reply(`${wire.socket.remoteAddress}`));
  return startProxy(rig, {
    http: `server { listen 127.0.0.1:%port%; ${locations(backend.port)} }`,
  });
};

describe('proxy_bind', { concurrency: true }, () => {
  test('takes an address, also from variables; nothing where it is empty', async (t) => {
    const proxy = await start(
      t,
      (port) => `location / { proxy_bind $arg_from; proxy_pass http://127.0.0.1:${port}; }`,
    );
    assert.equal((await proxy.get('/?from=127.0.0.3')).body, '127.0.0.3');
    assert.equal((await proxy.get('/')).body, '127.0.0.1');
    assert.equal((await proxy.get('/?from=name')).body, '127.0.0.1');
    await proxy.logged(/\[error\] [^\n]*invalid local address "name", client: /);
  });

  test('answers 500 where the address is not its own', async (t) => {
    const proxy = await start(
      t,
      (port) => `location / { proxy_bind 192.0.2.1; proxy_pass http://127.0.0.1:${port}; }`,
    );
    assert.equal((await proxy.get('/')).status, 500);
    await proxy.logged(/\[crit\] [^\n]*bind\(192\.0\.2\.1\) failed \(99: Cannot assign requested address\)/);
  });

  test('answers 500 where its port is taken', async (t) => {
    const rig = rigFor(t);
    const backend = await startScript(rig, async (wire) => {
      await wire.readHead();
    });
    const from = await freePort();
    const proxy = await startProxy(rig, {
      http: `server { listen 127.0.0.1:%port%;
        location / { proxy_bind 127.0.0.1:${from}; proxy_pass http://127.0.0.1:${backend.port}; } }`,
    });
    const first = await proxy.connect();
    first.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => backend.accepted === 1, 'the first connection');
    assert.equal((await proxy.get('/')).status, 500);
    await proxy.logged({ includes: `bind(127.0.0.1:${from}) failed (98: Address already in use)`, from: 0 });
    first.close();
  });

  const conf = (port: number): string => `
    location / { proxy_bind $arg_from transparent; proxy_pass http://127.0.0.1:${port}; }
    location /refused { proxy_bind 127.0.0.2 transparent; proxy_pass http://127.0.0.1:1; }`;

  test('takes any address with transparent', { skip: !root && 'needs root' }, async (t) => {
    const proxy = await start(t, conf);
    assert.equal((await proxy.get('/?from=127.0.0.3')).body, '127.0.0.3');
    assert.equal((await proxy.get('/')).body, '127.0.0.1');
    assert.equal((await proxy.get('/refused')).status, 502);
    await proxy.logged(/connect\(\) failed \(111: Connection refused\) while connecting to upstream/);
  });

  test('keeps the right to that when the workers are of another user', {
    skip: !root && 'needs root',
  }, async (t) => {
    const rig = rigFor(t);
    const backend = await startBackend(rig, (_, wire) => reply(`${wire.socket.remoteAddress}`));
    const proxy = await startProxy(rig, {
      conf: `pid %dir%/nginx.pid; error_log %dir%/error.log info; events {} user nobody nogroup;
        http { access_log off; server { listen 127.0.0.1:%port%; ${conf(backend.port)} } }`,
    });
    assert.equal((await proxy.get('/?from=127.0.0.3')).body, '127.0.0.3');
  });
});
