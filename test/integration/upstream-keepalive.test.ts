/** When an upstream connection returns to its pool and when it is closed: one test a rule, counted at the backend. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Handler, Received } from '../kit/http-backend.ts';
import { reply, sayConnection, startBackend } from '../kit/http-backend.ts';
import { closedAt, connectionOf, settle, startPool } from '../kit/pool-bench.ts';
import { startProxy } from '../kit/proxy.ts';
import { rigFor } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

/** A handler that sends exact bytes; `$C` stands for the connection's number. */
const raw =
  (bytes: string): Handler =>
  (request: Received) =>
    bytes.replaceAll('$C', String(request.connection));

const say = 'X-Connection: $C\r\n';

describe('a connection is kept', () => {
  const cases: readonly [name: string, bytes: string, method?: string][] = [
    ['after a reply with Content-Length', `HTTP/1.1 200 OK\r\n${say}Content-Length: 2\r\n\r\nok`],
    ['after an empty reply', `HTTP/1.1 200 OK\r\n${say}Content-Length: 0\r\n\r\n`],
    [
      'after a chunked reply',
      `HTTP/1.1 200 OK\r\n${say}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
    ],
    [
      'after a chunked reply with a trailer',
      `HTTP/1.1 200 OK\r\n${say}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n`,
    ],
    ['after 204', `HTTP/1.1 204 No Content\r\n${say}\r\n`],
    ['after 304', `HTTP/1.1 304 Not Modified\r\n${say}Content-Length: 100\r\n\r\n`],
    ['after the reply to HEAD', `HTTP/1.1 200 OK\r\n${say}Content-Length: 100\r\n\r\n`, 'HEAD'],
    ['after a 500', `HTTP/1.1 500 Oops\r\n${say}Content-Length: 2\r\n\r\nok`],
    [
      'after 103 before the reply',
      `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n${say}Content-Length: 2\r\n\r\nok`,
    ],
  ];
  for (const buffering of ['on', 'off']) {
    for (const [name, bytes, method = 'GET'] of cases) {
      test(`${name} (proxy_buffering ${buffering})`, async (t) => {
        const { ask, backend } = await startPool(t, {
          handler: raw(bytes),
          location: `proxy_buffering ${buffering};`,
        });
        for (let i = 0; i < 3; i++) {
          assert.equal(connectionOf(await ask('/', method)), 1);
        }
        assert.equal(backend.accepted, 1);
        assert.equal(backend.requests.length, 3);
      });
    }
  }

  test('after a request with a body', async (t) => {
    const { ask, backend } = await startPool(t);
    for (let i = 0; i < 3; i++) {
      assert.equal(connectionOf(await ask('/', 'POST', 'Content-Length: 5\r\n\r\nhello')), 1);
    }
    assert.equal(backend.requests[2]?.body, 'hello');
  });

  test('when the client closed its connection after the reply', async (t) => {
    const { proxy, backend } = await startPool(t);
    for (let i = 0; i < 3; i++) {
      assert.equal(connectionOf(await proxy.get('/')), 1);
    }
    assert.equal(backend.accepted, 1);
  });

  test('by locations of their own pools unless the pool is set by hand', async (t) => {
    const rig = rigFor(t);
    const backend = await startBackend(rig);
    const at = `127.0.0.1:${backend.port}`;
    const proxy = await startProxy(rig, {
      http: `
        upstream unset { server ${at}; }
        upstream local { server ${at}; keepalive 4 local; }
        upstream shared { server ${at}; keepalive 4; }
        server {
          listen 127.0.0.1:%port%;
          ${['unset', 'local', 'shared'].map((name) => `location /${name}/a { proxy_pass http://${name}; } location /${name}/b { proxy_pass http://${name}; }`).join('\n')}
        }`,
    });
    const numbers: number[] = [];
    for (const name of ['unset', 'local', 'shared']) {
      for (const path of ['a', 'b', 'a', 'b']) {
        numbers.push(connectionOf(await proxy.get(`/${name}/${path}`)));
      }
    }
    assert.deepEqual(numbers, [1, 2, 1, 2, 3, 4, 3, 4, 5, 5, 5, 5]);
  });

  test('for each server of the upstream by itself', async (t) => {
    const rig = rigFor(t);
    const one = await startBackend(rig);
    const two = await startBackend(rig);
    const proxy = await startProxy(rig, {
      http: `
        upstream pool { server 127.0.0.1:${one.port}; server 127.0.0.1:${two.port}; }
        server { listen 127.0.0.1:%port%; location / { proxy_pass http://pool; } }`,
    });
    for (let i = 0; i < 6; i++) {
      await proxy.get('/');
    }
    assert.deepEqual([one.accepted, two.accepted], [1, 1]);
    assert.deepEqual([one.requests.length, two.requests.length], [3, 3]);
  });

  test('and the request carries HTTP/1.1 and no Connection header by default', async (t) => {
    const { ask, backend } = await startPool(t);
    await ask('/');
    assert.equal(backend.requests[0]?.head, 'GET / HTTP/1.1\r\nHost: pool\r\n\r\n');
  });
});

