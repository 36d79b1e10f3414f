/** `server NAME resolve`: a group follows DNS while it runs, in all workers and over reloads. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Backend, startBackend } from '../kit/http-backend.ts';
import { type Answer, startNameServer, type TestNameServer, table } from '../kit/name-server.ts';
import { IS_NGINX, type Subject, startProxy } from '../kit/proxy.ts';
import { type Rig, rigFor } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

type Rows = Record<string, readonly string[] | Answer>;

interface Set {
  readonly rig: Rig;
  readonly proxy: Subject;
  readonly names: TestNameServer;
  readonly backend: Backend;
  /** What the name server answers; to be changed. */
  readonly rows: Rows;
}

const start = async (
  owner: { after(fn: () => Promise<void>): void },
  rows: Rows,
  upstream: (port: number) => string,
  workers = 1,
): Promise<Set> => {
  const rig = rigFor(owner);
  const names = await startNameServer(rig, (query) => table(rows)(query));
  const backend = await startBackend(rig);
  const proxy = await startProxy(rig, {
    workers,
    http: conf(names.port, upstream(backend.port)),
  });
  return { rig, proxy, names, backend, rows };
};

const conf = (port: number, upstream: string): string => `
  resolver 127.0.0.1:${port} ipv6=off valid=1s;
  resolver_timeout 1s;
  upstream u { zone z 64k; ${upstream} }
  server {
    listen 127.0.0.1:%port%;
    location / { proxy_pass http://u; add_header X-Peer $upstream_addr always; }
  }`;

/** Milliseconds; the program's processes take their time to start on a busy machine. */
const PATIENCE = 20_000;

/** The peers that so many requests name. */
const peers = async (proxy: Subject, count = 8): Promise<string> => {
  const seen: Record<string, true> = {};
  for (let i = 0; i < count; i++) {
    const { status, headers } = await proxy.get('/');
    seen[`${status} ${headers.get('x-peer')}`] = true;
  }
  return Object.keys(seen).sort().join(' | ');
};

/** Waits until requests go to these peers only. */
const settles = async (proxy: Subject, wanted: string, ms = PATIENCE): Promise<void> => {
  const deadline = Date.now() + ms;
  for (;;) {
    const now = await peers(proxy);
    if (now === wanted) return;
    if (Date.now() > deadline) assert.equal(now, wanted);
    await new Promise((done) => setTimeout(done, 50));
  }
};

