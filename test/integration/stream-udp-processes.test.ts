/** UDP in `stream` and the processes: several workers, reloads, the way out, floods of new clients. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { children } from '../kit/processes.ts';
import { IS_NGINX, type ProxyOptions, type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { Udp } from '../kit/udp.ts';
import { until } from '../kit/wait.ts';

const conf = (stream: string, more = '', connections = 512): ProxyOptions => ({
  conf: `${process.getuid?.() === 0 ? 'user root;' : ''}
pid %dir%/nginx.pid; error_log %dir%/error.log info; ${more}
events { worker_connections ${connections}; }
stream { log_format s '$status $upstream_addr'; access_log %dir%/access.log s; ${stream} }
`,
});

describe('udp', () => {
  let rig: Rig;
  let backend: Udp;
  beforeEach(async () => {
    rig = new Rig();
    backend = await Udp.server(rig, ({ text, from }, udp) => {
      udp.came.push({ text, from });
      if (!text.startsWith('hold')) udp.sendTo(`${from.port} ${text}`, from);
    });
  });
  afterEach(() => rig.close());

  const workers = (proxy: Subject): number => children(proxy.pid).length;

  test('with reuseport each worker has clients, and each client one worker', async () => {
    const proxy = await startProxy(
      rig,
      conf("server { listen 127.0.0.1:%port% udp reuseport; return '$pid'; }", 'worker_processes 3;'),
    );
    await until(() => workers(proxy) === 3, 'three workers');
    const pids = new Set<string>();
    for (let i = 0; i < 60; i++) {
      const one = await Udp.client(rig, proxy.port());
      const pid = await one.ask('x');
      assert.equal(await one.ask('x'), pid);
      pids.add(pid);
      one.close();
    }
    assert.equal(pids.size, 3);
  });

  test('workers share a socket where there is only one', async () => {
    const proxy = await startProxy(
      rig,
      conf(
        `server { listen 127.0.0.1:%port% udp; proxy_pass 127.0.0.1:${backend.port}; proxy_responses 1; }`,
        'worker_processes 2;',
      ),
    );
    for (let i = 0; i < 50; i++) {
      const one = await Udp.client(rig, proxy.port());
      assert.match(await one.ask(`n${i}`), new RegExp(` n${i}$`));
      one.close();
    }
  });

  test('a reload keeps the socket; a session of before ends with the next answer', async () => {
    const to = `proxy_pass 127.0.0.1:${backend.port}; proxy_timeout 20s;`;
    const proxy = await startProxy(rig, conf(`server { listen 127.0.0.1:%port% udp; ${to} }`));
    const held = await Udp.client(rig, proxy.port());
    held.send('hold');
    await until(() => backend.came.length === 1, 'the datagram at the backend');
    const from = backend.came[0]?.from;
    proxy.configure(conf(`server { listen 127.0.0.1:%port% udp; return new; }`));
    proxy.signal('SIGHUP');
    await proxy.logged(/gracefully shutting down/);
    assert.equal(await (await Udp.client(rig, proxy.port())).ask('x'), 'new');
    assert.ok(from);
    backend.sendTo('late', from);
    await proxy.logged(/\[info\] \d+#\d+: \*\d+ disconnected on shutdown\n/);
    await until(() => workers(proxy) === 1, 'the old worker is gone');
    assert.deepEqual(held.came, []);
  });

  const daemon = IS_NGINX && 'nginx is only upgraded as a daemon';
  test('a new program takes the sockets over at USR2, each for its protocol', { skip: daemon }, async () => {
    const both = 'listen 127.0.0.1:%port% udp; listen 127.0.0.1:%port%;';
    const proxy = await startProxy(rig, conf(`server { ${both} return '$protocol $pid'; }`));
    const one = await Udp.client(rig, proxy.port());
    const before = await one.ask('x');
    const old = proxy.pid;
    proxy.signal('SIGUSR2');
    const pidFile = join(proxy.dir, 'nginx.pid');
    const master = (): number => (existsSync(pidFile) ? Number(readFileSync(pidFile, 'latin1')) : 0);
    await until(() => master() > 0 && master() !== old && children(master()).length > 0, 'a new program');
    await proxy.stop();
    try {
      const after = await one.ask('x');
      assert.match(after, /^UDP \d+$/);
      assert.notEqual(after, before);
      const wire = await proxy.connect();
      assert.equal(await wire.readToEnd(), after.replace('UDP', 'TCP'));
      wire.close();
    } finally {
      const added = master();
      process.kill(added, 'SIGTERM');
      await until(() => !existsSync(`/proc/${added}`), 'the new program is gone');
    }
  });

  test('worker_shutdown_timeout ends sessions', async () => {
    const proxy = await startProxy(
      rig,
      conf(
        `server { listen 127.0.0.1:%port% udp; proxy_pass 127.0.0.1:${backend.port}; }`,
        'worker_shutdown_timeout 200ms;',
      ),
    );
    (await Udp.client(rig, proxy.port())).send('hold');
    await until(() => backend.came.length === 1, 'the datagram at the backend');
    await proxy.stop();
    assert.match(
      proxy.log,
      /shutdown timeout while proxying connection, udp client: 127\.0\.0\.1, server: 127\.0\.0\.1:\d+, upstream: "127\.0\.0\.1:\d+", bytes from\/to client:4\/0, bytes from\/to upstream:0\/4/,
    );
    assert.equal(readFileSync(`${proxy.dir}/access.log`, 'latin1'), `200 127.0.0.1:${backend.port}\n`);
  });

  test('a flood of new clients finds an end, and room again later', async () => {
    const proxy = await startProxy(rig, {
      ...conf(
        `server { listen 127.0.0.1:%port% udp; proxy_pass 127.0.0.1:${backend.port}; proxy_timeout 300ms; }`,
        '',
        20,
      ),
      allowAlert: /worker_connections are not enough/,
    });
    for (let i = 0; i < 40; i++) {
      const one = await Udp.client(rig, proxy.port());
      one.send('hold');
      one.close();
    }
    await proxy.logged(/\[alert\] .*20 worker_connections are not enough/);
    const before = backend.came.length;
    assert.ok(before <= 20, `${before} sessions`);
    await until(async () => {
      const one = await Udp.client(rig, proxy.port());
      one.send('x');
      const heard = await until(() => one.came.length > 0, 'an answer', 100).then(
        () => true,
        () => false,
      );
      one.close();
      return heard;
    }, 'room for a session');
  });
});
