/** `sticky` over real connections: cookies, routes, and what is learnt, with all that may happen to a server. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { type Backend, reply, startBackend } from '../kit/http-backend.ts';
import type { Message } from '../kit/message.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { type Rig, rigFor } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const sidOf = (backend: Backend): string =>
  createHash('md5').update(`127.0.0.1:${backend.port}`).digest('hex');

/** Backends that say which one they are; `/fail` is answered with 502 by the first, `/sid/X` begins a session. */
const startBackends = (rig: Rig, count: number): Promise<Backend[]> =>
  Promise.all(
    Array.from({ length: count }, (_, i) =>
      startBackend(rig, ({ target, connection }) => {
        if (target === '/fail' && i === 0) return reply('bad', '', '502 Bad');
        if (target === '/redirect') return reply('', `X-Accel-Redirect: /other\r\n`);
        const [, sid] = /^\/sid\/(\w+)/.exec(target) ?? [];
        const lines = sid === undefined ? '' : `Set-Cookie: sid=${sid}\r\n`;
        return reply(`b${i}`, `${lines}X-Connection: ${connection}\r\n`);
      }),
    ),
  );

const cookies = ({ lines }: Message): readonly string[] =>
  lines.filter((line) => /^set-cookie:/i.test(line)).map((line) => line.slice('set-cookie: '.length));

const bodies = async (proxy: Subject, count: number, target: string, headers = ''): Promise<string> => {
  const seen: string[] = [];
  for (let i = 0; i < count; i++) seen.push((await proxy.get(target, headers)).body);
  return seen.join(' ');
};

const serverLines = (backends: readonly Backend[], parameters: readonly string[] = []): string =>
  backends.map(({ port }, i) => `server 127.0.0.1:${port} ${parameters[i] ?? ''};`).join(' ');

const locations = (names: readonly string[]): string =>
  names.map((name) => `location /${name}/ { proxy_pass http://${name}/; }`).join('\n');

