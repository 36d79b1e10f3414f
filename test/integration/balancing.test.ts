/** `random` and `least_time` over real connections, alone and with a zone for all workers. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Backend, type Handler, reply, startBackend } from '../kit/http-backend.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { rigFor } from '../kit/rig.ts';
import type { Wire } from '../kit/wire.ts';

/** How late the slower of two servers is, ms: more than a busy machine makes of the other one. */
const LATE = 400;

const names = async (proxy: Subject, count: number, target = '/'): Promise<string> => {
  const seen: string[] = [];
  for (let i = 0; i < count; i++) {
    const { status, body } = await proxy.get(target);
    seen.push(status === 200 ? body : `${status}`);
  }
  return seen.join(' ');
};

const conf = (method: string, servers: readonly Backend[], parameters: readonly string[] = []): string => `
  upstream u {
    ${method};
    ${servers.map(({ port }, i) => `server 127.0.0.1:${port} ${parameters[i] ?? ''};`).join(' ')}
  }
  server { listen 127.0.0.1:%port%; location / { proxy_pass http://u; } }`;

const saying =
  (name: string): Handler =>
  () =>
    reply(name);

describe('random', { concurrency: true }, () => {
  test('goes everywhere', async (t) => {
    const rig = rigFor(t);
    const servers = [await startBackend(rig, saying('a')), await startBackend(rig, saying('b'))];
    const proxy = await startProxy(rig, { http: conf('random', servers, ['', 'weight=2']) });
    const seen = (await names(proxy, 60)).split(' ');
    assert.deepEqual([...new Set(seen)].sort(), ['a', 'b']);
  });

  test('tries each server once', async (t) => {
    const rig = rigFor(t);
    const servers = [await startBackend(rig), await startBackend(rig)];
    const good = await startBackend(rig, saying('good'));
    const parameters = ['max_fails=0', 'max_fails=0'];
    const proxy = await startProxy(rig, { http: conf('random', [...servers, good], parameters) });
    for (const server of servers) await server.close();
    assert.equal(await names(proxy, 8), Array(8).fill('good').join(' '));
    await good.close();
    assert.equal(await names(proxy, 1), '502');
  });

  for (const [name, zone, workers] of [
    ['of this worker', '', 1],
    ['of all workers, with a zone', 'zone u 64k;', 3],
  ] as const) {
    test(`two: the less busy one, ${name}`, async (t) => {
      const rig = rigFor(t);
      const held: Wire[] = [];
      const hold =
        (server: string): Handler =>
        ({ target }, wire) => {
          if (target !== '/hold') return reply(server);
          held.push(wire);
          return undefined;
        };
      const servers = [await startBackend(rig, hold('a')), await startBackend(rig, hold('b'))];
      const proxy = await startProxy(rig, { workers, http: conf(`${zone} random two`, servers) });
      const waiting = [];
      for (let i = 0; i < 6; i++) {
        const wire = await proxy.connect();
        wire.send('GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n');
        waiting.push(wire);
        while (held.length <= i) await sleep(5);
      }
      // Of two servers both are drawn: they take turns, whoever asks.
      assert.deepEqual(
        servers.map(({ requests }) => requests.length),
        [3, 3],
      );
      for (const wire of held) wire.send(reply('held'));
      for (const wire of waiting) assert.equal((await wire.readMessage()).body, 'held');
    });
  }
});

describe('least_time', { concurrency: true }, () => {
  test('header: the server whose heads come first', async (t) => {
    const rig = rigFor(t);
    const servers = [
      await startBackend(rig, async () => {
        await sleep(LATE);
        return reply('late');
      }),
      await startBackend(rig, saying('soon')),
    ];
    const proxy = await startProxy(rig, { http: conf('least_time header', servers) });
    assert.equal(await names(proxy, 5), 'late soon soon soon soon');
  });

  test('last_byte: the server that is done first', async (t) => {
    const rig = rigFor(t);
    const slowBody: Handler = async (_request, wire) => {
      wire.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nla');
      await sleep(LATE);
      wire.send('te');
      return undefined;
    };
    const servers = [await startBackend(rig, slowBody), await startBackend(rig, saying('soon'))];
    const proxy = await startProxy(rig, { http: conf('least_time LAST_BYTE inflight', servers) });
    assert.equal(await names(proxy, 5), 'late soon soon soon soon');
  });

  test('knows it in all workers, with a zone', async (t) => {
    const rig = rigFor(t);
    const servers = [
      await startBackend(rig, async () => {
        await sleep(LATE);
        return reply('late');
      }),
      await startBackend(rig, saying('soon')),
    ];
    const proxy = await startProxy(rig, {
      workers: 3,
      http: conf('zone u 64k; least_time header inflight', servers),
    });
    assert.equal(await names(proxy, 9), `late${' soon'.repeat(8)}`);
  });

  test('leaves out what fails, and uses backups', async (t) => {
    const rig = rigFor(t);
    const gone = await startBackend(rig);
    const servers = [
      gone,
      await startBackend(rig, saying('good')),
      await startBackend(rig, saying('backup')),
    ];
    const proxy = await startProxy(rig, {
      http: conf('least_time last_byte', servers, ['', 'max_conns=1', 'backup']),
    });
    await gone.close();
    assert.equal(await names(proxy, 3), 'good good good');
    await servers[1]?.close();
    assert.equal(await names(proxy, 2), 'backup backup');
  });
});
