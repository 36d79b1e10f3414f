/** The pool itself, and requests that meet a stale connection of it; counted at the backend. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Handler } from '../kit/http-backend.ts';
import { reply, sayConnection } from '../kit/http-backend.ts';
import { closedAt, settle, startPool } from '../kit/pool-bench.ts';
import { freePorts } from '../kit/ports.ts';
import { until } from '../kit/wait.ts';
import type { Wire } from '../kit/wire.ts';

describe('the pool', () => {
  /** Sends `count` requests at once, each held until all are there; their connections are then idle in order. */
  async function fill(bench: Awaited<ReturnType<typeof startPool>>, holds: Wire[], count: number) {
    const clients = [];
    for (let i = 0; i < count; i++) {
      const client = await bench.proxy.connect();
      client.send('GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await until(() => holds.length === i + 1, 'a held request');
      clients.push(client);
    }
    for (let i = 0; i < count; i++) {
      holds[i]?.send(reply(`connection ${i + 1}`));
      await clients[i]?.readMessage();
    }
  }

  test('closes the least recently used connection when it is full', async (t) => {
    const holds: Wire[] = [];
    const bench = await startPool(t, {
      upstream: 'keepalive 2;',
      handler: (request, wire) => {
        if (request.target === '/hold') {
          holds.push(wire);
          return undefined;
        }
        return sayConnection(request, wire);
      },
    });
    await fill(bench, holds, 3);
    await closedAt(bench.backend, 1);
    await settle();
    assert.equal(bench.backend.open, 2);
    assert.equal(await bench.asked(), 3, 'the most recently used is taken first');
  });

  test('keeps the connection of an attempt that follows a refused one', async (t) => {
    const [dead] = await freePorts(1);
    const bench = await startPool(t, { upstream: `server 127.0.0.1:${dead} weight=100 max_fails=0;` });
    assert.equal(await bench.asked(), 1);
    assert.equal(await bench.asked(), 1);
  });

  test('drops a connection that the backend closes while it is idle', async (t) => {
    const { asked, backend, proxy } = await startPool(t);
    assert.equal(await asked(), 1);
    (await backend.wire(1)).end();
    await closedAt(backend, 1);
    assert.equal(await asked(), 2);
    assert.equal(proxy.log.includes('[error]'), false);
  });

  test('drops a connection that is reset while it is idle', async (t) => {
    const { asked, backend, proxy } = await startPool(t);
    assert.equal(await asked(), 1);
    (await backend.wire(1)).reset();
    await settle();
    assert.equal(await asked(), 2);
    assert.equal(proxy.log.includes('[error]'), false);
  });

  test('drops a connection on which any byte comes while it is idle', async (t) => {
    const { asked, backend } = await startPool(t);
    assert.equal(await asked(), 1);
    (await backend.wire(1)).send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstale');
    await closedAt(backend, 1);
    assert.equal(await asked(), 2);
  });

  test('is emptied at a graceful stop', async (t) => {
    const { asked, backend, proxy } = await startPool(t);
    assert.equal(await asked(), 1);
    await proxy.stop();
    await closedAt(backend, 1);
  });
});

describe('a request that meets a close on a reused connection', () => {
  /** The first request of each connection is answered; at the second the connection is closed without a byte. */
  const staleOnce: Handler = (request, wire) => {
    if (request.connection === 1 && request.request === 2) {
      wire.close();
      return undefined;
    }
    return sayConnection(request, wire);
  };

  test('is sent again when it is a GET, and the server is not counted as failed', async (t) => {
    const { asked, backend, proxy } = await startPool(t, { handler: staleOnce, server: 'max_fails=1' });
    assert.equal(await asked(), 1);
    assert.equal(await asked(), 2);
    assert.equal(await asked(), 2);
    assert.equal(backend.requests.length, 4);
    await proxy.logged(/upstream prematurely closed connection while reading response header from upstream/);
  });

  test('is sent again when the close is a reset', async (t) => {
    const { asked } = await startPool(t, {
      handler: (request, wire) => {
        if (request.connection === 1 && request.request === 2) {
          wire.reset();
          return undefined;
        }
        return sayConnection(request, wire);
      },
    });
    assert.deepEqual([await asked(), await asked()], [1, 2]);
  });

  test('is not sent again when it is a POST', async (t) => {
    const { asked, ask, backend } = await startPool(t, { handler: staleOnce });
    assert.equal(await asked(), 1);
    const failed = await ask('/', 'POST', 'Content-Length: 1\r\n\r\nx');
    assert.equal(failed.status, 502);
    assert.equal(backend.requests.length, 2);
    assert.equal(await asked(), 2);
  });

  test('is sent again when it is a POST and proxy_next_upstream says non_idempotent', async (t) => {
    const { asked, ask, backend } = await startPool(t, {
      handler: staleOnce,
      location: 'proxy_next_upstream error non_idempotent;',
    });
    assert.equal(await asked(), 1);
    const again = await ask('/', 'POST', 'Content-Length: 5\r\n\r\nhello');
    assert.equal(again.status, 200);
    assert.deepEqual(
      backend.requests.map((request) => request.body),
      ['', 'hello', 'hello'],
    );
  });

  test('is not sent again with proxy_next_upstream off', async (t) => {
    const { asked, ask } = await startPool(t, { handler: staleOnce, location: 'proxy_next_upstream off;' });
    assert.equal(await asked(), 1);
    assert.equal((await ask('/')).status, 502);
  });

  test('is not sent again when it was the first on its connection', async (t) => {
    const { ask, backend } = await startPool(t, {
      handler: (_, wire) => {
        wire.close();
        return undefined;
      },
    });
    assert.equal((await ask('/')).status, 502);
    assert.equal(backend.accepted, 1);
  });

  test('goes through all stale connections to a new one', async (t) => {
    let stale = false;
    const holds: Wire[] = [];
    const { proxy, backend, asked } = await startPool(t, {
      upstream: 'keepalive 8;',
      handler: (request, wire) => {
        if (request.target === '/hold') {
          holds.push(wire);
          return undefined;
        }
        if (stale && request.connection <= 3) {
          wire.close();
          return undefined;
        }
        return sayConnection(request, wire);
      },
    });
    const clients = [];
    for (let i = 0; i < 3; i++) {
      const client = await proxy.connect();
      client.send('GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n');
      clients.push(client);
    }
    await until(() => holds.length === 3, 'three requests');
    for (const hold of holds) {
      hold.send(reply('held'));
    }
    for (const client of clients) {
      await client.readMessage();
    }
    stale = true;
    assert.equal(await asked(), 4);
    assert.equal(backend.accepted, 4);
  });
});