describe('server NAME resolve', { concurrency: true }, () => {
  test('follows what DNS says, and keeps it while DNS fails', async (t) => {
    const { proxy, rows, backend, names } = await start(
      t,
      { 'app.test': ['A 127.0.0.1'] },
      (port) => `server app.test:${port} resolve;`,
    );
    const at = (host: string): string => `${host}:${backend.port}`;
    await settles(proxy, `200 ${at('127.0.0.1')}`);
    rows['app.test'] = { code: 2 };
    const asked = names.queries.length;
    await proxy.logged(/\[error\] [^\n]*: app\.test could not be resolved \(2: Server failure\)\n/, PATIENCE);
    assert.ok(names.queries.length > asked);
    assert.equal(await peers(proxy), `200 ${at('127.0.0.1')}`);
    rows['app.test'] = { code: 3 };
    await settles(proxy, '502 u');
    await proxy.logged(/\[error\] [^\n]*: app\.test could not be resolved \(3: Host not found\)\n/, PATIENCE);
    await proxy.logged(/no live upstreams while connecting to upstream, client: /, PATIENCE);
    rows['app.test'] = ['A 127.0.0.1'];
    await settles(proxy, `200 ${at('127.0.0.1')}`);
  });

  test('is the same in all workers', async (t) => {
    const { proxy, rows, backend } = await start(
      t,
      { 'app.test': ['A 127.0.0.1'] },
      (port) => `server app.test:${port} resolve;`,
      3,
    );
    await settles(proxy, `200 127.0.0.1:${backend.port}`);
    rows['app.test'] = [];
    await settles(proxy, '502 u');
    assert.equal(await peers(proxy, 30), '502 u');
  });

  test('stands beside fixed servers', async (t) => {
    const { proxy, backend, rows } = await start(
      t,
      { 'app.test': ['A 127.0.0.1'] },
      (port) => `server 127.0.0.1:${port} backup; server app.test:${port} resolve;`,
    );
    await settles(proxy, `200 127.0.0.1:${backend.port}`);
    rows['app.test'] = { code: 3 };
    await proxy.logged(/app\.test could not be resolved \(3: /, PATIENCE);
    assert.equal(await peers(proxy), `200 127.0.0.1:${backend.port}`);
  });

  test('takes ports, weights and backups from SRV', async (t) => {
    const rig = rigFor(t);
    const backup = await startBackend(rig);
    const { proxy, backend, rows } = await start(t, {}, () => 'server app.test service=http resolve;');
    await proxy.logged(
      /\[error\] [^\n]*: service http of app\.test could not be resolved \(3: Host not found\)\n/,
      PATIENCE,
    );
    rows['h.test'] = ['A 127.0.0.1'];
    rows['_http._tcp.app.test'] = [
      `SRV 1 1 ${backend.port} h.test`,
      `SRV 2 1 ${backup.port} h.test`,
      `SRV 1 1 ${backend.port} nowhere.test`,
    ];
    await settles(proxy, `200 127.0.0.1:${backend.port}`);
    await proxy.logged(
      /\[error\] [^\n]*: nowhere\.test could not be resolved \(3: Host not found\) while resolving service http of app\.test\n/,
      PATIENCE,
    );
    rows['_http._tcp.app.test'] = [`SRV 2 1 ${backup.port} h.test`];
    await settles(proxy, `200 127.0.0.1:${backup.port}`);
  });

  test('asks the resolver of its own', async (t) => {
    const rig = rigFor(t);
    const own = await startNameServer(rig, table({ 'app.test': ['A 127.0.0.1'] }));
    const { proxy, backend, names } = await start(
      t,
      {},
      (port) =>
        `server app.test:${port} resolve; resolver 127.0.0.1:${own.port} ipv6=off; resolver_timeout 2s;`,
    );
    await settles(proxy, `200 127.0.0.1:${backend.port}`);
    assert.equal(names.queries.length, 0);
  });

  test('keeps over a reload what it knew', async (t) => {
    const { proxy, backend, rows, names } = await start(
      t,
      { 'app.test': ['A 127.0.0.1'] },
      (port) => `server app.test:${port} resolve;`,
      2,
    );
    await settles(proxy, `200 127.0.0.1:${backend.port}`);
    rows['app.test'] = { code: 2 };
    await proxy.logged(/\(2: Server failure\)/, PATIENCE);
    for (let i = 1; i <= 2; i++) {
      const other = await startBackend(rigFor(t));
      proxy.configure({ workers: 2, http: conf(names.port, `server app.test:${other.port} resolve;`) });
      proxy.signal('SIGHUP');
      await until(
        () => (proxy.log.match(/exited with code 0/g)?.length ?? 0) >= 2 * i,
        'the old workers',
        PATIENCE,
      );
      assert.equal(await peers(proxy), `200 127.0.0.1:${other.port}`);
    }
  });

  test('a worker that dies finds what the others know', { skip: IS_NGINX }, async (t) => {
    const { proxy, backend, rows } = await start(
      t,
      { 'app.test': ['A 127.0.0.1'] },
      (port) => `server app.test:${port} resolve;`,
      2,
    );
    await settles(proxy, `200 127.0.0.1:${backend.port}`);
    rows['app.test'] = { code: 2 };
    const [, pid = ''] = /start worker process (\d+)/.exec(proxy.log) ?? [];
    process.kill(Number(pid), 'SIGTERM');
    await until(
      () => (proxy.log.match(/start worker process \d+/g)?.length ?? 0) === 3,
      'another worker',
      PATIENCE,
    );
    assert.equal(await peers(proxy, 20), `200 127.0.0.1:${backend.port}`);
    rows['app.test'] = { code: 3 };
    await settles(proxy, '502 u');
  });

  test('closes what is parked to a server that is gone', { skip: IS_NGINX }, async (t) => {
    const { proxy, backend, rows } = await start(
      t,
      { 'app.test': ['A 127.0.0.1'] },
      (port) => `server app.test:${port} resolve; keepalive 4;`,
    );
    await settles(proxy, `200 127.0.0.1:${backend.port}`);
    assert.equal(backend.open, 1);
    rows['app.test'] = { code: 3 };
    await settles(proxy, '502 u');
    await until(() => backend.open === 0, 'the close', PATIENCE);
  });
});