describe('a connection is closed', () => {
  const cases: readonly [name: string, bytes: string, logged?: RegExp][] = [
    ['after Connection: close', `HTTP/1.1 200 OK\r\n${say}Connection: close\r\nContent-Length: 2\r\n\r\nok`],
    [
      'after Connection: close among other words',
      `HTTP/1.1 200 OK\r\n${say}Connection: foo, Close\r\nContent-Length: 2\r\n\r\nok`,
    ],
    ['after an HTTP/1.0 reply', `HTTP/1.0 200 OK\r\n${say}Content-Length: 2\r\n\r\nok`],
    [
      'after an HTTP/1.0 reply even with Connection: keep-alive',
      `HTTP/1.0 200 OK\r\n${say}Connection: keep-alive\r\nContent-Length: 2\r\n\r\nok`,
    ],
    [
      'after any Connection header that holds the letters of close',
      `HTTP/1.1 200 OK\r\n${say}Connection: x-closely\r\nContent-Length: 2\r\n\r\nok`,
    ],
    [
      'after a body longer than its Content-Length',
      `HTTP/1.1 200 OK\r\n${say}Content-Length: 2\r\n\r\nokmore`,
      /upstream sent more data than specified in "Content-Length" header/,
    ],
    [
      'after a body behind 204',
      `HTTP/1.1 204 No Content\r\n${say}\r\nmore`,
      /upstream sent more data than specified in "Content-Length" header/,
    ],
    [
      'after data behind the last chunk',
      `HTTP/1.1 200 OK\r\n${say}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore`,
      /upstream sent data after final chunk/,
    ],
  ];
  for (const buffering of ['on', 'off']) {
    for (const [name, bytes, logged] of cases) {
      test(`${name} (proxy_buffering ${buffering})`, async (t) => {
        const { ask, backend, proxy } = await startPool(t, {
          handler: raw(bytes),
          location: `proxy_buffering ${buffering};`,
        });
        for (let i = 1; i <= 3; i++) {
          assert.equal(connectionOf(await ask('/')), i);
        }
        await closedAt(backend, 3);
        assert.equal(backend.accepted, 3);
        if (logged !== undefined) {
          await proxy.logged(logged);
        }
      });
    }
  }

  test('after a reply whose body ended by the close', async (t) => {
    const { ask, backend } = await startPool(t, {
      handler: (request, wire) => {
        wire.end(`HTTP/1.1 200 OK\r\nX-Connection: ${request.connection}\r\n\r\nuntil the end`);
        return undefined;
      },
    });
    for (let i = 1; i <= 3; i++) {
      const answer = await ask('/');
      assert.equal(connectionOf(answer), i);
      assert.equal(answer.body, 'until the end');
    }
    assert.equal(backend.accepted, 3);
  });

  test('after 101 Switching Protocols, when the tunnel ends', async (t) => {
    const { proxy, backend, asked } = await startPool(t, {
      script: async (wire, number) => {
        for (;;) {
          const head = await wire.readHead();
          if (head.includes('Upgrade')) {
            wire.send('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n');
            await wire.expect('ping');
            wire.send('pong');
            await wire.readToEnd();
            wire.end();
            return;
          }
          wire.send(reply(`connection ${number}`));
        }
      },
      location: 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;',
    });
    assert.equal(await asked(), 1);
    const tunnel = await proxy.connect();
    const switched = await tunnel.request(
      'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n',
    );
    assert.equal(switched.status, 101);
    tunnel.send('ping');
    await tunnel.expect('pong');
    assert.equal(await asked(), 2);
    tunnel.end();
    await closedAt(backend, 1);
    assert.equal(await asked(), 2);
  });

  test('when the reply came before the request body was sent', async (t) => {
    const { proxy, backend, asked } = await startPool(t, {
      script: async (wire, number) => {
        for (;;) {
          await wire.readHead();
          wire.send(reply(`connection ${number}`));
        }
      },
      location: 'proxy_request_buffering off;',
    });
    assert.equal(await asked(), 1);
    const client = await proxy.connect();
    client.send('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nonly a part');
    const early = await client.readMessage();
    assert.equal(early.status, 200);
    await closedAt(backend, 1);
    assert.equal(await asked(), 2);
  });

  test('when the client goes away in the middle of the reply', async (t) => {
    const { proxy, backend } = await startPool(t, {
      script: async (wire) => {
        await wire.readHead();
        wire.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart');
        await wire.readToEnd();
        wire.end();
      },
      location: 'proxy_buffering off;',
    });
    const client = await proxy.connect();
    client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await client.readUntil('\r\n\r\n');
    client.close();
    await closedAt(backend, 1);
    await proxy.logged(/client prematurely closed connection/);
  });

  test('when the client goes away before the reply, and not with proxy_ignore_client_abort', async (t) => {
    let answer: (() => void) | undefined;
    const { proxy, backend, asked } = await startPool(t, {
      handler: async (request, wire) => {
        if (request.target.endsWith('wait')) {
          await new Promise<void>((done) => {
            answer = done;
          });
        }
        return wire.ended ? undefined : sayConnection(request, wire);
      },
      more: 'location /ignore/ { proxy_pass http://pool; proxy_ignore_client_abort on; }',
      upstream: 'keepalive 4;',
    });
    const impatient = await proxy.connect();
    impatient.send('GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until(() => backend.requests.length === 1, 'the request');
    impatient.close();
    await closedAt(backend, 1);
    await proxy.logged(
      /client prematurely closed connection.*while sending request to upstream|client prematurely closed connection, so upstream connection is closed too/,
    );

    const ignored = await proxy.connect();
    ignored.send('GET /ignore/wait HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until(() => backend.requests.length === 2, 'the request');
    ignored.close();
    await settle();
    answer?.();
    await settle();
    assert.equal(await asked(), 2);
  });

  test('when the backend closes in the middle of the body', async (t) => {
    const { ask, backend, proxy, client } = await startPool(t, {
      handler: (request, wire) => {
        wire.end(`HTTP/1.1 200 OK\r\nX-Connection: ${request.connection}\r\nContent-Length: 10\r\n\r\npart`);
        return undefined;
      },
    });
    await assert.rejects(ask('/'));
    assert.equal(client.ended, true);
    await proxy.logged(/upstream prematurely closed connection while reading upstream/);
    await closedAt(backend, 1);
  });

  test('after keepalive_requests', async (t) => {
    const { asked } = await startPool(t, { upstream: 'keepalive 4; keepalive_requests 3;' });
    const numbers = [];
    for (let i = 0; i < 7; i++) {
      numbers.push(await asked());
    }
    assert.deepEqual(numbers, [1, 1, 1, 2, 2, 2, 3]);
  });

  test('after keepalive_time, at the next request', async (t) => {
    const { asked } = await startPool(t, { upstream: 'keepalive 4; keepalive_time 300ms;' });
    assert.equal(await asked(), 1);
    await sleep(400);
    assert.equal(await asked(), 1);
    assert.equal(await asked(), 2);
  });

  test('after keepalive_timeout without a request', async (t) => {
    const { asked, backend } = await startPool(t, { upstream: 'keepalive 4; keepalive_timeout 300ms;' });
    assert.equal(await asked(), 1);
    const from = performance.now();
    await closedAt(backend, 1);
    const took = performance.now() - from;
    assert.ok(took > 200 && took < 1500, `closed after ${took} ms`);
    assert.equal(await asked(), 2);
  });

  test('always, with keepalive 0 or without an upstream block', async (t) => {
    const { asked, proxy, backend } = await startPool(t, { upstream: 'keepalive 0;' });
    assert.deepEqual([await asked(), await asked()], [1, 2]);
    await closedAt(backend, 2);
    assert.equal(backend.requests[0]?.headers.get('connection'), undefined);
    assert.equal(proxy.log.includes('[error]'), false);
  });

  test('always, with proxy_http_version 1.0', async (t) => {
    const { asked, backend } = await startPool(t, {
      location: 'proxy_http_version 1.0;',
      handler: (request) =>
        `HTTP/1.0 200 OK\r\nX-Connection: ${request.connection}\r\nContent-Length: 2\r\n\r\nok`,
    });
    assert.deepEqual([await asked(), await asked()], [1, 2]);
    assert.equal(backend.requests[0]?.head, 'GET / HTTP/1.0\r\nHost: pool\r\n\r\n');
  });
});
