/** Sessions over workers and reloads: by tickets with keys of the process's own or from files, and by a shared cache. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { renameSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type tls from 'node:tls';
import { Certificates } from '../kit/certificates.ts';
import { children } from '../kit/processes.ts';
import { type ProxyOptions, type Subject, startProxy } from '../kit/proxy.ts';
import { type Rig, rigFor } from '../kit/rig.ts';
import { askTls, bodyOf, connectTls, getTls, sessionOf } from '../kit/tls-client.ts';
import { until } from '../kit/wait.ts';

const TLS12 = { maxVersion: 'TLSv1.2' } as const;
const TLS13 = { minVersion: 'TLSv1.3' } as const;

const server = (directives: string): string => `
  access_log off; ssl_certificate a.pem; ssl_certificate_key a.key; ${directives}
  server { listen 127.0.0.1:%port% ssl reuseport; location / { return 200 "$ssl_session_reused $pid"; } }`;

const begin = async (
  t: TestContext,
  directives: string,
  workers = 2,
): Promise<{ rig: Rig; proxy: Subject; options: ProxyOptions }> => {
  const rig = rigFor(t);
  const certificates = new Certificates(rig.dir);
  certificates.make('a');
  certificates.make('b');
  for (const name of ['old', 'new']) writeFileSync(join(rig.dir, name), Buffer.alloc(80, name));
  const options = { http: server(directives), workers };
  return { rig, proxy: await startProxy(rig, options), options };
};

/** What each of `count` connections with the session says, and from how many workers. */
const resume = async (
  proxy: Subject,
  session: Buffer,
  options: tls.ConnectionOptions,
  count = 12,
): Promise<readonly [marks: string, workers: number]> => {
  const marks = new Set<string>();
  const workers = new Set<string>();
  for (let i = 0; i < count; i++) {
    const [mark = '', pid = ''] = (await getTls(proxy.port(), '/', { ...options, session })).split(' ');
    marks.add(mark);
    workers.add(pid);
  }
  return [[...marks].join(' '), workers.size];
};

const reload = async (proxy: Subject, options?: ProxyOptions): Promise<void> => {
  if (options) proxy.configure(options);
  const old = new Set(children(proxy.pid));
  proxy.signal('SIGHUP');
  await until(() => !children(proxy.pid).some((pid) => old.has(pid)), 'the old workers to be gone', 20_000);
};

for (const [name, version] of [
  ['TLS 1.2', TLS12],
  ['TLS 1.3', TLS13],
] as const) {
  test(`tickets of ${name} are good at every worker, until a reload`, async (t) => {
    const { proxy } = await begin(t, '');
    const session = await sessionOf(proxy.port(), version);
    assert.deepEqual(await resume(proxy, session, version, 24), ['r', 2]);
    await reload(proxy);
    assert.equal((await resume(proxy, session, version, 2))[0], '.');
  });

  test(`a shared cache keeps sessions of ${name} without tickets, over a reload`, async (t) => {
    const { proxy } = await begin(t, 'ssl_session_cache shared:SSL:1m; ssl_session_tickets off;');
    const session = await sessionOf(proxy.port(), version);
    assert.deepEqual(await resume(proxy, session, version, 24), ['r', 2]);
    await reload(proxy);
    assert.equal((await resume(proxy, session, version, 2))[0], 'r');
  });

  test(`a shared cache has keys for tickets of ${name}, over a reload`, async (t) => {
    const { proxy } = await begin(t, 'ssl_session_cache shared:SSL:1m;');
    const session = await sessionOf(proxy.port(), version);
    assert.equal((await resume(proxy, session, version))[0], 'r');
    await reload(proxy);
    assert.equal((await resume(proxy, session, version, 2))[0], 'r');
  });

  test(`keys from files open tickets of ${name} for as long as they are named`, async (t) => {
    const { proxy } = await begin(t, 'ssl_session_ticket_key old;');
    const session = await sessionOf(proxy.port(), version);
    assert.equal((await resume(proxy, session, version))[0], 'r');
    await reload(proxy, {
      http: server('ssl_session_ticket_key new; ssl_session_ticket_key old;'),
      workers: 2,
    });
    assert.equal((await resume(proxy, session, version, 2))[0], 'r');
    await reload(proxy, { http: server('ssl_session_ticket_key new;'), workers: 2 });
    assert.equal((await resume(proxy, session, version, 2))[0], '.');
  });
}