describe('sticky cookie', { concurrency: true }, () => {
  test('is set, and keeps a client at its server', async (t) => {
    const rig = rigFor(t);
    const backends = await startBackends(rig, 3);
    const proxy = await startProxy(rig, {
      http: `upstream u { ${serverLines(backends)} sticky cookie srv path=/; }
        server { listen 127.0.0.1:%port%; ${locations(['u'])} }`,
    });
    const first = await proxy.get('/u/');
    assert.equal(first.body, 'b0');
    assert.deepEqual(cookies(first), [`srv=${sidOf(backends[0] as Backend)}; path=/`]);
    const own = `Cookie: a=b; srv=${sidOf(backends[2] as Backend)}\r\n`;
    assert.equal(await bodies(proxy, 4, '/u/', own), 'b2 b2 b2 b2');
    assert.equal(await bodies(proxy, 3, '/u/', 'Cookie: srv=nobody\r\n'), 'b1 b0 b1');
  });

  test('has all its parts, in order, before the lines of the server', async (t) => {
    const rig = rigFor(t);
    const backends = await startBackends(rig, 1);
    const one = serverLines(backends);
    const proxy = await startProxy(rig, {
      http: `
        upstream all { ${one} sticky cookie c samesite=Lax secure httponly expires=1h path=/p domain=$arg_d; }
        upstream max { ${one} sticky cookie c expires=max samesite=$arg_s; }
        upstream now { ${one} sticky cookie c expires=0; }
        server { listen 127.0.0.1:%port%; ${locations(['all', 'max', 'now'])} }`,
    });
    const sid = sidOf(backends[0] as Backend);
    const date = /expires=\w{3}, \d\d-\w{3}-\d\d \d\d:\d\d:\d\d GMT/;
    const shown = async (target: string): Promise<readonly string[]> =>
      cookies(await proxy.get(target)).map((line) => line.replace(sid, 'SID').replace(date, 'expires=DATE'));
    assert.deepEqual(await shown('/all/sid/own?d=example.com'), [
      'c=SID; expires=DATE; max-age=3600; domain=example.com; httponly; secure; samesite=Lax; path=/p',
      'sid=own',
    ]);
    assert.deepEqual(await shown('/all/'), [
      'c=SID; expires=DATE; max-age=3600; httponly; secure; samesite=Lax; path=/p',
    ]);
    const max = (await proxy.get('/max/?s=NONE')).head;
    assert.match(
      max,
      /Set-Cookie: c=\w{32}; expires=Thu, 31-Dec-37 23:55:55 GMT; max-age=315360000; samesite=NONE\r/,
    );
    assert.match((await proxy.get('/max/?s=foo')).head, /max-age=315360000; samesite=strict\r/);
    assert.match((await proxy.get('/max/')).head, /max-age=315360000\r/);
    assert.deepEqual(await shown('/now/'), ['c=SID; expires=DATE; max-age=0']);
  });

  test('names the server that answered in the end, and the one that could not be reached', async (t) => {
    const rig = rigFor(t);
    const [bad, good] = await startBackends(rig, 2);
    assert.ok(bad && good);
    const gone = await startBackend(rig);
    const deadPort = gone.port;
    await gone.close();
    const proxy = await startProxy(rig, {
      http: `
        upstream u { server 127.0.0.1:${bad.port} max_fails=0; server 127.0.0.1:${good.port}; sticky cookie c; }
        upstream dead { server 127.0.0.1:${deadPort}; sticky cookie c; }
        upstream none { server 127.0.0.1:${deadPort} down; sticky cookie c; }
        server { listen 127.0.0.1:%port%; proxy_next_upstream http_502 error; ${locations(['u', 'dead', 'none'])}
          location = /page { error_page 502 /page.html; proxy_pass http://dead; }
          location = /page.html { return 200 page; }
        }`,
    });
    const wanted = `Cookie: c=${sidOf(bad)}\r\n`;
    const moved = await proxy.get('/u/fail', wanted);
    assert.equal(moved.body, 'b1');
    assert.deepEqual(cookies(moved), [`c=${sidOf(good)}`]);
    assert.equal(await bodies(proxy, 2, '/u/', wanted), 'b0 b0');
    const dead = await proxy.get('/dead/');
    assert.match(dead.head, /^HTTP\/1.1 502 /);
    const digest = createHash('md5').update(`127.0.0.1:${deadPort}`).digest('hex');
    assert.deepEqual(cookies(dead), [`c=${digest}`]);
    const page = await proxy.get('/page');
    assert.equal(page.body, 'page');
    assert.deepEqual(cookies(page), [`c=${digest}`]);
    assert.deepEqual(cookies(await proxy.get('/none/')), []);
  });

  test('is set once for each upstream of a request', async (t) => {
    const rig = rigFor(t);
    const backends = await startBackends(rig, 2);
    const proxy = await startProxy(rig, {
      http: `
        upstream u { ${serverLines(backends.slice(0, 1))} sticky cookie c; }
        upstream v { ${serverLines(backends.slice(1))} sticky cookie d; }
        server { listen 127.0.0.1:%port%; ${locations(['u', 'v'])}
          location = /other { internal; proxy_pass http://v/; } }`,
    });
    const both = await proxy.get('/u/redirect');
    assert.equal(both.body, 'b1');
    assert.deepEqual(
      cookies(both).map((line) => line.slice(0, 2)),
      ['c=', 'd='],
    );
  });

  test('goes with kept connections, wherever keepalive stands', async (t) => {
    const rig = rigFor(t);
    const backends = await startBackends(rig, 2);
    const proxy = await startProxy(rig, {
      http: `
        upstream u { ${serverLines(backends)} sticky cookie c; keepalive 4; }
        upstream v { ${serverLines(backends)} keepalive 4; sticky cookie c; zone z 64k; }
        server { listen 127.0.0.1:%port%; ${locations(['u', 'v'])} }`,
    });
    for (const name of ['u', 'v']) {
      for (const backend of backends) {
        const before = backend.accepted;
        for (let i = 0; i < 3; i++) {
          const answer = await proxy.get(`/${name}/`, `Cookie: c=${sidOf(backend)}\r\n`);
          assert.deepEqual(cookies(answer), [`c=${sidOf(backend)}`]);
        }
        assert.equal(backend.accepted, before + 1);
      }
    }
  });

  test('is nothing where a method stands behind it', async (t) => {
    const rig = rigFor(t);
    const backends = await startBackends(rig, 2);
    const proxy = await startProxy(rig, {
      http: `upstream u { ${serverLines(backends)} sticky cookie c; least_conn; }
        upstream v { ip_hash; ${serverLines(backends)} sticky cookie c; }
        server { listen 127.0.0.1:%port%; ${locations(['u', 'v'])} }`,
    });
    assert.deepEqual(cookies(await proxy.get('/u/')), []);
    for (const [i, backend] of backends.entries()) {
      const own = `Cookie: c=${sidOf(backend)}\r\n`;
      assert.equal(await bodies(proxy, 2, '/v/', own), `b${i} b${i}`);
    }
  });
});

