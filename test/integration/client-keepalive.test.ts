/** The life of a client's connection: when it is kept, when it is closed, and what the reply says of it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { reply, startBackend } from '../kit/http-backend.ts';
import { settle } from '../kit/pool-bench.ts';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import type { Owner } from '../kit/rig.ts';
import { rigFor } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const GET = 'GET / HTTP/1.1\r\nHost: localhost\r\n';

/** A server that answers by `return`, with these directives. */
function serve(owner: Owner, directives = '', locations = ''): Promise<Subject> {
  return startProxy(rigFor(owner), {
    http: `server { listen 127.0.0.1:%port%; ${directives} location / { return 200 ok; } ${locations} }`,
  });
}

describe('kept or closed by the request', () => {
  const cases: readonly [name: string, request: string, kept: boolean][] = [
    ['HTTP/1.1', `${GET}\r\n`, true],
    ['HTTP/1.1 with Connection: close', `${GET}Connection: close\r\n\r\n`, false],
    ['HTTP/1.1 with Connection: Close', `${GET}Connection: Close\r\n\r\n`, false],
    ['HTTP/1.1 with Connection: keep-alive', `${GET}Connection: keep-alive\r\n\r\n`, true],
    ['HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n', false],
    ['HTTP/1.0 with Connection: keep-alive', 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n', true],
    ['HTTP/1.0 with Connection: Keep-Alive', 'GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n', true],
    ['a request with an unread body', `${GET}Content-Length: 5\r\n\r\nhello`, true],
  ];
  for (const [name, request, kept] of cases) {
    test(`${name}: ${kept ? 'kept' : 'closed'}`, async (t) => {
      const proxy = await serve(t);
      const client = await proxy.connect();
      const first = await client.request(request);
      assert.equal(first.status, 200);
      assert.equal(first.headers.get('connection'), kept ? 'keep-alive' : 'close');
      if (kept) {
        assert.equal((await client.request(request)).status, 200);
      } else {
        await client.expectEnd();
      }
    });
  }

  test('HTTP/0.9: the bare body, then the close', async (t) => {
    const proxy = await serve(t);
    const client = await proxy.connect();
    client.send('GET /\r\n');
    assert.equal(await client.readToEnd(), 'ok');
  });

  for (const [status, kept] of [
    ['404', true],
    ['500', false],
    ['503', true],
    ['413', false],
    ['400', false],
    ['501', false],
  ] as const) {
    test(`a reply of ${status}: ${kept ? 'kept' : 'closed'}`, async (t) => {
      const proxy = await serve(t, '', `location /x { return ${status}; }`);
      const client = await proxy.connect();
      const got = await client.request('GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n');
      assert.equal(got.status, Number(status));
      assert.equal(got.headers.get('connection'), kept ? 'keep-alive' : 'close');
    });
  }
});

describe('directives', () => {
  test('keepalive_timeout 0 closes after each reply', async (t) => {
    const proxy = await serve(t, 'keepalive_timeout 0;');
    const client = await proxy.connect();
    assert.equal((await client.request(`${GET}\r\n`)).headers.get('connection'), 'close');
    await client.expectEnd();
  });

  test('keepalive_timeout closes an idle connection, and its second argument is announced', async (t) => {
    const proxy = await serve(t, 'keepalive_timeout 300ms 7s;');
    const client = await proxy.connect();
    const first = await client.request(`${GET}\r\n`);
    assert.equal(first.headers.get('keep-alive'), 'timeout=7');
    const from = performance.now();
    await client.expectEnd();
    const took = performance.now() - from;
    assert.ok(took > 200 && took < 1500, `closed after ${took} ms`);
  });

  test('without a second argument nothing is announced', async (t) => {
    const proxy = await serve(t, 'keepalive_timeout 5s;');
    const client = await proxy.connect();
    assert.equal((await client.request(`${GET}\r\n`)).headers.get('keep-alive'), undefined);
  });

  test('keepalive_requests closes after so many requests', async (t) => {
    const proxy = await serve(t, 'keepalive_requests 3;');
    const client = await proxy.connect();
    const said = [];
    for (let i = 0; i < 3; i++) {
      said.push((await client.request(`${GET}\r\n`)).headers.get('connection'));
    }
    assert.deepEqual(said, ['keep-alive', 'keep-alive', 'close']);
    await client.expectEnd();
  });

  test('keepalive_time closes with the first reply after it', async (t) => {
    const proxy = await serve(t, 'keepalive_time 200ms;');
    const client = await proxy.connect();
    assert.equal((await client.request(`${GET}\r\n`)).headers.get('connection'), 'keep-alive');
    await settle(300);
    assert.equal((await client.request(`${GET}\r\n`)).headers.get('connection'), 'close');
    await client.expectEnd();
  });

  const agents: readonly [directive: string, agent: string, method: string, kept: boolean][] = [
    ['', 'Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.0)', 'GET', true],
    ['', 'Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.0)', 'POST', false],
    ['', 'Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)', 'POST', true],
    ['keepalive_disable none;', 'Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.0)', 'POST', true],
    [
      'keepalive_disable safari;',
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_6) AppleWebKit/533 (KHTML, like Gecko) Version/5.0 Safari/533',
      'GET',
      false,
    ],
  ];
  for (const [directive, agent, method, kept] of agents) {
    test(`${directive || 'keepalive_disable by default'}, ${method} from ${agent.slice(0, 60)}: ${kept ? 'kept' : 'closed'}`, async (t) => {
      const proxy = await serve(t, directive);
      const client = await proxy.connect();
      const got = await client.request(
        `${method} / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: ${agent}\r\nContent-Length: 0\r\n\r\n`,
      );
      assert.equal(got.headers.get('connection'), kept ? 'keep-alive' : 'close');
    });
  }

  test('lingering_close reads what still comes after an early reply', async (t) => {
    const proxy = await serve(t, 'client_max_body_size 10; lingering_timeout 500ms;');
    const client = await proxy.connect();
    client.send(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n`);
    const got = await client.readMessage();
    assert.equal(got.status, 413);
    assert.equal(got.headers.get('connection'), 'close');
    for (let i = 0; i < 10; i++) {
      client.send('x'.repeat(1000));
      await settle(10);
    }
    assert.equal(client.wasReset, false);
    await client.readToEnd();
    assert.equal(client.wasReset, false);
  });

  test('client_header_timeout: 408 closes without a word in the middle of a head, and silently before it', async (t) => {
    const proxy = await serve(t, 'client_header_timeout 300ms;');
    const begun = await proxy.connect();
    begun.send('GET / HTTP/1.1\r\nHos');
    const silent = await proxy.connect();
    await silent.expectEnd();
    assert.equal(await begun.readToEnd(), '');
    await proxy.logged(/client timed out \(110: Connection timed out\) while reading client request headers/);
  });

  test('client_body_timeout: 408 in the middle of a body', async (t) => {
    const rig = rigFor(t);
    const backend = await startBackend(rig);
    const proxy = await startProxy(rig, {
      http: `server { listen 127.0.0.1:%port%; client_body_timeout 300ms;
               location / { proxy_pass http://127.0.0.1:${backend.port}; } }`,
    });
    const client = await proxy.connect();
    client.send('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\npart');
    assert.equal(await client.readToEnd(), '');
    assert.equal(backend.accepted, 0);
  });

  test('Expect: 100-continue is answered when the body is wanted', async (t) => {
    const rig = rigFor(t);
    const backend = await startBackend(rig, (request) => reply(request.body));
    const proxy = await startProxy(rig, {
      http: `server { listen 127.0.0.1:%port%; location / { proxy_pass http://127.0.0.1:${backend.port}; } }`,
    });
    const client = await proxy.connect();
    client.send('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n');
    await client.expect('HTTP/1.1 100 Continue\r\n\r\n');
    client.send('hello');
    assert.equal((await client.readMessage()).body, 'hello');
    assert.equal(backend.requests[0]?.headers.has('expect'), false);
  });
});

describe('pipelining', () => {
  test('requests sent at once are answered in order', async (t) => {
    const proxy = await serve(t, '', 'location /n/ { return 200 $request_uri; }');
    const client = await proxy.connect();
    client.send(
      Array.from({ length: 50 }, (_, i) => `GET /n/${i} HTTP/1.1\r\nHost: localhost\r\n\r\n`).join(''),
    );
    for (let i = 0; i < 50; i++) {
      assert.equal((await client.readMessage()).body, `/n/${i}`);
    }
  });

  test('also through a slow upstream, and with bodies', async (t) => {
    const rig = rigFor(t);
    const backend = await startBackend(rig, async (request) => {
      await settle(request.target === '/0' ? 80 : 0);
      return reply(`${request.target} ${request.body}`);
    });
    const proxy = await startProxy(rig, {
      http: `server { listen 127.0.0.1:%port%; location / { proxy_pass http://127.0.0.1:${backend.port}; } }`,
    });
    const client = await proxy.connect();
    let bytes = '';
    for (let i = 0; i < 10; i++) {
      bytes +=
        i % 2 === 0
          ? `POST /${i} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbod${i}`
          : `POST /${i} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbod${i}\r\n0\r\n\r\n`;
    }
    client.send(bytes);
    for (let i = 0; i < 10; i++) {
      assert.equal((await client.readMessage()).body, `/${i} bod${i}`);
    }
  });

  test('one byte at a time', async (t) => {
    const proxy = await serve(t);
    const client = await proxy.connect();
    for (const byte of `${GET}X: y\r\n\r\n${GET}\r\n`) {
      await client.flush(byte);
      await new Promise(setImmediate);
    }
    assert.equal((await client.readMessage()).body, 'ok');
    assert.equal((await client.readMessage()).body, 'ok');
  });
});

describe('the end', () => {
  test("an idle client's close is an info, not an error", async (t) => {
    const proxy = await serve(t);
    const client = await proxy.connect();
    await client.request(`${GET}\r\n`);
    client.end();
    await client.expectEnd();
    await proxy.logged(/\[info\].*client 127\.0\.0\.1 closed keepalive connection/);
    assert.equal(proxy.log.includes('[error]'), false);
  });

  test('a half-closed client still gets its replies', async (t) => {
    const rig = rigFor(t);
    const backend = await startBackend(rig, async () => {
      await settle(50);
      return reply('late');
    });
    const proxy = await startProxy(rig, {
      http: `server { listen 127.0.0.1:%port%;
               location / { proxy_ignore_client_abort on; proxy_pass http://127.0.0.1:${backend.port}; } }`,
    });
    const client = await proxy.connect();
    client.end(`${GET}\r\n`);
    assert.equal((await client.readMessage()).body, 'late');
    await client.expectEnd();
  });

  test('at a graceful stop an idle connection is closed and a busy one finishes', async (t) => {
    const rig = rigFor(t);
    let finish: (() => void) | undefined;
    const backend = await startBackend(rig, async () => {
      await new Promise<void>((done) => {
        finish = done;
      });
      return reply('finished');
    });
    const proxy = await startProxy(rig, {
      http: `server { listen 127.0.0.1:%port%; location / { return 200 ok; }
               location /busy { proxy_pass http://127.0.0.1:${backend.port}; } }`,
    });
    const idle = await proxy.connect();
    await idle.request(`${GET}\r\n`);
    const busy = await proxy.connect();
    busy.send('GET /busy HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until(() => backend.requests.length === 1, 'the request');
    proxy.signal('SIGQUIT');
    await idle.expectEnd();
    await assert.rejects(proxy.connect().then((wire) => wire.request(`${GET}\r\n`)));
    finish?.();
    const last = await busy.readMessage();
    assert.equal(last.body, 'finished');
    assert.equal(last.headers.get('connection'), 'close');
    await busy.expectEnd();
  });
});

describe('a client that leaves', () => {
  test('without a request is logged', async (t) => {
    const proxy = await serve(t);
    (await proxy.connect()).close();
    await proxy.logged(
      /\[info\].*client closed connection while waiting for request, client: 127\.0\.0\.1, server: 127/,
    );
  });

  test('while a rate holds the reply back ends its request', async (t) => {
    const proxy = await serve(t, '', 'location /slow { limit_rate 100; return 200 slow; }');
    const client = await proxy.connect();
    client.send('GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await client.readUntil('HTTP');
    client.close();
    await proxy.logged(/\[info\].*client prematurely closed connection/);
  });
});