test('sessions end by ssl_session_timeout, and without cache and tickets there are none', async (t) => {
  const { proxy } = await begin(t, 'ssl_session_timeout 1s;', 1);
  const session = await sessionOf(proxy.port(), TLS13);
  assert.equal((await resume(proxy, session, TLS13, 1))[0], 'r');
  const deadline = Date.now() + 5000;
  while ((await resume(proxy, session, TLS13, 1))[0] === 'r') assert.ok(Date.now() < deadline);
  await reload(proxy, { http: server('ssl_session_cache off; ssl_session_tickets off;'), workers: 1 });
  const socket = await connectTls(proxy.port(), TLS12);
  const none = socket.getSession();
  await askTls(socket, '/');
  assert.ok(none);
  assert.equal((await resume(proxy, none, TLS12, 1))[0], '.');
});

test('each server says by itself whether its sessions have tickets', async (t) => {
  const rig = rigFor(t);
  new Certificates(rig.dir).make('a');
  const named = (port: string, name: string, tickets: string): string =>
    `server { listen 127.0.0.1:%port:${port}% ssl; server_name ${name}; ssl_session_tickets ${tickets};
      location / { return 200 "$ssl_session_reused"; } }`;
  const proxy = await startProxy(rig, {
    http: `access_log off; ssl_certificate a.pem; ssl_certificate_key a.key;
      ${named('first', 'one', 'off')} ${named('first', 'two', 'on')}
      ${named('second', 'one', 'on')} ${named('second', 'two', 'off')}`,
  });
  for (const [port, servername, mark] of [
    ['first', 'two', 'r'],
    ['second', 'one', 'r'],
  ] as const) {
    for (const version of [TLS12, TLS13]) {
      const options = { ...version, servername };
      const session = await sessionOf(proxy.port(port), options);
      assert.equal(await getTls(proxy.port(port), '/', { ...options, session }), mark);
    }
  }
});

test('where one server has no tickets TLS 1.3 goes on by the cache of the default server', async (t) => {
  const rig = rigFor(t);
  new Certificates(rig.dir).make('a');
  const proxy = await startProxy(rig, {
    http: `access_log off; ssl_certificate a.pem; ssl_certificate_key a.key;
      server { listen 127.0.0.1:%port% ssl; ssl_session_cache shared:S:1m; return 200 "default"; }
      server { listen 127.0.0.1:%port% ssl; server_name x; ssl_session_tickets off; return 200 "$ssl_session_reused"; }`,
  });
  const ask = (session?: Buffer): Promise<string> =>
    getTls(proxy.port(), '/', { ...TLS13, servername: 'x', ...(session && { session }) }, 'x');
  assert.equal(await ask(), '.');
  assert.equal(await ask(await sessionOf(proxy.port(), { ...TLS13, servername: 'x' })), 'r');
});

test('a session remembers the name that it was made for', async (t) => {
  const rig = rigFor(t);
  new Certificates(rig.dir).make('a');
  const proxy = await startProxy(rig, {
    http: `access_log off; ssl_certificate a.pem; ssl_certificate_key a.key;
      server { listen 127.0.0.1:%port% ssl; return 200 "$ssl_session_reused $ssl_server_name"; }`,
  });
  for (const version of [TLS12, TLS13]) {
    const options = { ...version, servername: 'some.test' };
    const session = await sessionOf(proxy.port(), options);
    assert.equal(await getTls(proxy.port(), '/', { ...options, session }), 'r some.test');
  }
});