describe('sticky route', { concurrency: true }, () => {
  test('goes by the first variable that says something', async (t) => {
    const rig = rigFor(t);
    const backends = await startBackends(rig, 4);
    const proxy = await startProxy(rig, {
      http: `
        upstream u { ${serverLines(backends, ['route=a', 'route=b drain', 'route=c down', 'route=d backup'])}
          sticky route $cookie_route $arg_route; }
        server { listen 127.0.0.1:%port%; ${locations(['u'])} }`,
    });
    assert.equal(await bodies(proxy, 3, '/u/'), 'b0 b0 b0');
    assert.equal(await bodies(proxy, 2, '/u/?route=b'), 'b1 b1');
    assert.equal(await bodies(proxy, 2, '/u/?route=a', 'Cookie: route=b\r\n'), 'b1 b1');
    assert.equal(await bodies(proxy, 2, '/u/?route=b', 'Cookie: route=\r\n'), 'b1 b1');
    assert.equal(await bodies(proxy, 2, '/u/?route=c'), 'b0 b0');
    // Backups come into play only when the others can't be used.
    assert.equal(await bodies(proxy, 2, '/u/?route=d'), 'b0 b0');
    assert.deepEqual(cookies(await proxy.get('/u/?route=b')), []);
  });

  test('is the same in all workers, and after a reload that drains', async (t) => {
    const rig = rigFor(t);
    const backends = await startBackends(rig, 2);
    const conf = (first: string) => ({
      workers: 3,
      http: `
        upstream u { zone u 64k; ${serverLines(backends, [`route=a ${first}`, 'route=b'])} sticky route $arg_route; }
        server { listen 127.0.0.1:%port%; ${locations(['u'])} }`,
    });
    const proxy = await startProxy(rig, conf(''));
    assert.equal(await bodies(proxy, 6, '/u/?route=a'), 'b0 b0 b0 b0 b0 b0');
    proxy.configure(conf('drain'));
    proxy.signal('SIGHUP');
    await until(
      async () => !(await bodies(proxy, 6, '/u/')).includes('b0'),
      'the drained server has no new clients',
    );
    assert.equal(await bodies(proxy, 4, '/u/?route=a'), 'b0 b0 b0 b0');
  });
});

describe('sticky learn', { concurrency: true }, () => {
  const LEARN = 'lookup=$cookie_sid create=$upstream_cookie_sid';
  const conf = (backends: readonly Backend[], words: string, workers = 1) => ({
    workers,
    http: `upstream u { ${serverLines(backends)} sticky learn ${words}; }
      server { listen 127.0.0.1:%port%; ${locations(['u'])} }`,
  });

  test('remembers who began a session where, in all workers', async (t) => {
    const rig = rigFor(t);
    const backends = await startBackends(rig, 3);
    const proxy = await startProxy(rig, conf(backends, `zone=s:64k ${LEARN}`, 3));
    const servers = new Map<string, string>();
    for (let i = 0; i < 9; i++) servers.set(`s${i}`, (await proxy.get(`/u/sid/s${i}`)).body);
    assert.equal(new Set(servers.values()).size, 3);
    for (let round = 0; round < 3; round++) {
      for (const [sid, server] of servers) {
        assert.equal((await proxy.get('/u/', `Cookie: sid=${sid}\r\n`)).body, server);
      }
    }
  });

  test('keeps sessions over a reload, but not for another upstream', async (t) => {
    const rig = rigFor(t);
    const backends = await startBackends(rig, 3);
    const before = conf(backends, `zone=s:64k ${LEARN}`, 2);
    const proxy = await startProxy(rig, { ...before, allowAlert: /sticky zone "s" is used|reload refused/ });
    const session = (await proxy.get('/u/sid/one')).body;
    const workers = (): number => proxy.log.split('start worker process ').length - 1;
    const started = workers();
    proxy.signal('SIGHUP');
    await until(() => workers() >= started + 2, 'new workers');
    await proxy.logged(/exited with code 0/);
    for (let i = 0; i < 6; i++) {
      assert.equal((await proxy.get('/u/', 'Cookie: sid=one\r\n')).body, session);
    }
    proxy.configure({
      ...before,
      http: before.http.replaceAll('upstream u', 'upstream w').replace('//u', '//w'),
    });
    proxy.signal('SIGHUP');
    await proxy.logged(
      /\[emerg\] [^\n]*sticky zone "s" is used in upstream "w" while previously it was used in upstream "u"/,
    );
    assert.equal((await proxy.get('/u/', 'Cookie: sid=one\r\n')).body, session);
  });

  test('forgets what is not used', async (t) => {
    const rig = rigFor(t);
    const backends = await startBackends(rig, 3);
    const proxy = await startProxy(rig, conf(backends, `zone=s:64k timeout=400ms ${LEARN}`));
    const session = (await proxy.get('/u/sid/one')).body;
    const stays = async (): Promise<boolean> => {
      const seen = await bodies(proxy, 3, '/u/', 'Cookie: sid=one\r\n');
      return seen === `${session} ${session} ${session}`;
    };
    const end = Date.now() + 600;
    while (Date.now() < end) assert.ok(await stays(), 'each request renews it');
    await new Promise((done) => setTimeout(done, 450));
    assert.equal(await stays(), false);
  });

  test('makes room in a full zone', async (t) => {
    const rig = rigFor(t);
    const backends = await startBackends(rig, 2);
    const proxy = await startProxy(rig, conf(backends, `zone=s:32k lookup=$arg_k create=$arg_k`));
    const wire = await proxy.connect();
    let last: Message | undefined;
    for (let i = 0; i < 400; i++) {
      last = await wire.request(`GET /u/?k=session${i} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    }
    await proxy.logged(
      /\[warn\] \d+#\d+: could not allocate node in sticky session zone "s", expiring least recently used session\n/,
    );
    assert.equal(await bodies(proxy, 3, '/u/?k=session399'), `${last?.body} ${last?.body} ${last?.body}`);
  });
});
