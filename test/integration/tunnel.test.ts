/** `tunnel_pass`: CONNECT becomes a connection, where that is wanted and may be. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Backend, startScript } from '../kit/http-backend.ts';
import { startNameServer, table } from '../kit/name-server.ts';
import { freePorts } from '../kit/ports.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';
import type { Wire } from '../kit/wire.ts';

const rig = new Rig();
let proxy: Subject;
let backend: Backend;
/** Nobody listens there. */
let dead = 0;

/** Says back what it hears; `bye` ends the connection, `reset` breaks it. */
const echo = async (wire: Wire): Promise<void> => {
  for (;;) {
    const text = (await wire.readSome()).toString('latin1');
    if (text.startsWith('bye')) {
      wire.end('bye');
      return;
    }
    if (text.startsWith('reset')) {
      wire.reset();
      return;
    }
    await wire.flush(text);
  }
};

before(async () => {
  backend = await startScript(rig, echo);
  [dead = 0] = await freePorts(1);
  const names = await startNameServer(rig, table({ 'echo.test': ['A 127.0.0.1'] }));
  writeFileSync(join(rig.dir, 'users'), 'plain:{PLAIN}password\n');
  const listen = (name: string): string => `listen 127.0.0.1:%port:${name}%; access_log %dir%/access.log t;`;
  const users = 'auth_basic closed; auth_basic_user_file %dir%/users;';
  proxy = await startProxy(rig, {
    http: `
      log_format t '$status|$request|$request_uri|$host|$request_port|$upstream_addr|$upstream_status|$remote_user|$body_bytes_sent|$upstream_bytes_sent|$upstream_bytes_received';
      resolver 127.0.0.1:${names.port} ipv6=off;
      upstream two { server 127.0.0.1:${dead} max_fails=0; server 127.0.0.1:${backend.port}; }
      upstream once { server 127.0.0.1:${dead} max_fails=0; server 127.0.0.1:${backend.port}; }
      upstream none { server 127.0.0.1:${dead}; server 127.0.0.1:${dead}; }
      server { ${listen('where')} tunnel_pass; tunnel_read_timeout 5s; }
      server { ${listen('where')} server_name plain.test; location / { return 200 plain; } }
      server { ${listen('short')} tunnel_pass; tunnel_read_timeout 200ms; }
      server { ${listen('two')} tunnel_pass two; }
      server { ${listen('one')} tunnel_pass once; tunnel_next_upstream timeout; }
      server { ${listen('none')} tunnel_pass none; error_page 502 /sorry; location /sorry { return 200 sorry; } }
      server { ${listen('plain')} location / { return 200 "ok $request_method"; } }
      server { ${listen('users')} ${users} tunnel_pass; }
      server { ${listen('any')} satisfy any; deny all; ${users} tunnel_pass; }
      server { ${listen('empty')} tunnel_pass $arg_nothing; }
      server { ${listen('some')}
        location / { if ($request_method = CONNECT) { tunnel_pass; add_header X-Tunnel yes; break; } return 403; }
        location /t { tunnel_pass; } }`,
  });
});
after(() => rig.close());

const connect = (target: string, lines = '', version = '1.1'): string =>
  `CONNECT ${target} HTTP/${version}\r\nHost: ${target}\r\n${lines}\r\n`;
const basic = (credentials: string): string => `Basic ${Buffer.from(credentials).toString('base64')}\r\n`;

/** A tunnel to the backend, and the head that granted it. */
const open = async (name = 'where', lines = ''): Promise<{ wire: Wire; head: string }> => {
  const wire = await proxy.connect(name);
  wire.send(connect(`127.0.0.1:${backend.port}`, lines));
  return { wire, head: await wire.readHead() };
};

/** What a request that is no tunnel is answered. */
const refused = async (
  name: string,
  request: string,
): Promise<{ status: number; head: string; body: string }> => {
  const wire = await proxy.connect(name);
  const message = await wire.request(request);
  wire.close();
  return message;
};

const logged = async (what: RegExp): Promise<string> => {
  const path = join(rig.dir, 'access.log');
  const find = (): string | undefined =>
    readFileSync(path, 'latin1')
      .split('\n')
      .find((line) => what.test(line));
  await until(() => find() !== undefined, `a line that matches ${what} in the access log`);
  return find() ?? '';
};