test('a reload takes renewed certificates, and what has begun ends by the old ones', async (t) => {
  const rig = rigFor(t);
  const certificates = new Certificates(rig.dir);
  certificates.make('a');
  certificates.make('b');
  const text = 'x'.repeat(60_000);
  writeFileSync(join(rig.dir, 'slow'), text);
  const proxy = await startProxy(rig, {
    http: `access_log off; ssl_certificate a.pem; ssl_certificate_key a.key;
      server { listen 127.0.0.1:%port% ssl; root %dir%; location = /slow { limit_rate 30k; } }`,
  });
  const slow = await connectTls(proxy.port());
  assert.equal(slow.getPeerCertificate().subject.CN, 'a');
  const reply = askTls(slow, '/slow').then(bodyOf);
  await once(slow, 'data');
  for (const end of ['pem', 'key']) renameSync(certificates.path(`b.${end}`), certificates.path(`a.${end}`));
  proxy.signal('SIGHUP');
  for (const deadline = Date.now() + 8000; ; ) {
    const fresh = await connectTls(proxy.port());
    const { subject } = fresh.getPeerCertificate();
    fresh.destroy();
    if (subject.CN === 'b') break;
    assert.ok(Date.now() < deadline, 'the certificate is not renewed');
  }
  assert.equal((await reply).length, text.length);
});

test('certificates by variables are read when they are asked for, and renewed', async (t) => {
  const rig = rigFor(t);
  const certificates = new Certificates(rig.dir);
  certificates.make('a.test');
  certificates.make('b.test', { kind: 'rsa' });
  const proxy = await startProxy(rig, {
    http: `
      access_log off; ssl_certificate %dir%/$ssl_server_name.pem; ssl_certificate_key %dir%/$ssl_server_name.key;
      server { listen 127.0.0.1:%port% ssl; location / { return 200 plain; } }
      server { listen 127.0.0.1:%port:cached% ssl; ssl_certificate_cache max=9 valid=1m; }
      server { listen 127.0.0.1:%port:brief% ssl; ssl_certificate_cache max=9 valid=1s; }`,
  });
  const nameAt = async (port: number, servername: string): Promise<string> => {
    const socket = await connectTls(port, { servername });
    const { subject } = socket.getPeerCertificate();
    socket.destroy();
    return String(subject.CN);
  };
  for (const name of ['a.test', 'b.test']) {
    assert.equal(await nameAt(proxy.port(), name), name);
    assert.equal(await nameAt(proxy.port('cached'), name), name);
    assert.equal(await nameAt(proxy.port('brief'), name), name);
  }
  await assert.rejects(nameAt(proxy.port(), 'c.test'));
  await proxy.logged(/\[error\] .*cannot load certificate ".*c\.test\.pem": BIO_new_file\(\) failed/);
  await proxy.logged(/SSL_do_handshake\(\) failed \(SSL: error:0A000179:SSL routines::cert cb error\)/);
  certificates.make('c.test');
  assert.equal(await nameAt(proxy.port(), 'c.test'), 'c.test');
  // A cache tells a file that is renewed by its time in seconds, as nginx's does.
  const later = Math.floor(Date.now() / 1000) + 10;
  for (const end of ['pem', 'key']) {
    writeFileSync(certificates.path(`a.test.${end}`), certificates.read(`c.test.${end}`));
    utimesSync(certificates.path(`a.test.${end}`), later, later);
  }
  assert.equal(await nameAt(proxy.port(), 'a.test'), 'c.test');
  assert.equal(await nameAt(proxy.port('cached'), 'a.test'), 'a.test');
  const deadline = Date.now() + 8000;
  while ((await nameAt(proxy.port('brief'), 'a.test')) === 'a.test') assert.ok(Date.now() < deadline);
});