describe('a tunnel', { concurrency: true }, () => {
  test('is granted with a head of its own, and passes bytes both ways', async () => {
    const { wire, head } = await open();
    assert.match(head, /^HTTP\/1\.1 200 OK\r\nServer: \S+\r\nDate: [^\r]+\r\nConnection: close\r\n\r\n$/);
    wire.send('hello');
    await wire.expect('hello');
    wire.send('GET / HTTP/1.1\r\n\r\n');
    await wire.expect('GET / HTTP/1.1\r\n\r\n');
    wire.send('bye');
    await wire.expect('bye');
    await wire.expectEnd();
  });

  test('passes what came together with the request', async () => {
    const wire = await proxy.connect('where');
    wire.send(`${connect(`127.0.0.1:${backend.port}`)}early`);
    assert.match(await wire.readHead(), /^HTTP\/1\.1 200 /);
    await wire.expect('early');
    wire.close();
  });

  test('passes much, to and from those who read slowly', async () => {
    const { wire } = await open();
    const sent = Buffer.alloc(4_000_000, 'abcdefghij klmnopqrstuvw');
    const all = wire.flush(sent);
    let got = 0;
    while (got < sent.length) {
      const bytes = await wire.readSome();
      assert.ok(bytes.equals(sent.subarray(got, got + bytes.length)), `the bytes at ${got}`);
      got += bytes.length;
    }
    await all;
    wire.close();
  });

  test('ends with either side', async () => {
    const { wire } = await open();
    wire.send('1');
    await wire.expect('1');
    wire.end();
    await wire.expectEnd();
    const broken = await open();
    broken.wire.send('reset');
    await broken.wire.readToEnd();
    assert.ok(broken.wire.ended);
  });

  test('ends when nothing is said for a while', async () => {
    const { wire } = await open('short');
    await wire.expectEnd();
    await proxy.logged(
      /\[info\] [^\n]*upstream timed out \(110: Connection timed out\) while proxying upgraded connection, client: 127\.0\.0\.1, server: , request: "CONNECT /,
    );
  });

  test('goes to names that a resolver knows', async () => {
    const wire = await proxy.connect('where');
    wire.send(connect(`echo.test:${backend.port}`));
    assert.match(await wire.readHead(), /^HTTP\/1\.1 200 /);
    wire.send('bye');
    await wire.expect('bye');
    await wire.expectEnd();
    assert.equal(
      await logged(/\|echo\.test\|/),
      `200|CONNECT echo.test:${backend.port} HTTP/1.1|/|echo.test|${backend.port}|127.0.0.1:${backend.port}|-|-|3|3|3`,
    );
    const other = await refused('where', connect('other.test:80'));
    assert.equal(other.status, 502);
    await proxy.logged(
      /\[error\] [^\n]*: \*\d+ other\.test could not be resolved \(3: Host not found\), client: /,
    );
  });

  test('is tried at the next server, where that is allowed', async () => {
    const wire = await proxy.connect('two');
    wire.send(connect('any.test:1'));
    assert.match(await wire.readHead(), /^HTTP\/1\.1 200 /);
    wire.send('bye');
    await wire.readToEnd();
    assert.equal(
      await logged(/any\.test:1 /),
      `200|CONNECT any.test:1 HTTP/1.1|/|any.test|1|127.0.0.1:${dead}, 127.0.0.1:${backend.port}|502, -|-|3|0, 3|0, 3`,
    );
    const { status, head } = await refused('one', connect('once.test:1'));
    assert.equal(status, 502);
    assert.match(head, /\r\nConnection: close\r\n/);
    await proxy.logged(
      new RegExp(
        `\\[error\\] [^\\n]*connect\\(\\) failed \\(111: Connection refused\\) while connecting to upstream, client: 127\\.0\\.0\\.1, server: , request: "CONNECT once\\.test:1 HTTP/1\\.1", upstream: "127\\.0\\.0\\.1:${dead}", host: "once\\.test:1"`,
      ),
    );
    assert.equal((await refused('none', connect('any.test:2'))).body, 'sorry');
  });

  test('is made of some requests only', async () => {
    const { wire, head } = await open('some');
    assert.match(head, /\r\nX-Tunnel: yes\r\n/);
    wire.close();
    assert.equal((await refused('some', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')).status, 403);
    assert.equal((await refused('some', 'GET /t HTTP/1.1\r\nHost: a\r\n\r\n')).status, 405);
    assert.equal((await refused('where', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')).status, 405);
  });

  test('belongs to the server that the request line names', async () => {
    const there = await refused('where', 'CONNECT plain.test:80 HTTP/1.1\r\nHost: other.test\r\n\r\n');
    assert.equal(there.status, 405);
    const wire = await proxy.connect('where');
    wire.send(`CONNECT 127.0.0.1:${backend.port} HTTP/1.1\r\nHost: plain.test\r\n\r\n`);
    assert.match(await wire.readHead(), /^HTTP\/1\.1 200 /);
    wire.close();
  });
});

describe('CONNECT is refused', { concurrency: true }, () => {
  const target = '127.0.0.1:1';
  const cases: readonly (readonly [
    name: string,
    server: string,
    request: string,
    status: number,
    log: string,
  ])[] = [
    ['where nobody asks for it', 'plain', connect(target), 405, 'client sent CONNECT method'],
    ['with HTTP/1.0', 'where', connect(target, '', '1.0'), 405, 'client sent CONNECT method'],
    [
      'with a body',
      'where',
      `${connect(target, 'Content-Length: 1\r\n')}x`,
      400,
      'client sent CONNECT request with body',
    ],
    [
      'with a body in chunks',
      'where',
      `${connect(target, 'Transfer-Encoding: chunked\r\n')}0\r\n\r\n`,
      400,
      'client sent CONNECT request with body',
    ],
    [
      'without a port',
      'where',
      connect('a.test'),
      400,
      'client sent invalid request while reading client request line',
    ],
    [
      'with a path',
      'where',
      connect('a.test:80/'),
      400,
      'client sent invalid request while reading client request line',
    ],
    [
      'with a port that is none',
      'where',
      connect('a.test:65536'),
      400,
      'client sent invalid host in request line',
    ],
    ['with port 0', 'where', connect('zero.test:0'), 500, 'invalid port in upstream "zero.test:"'],
    ['where the address is empty', 'empty', connect(target), 500, 'no host in upstream ""'],
  ];
  for (const [name, server, request, status, log] of cases) {
    test(name, async () => {
      const from = proxy.log.length;
      const answer = await refused(server, request);
      assert.equal(answer.status, status);
      assert.match(answer.head, /\r\nConnection: close\r\n/);
      await proxy.logged({ includes: log, from });
    });
  }
});

describe('a tunnel with a password', { concurrency: true }, () => {
  for (const server of ['users', 'any']) {
    test(`${server}: is the proxy's`, async () => {
      const target = `127.0.0.1:${backend.port}`;
      for (const lines of [
        '',
        `Authorization: ${basic('plain:password')}`,
        `Proxy-Authorization: ${basic('plain:x')}`,
      ]) {
        const { status, head, body } = await refused(server, connect(target, lines));
        assert.equal(status, 407);
        assert.match(head, /^HTTP\/1\.1 407 Proxy Authentication Required\r\n/);
        assert.match(head, /\r\nProxy-Authenticate: Basic realm="closed"\r\n/);
        assert.doesNotMatch(head, /WWW-Authenticate/i);
        assert.match(body, /<h1>407 Proxy Authentication Required<\/h1>/);
      }
      const { wire, head } = await open(server, `Proxy-Authorization: ${basic('plain:password')}`);
      assert.match(head, /^HTTP\/1\.1 200 OK\r\n/);
      assert.doesNotMatch(head, /Proxy-Authenticate/i);
      wire.send('bye');
      await wire.readToEnd();
      assert.match(await logged(/^200\|.*\|plain\|/), /\|-\|plain\|3\|3\|3$/);
    });
  }

  test("is the server's for other requests", async () => {
    const { status, head } = await refused('users', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal(status, 401);
    assert.match(head, /\r\nWWW-Authenticate: Basic realm="closed"\r\n/);
  });
});
