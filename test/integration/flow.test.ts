/** Flow control and tunnels: slow peers on either side, large bodies both ways, memory that stays bounded. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { reply, startBackend, startScript } from '../kit/http-backend.ts';
import { settle } from '../kit/pool-bench.ts';
import { children, residentKb } from '../kit/processes.ts';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { rigFor } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';
import type { Wire } from '../kit/wire.ts';

const MIB = 1024 * 1024;
/** What the proxy may hold of one connection's data, in KiB, the growth of its own heap included. */
const BOUND_KB = 24 * 1024;

/** The worker's memory once it has served something. */
async function memoryAtRest(proxy: Subject): Promise<number> {
  for (let i = 0; i < 20; i++) {
    await proxy.get('/warm');
  }
  return workerMemory(proxy);
}

function workerMemory(proxy: Subject): number {
  return Math.max(...children(proxy.pid).map(residentKb));
}

/** Writes blocks until the kernel takes no more for `quietMs`; returns how many bytes went out. */
async function pour(wire: Wire, limit: number, quietMs = 300): Promise<number> {
  const block = Buffer.alloc(64 * 1024, 'x');
  let sent = 0;
  let blocked = 0;
  while (sent < limit && blocked < quietMs) {
    if (wire.socket.writableNeedDrain) {
      await settle(20);
      blocked += 20;
    } else {
      wire.socket.write(block);
      sent += block.length;
      blocked = 0;
      await new Promise(setImmediate);
    }
  }
  return sent;
}

describe('an endless reply to a client that does not read', () => {
  test('without buffering: the backend is held back and memory is bounded', async (t) => {
    const rig = rigFor(t);
    let poured = 0;
    const backend = await startScript(rig, async (wire) => {
      await wire.readHead();
      wire.send('HTTP/1.1 200 OK\r\n\r\n');
      poured = await pour(wire, 400 * MIB);
      await wire.readToEnd(30_000);
    });
    const proxy = await startProxy(rig, {
      http: `server { listen 127.0.0.1:%port%; location = /warm { return 200; } location / { proxy_buffering off; proxy_pass http://127.0.0.1:${backend.port}; } }`,
    });
    const client = await proxy.connect();
    const before = await memoryAtRest(proxy);
    client.pause().send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => poured > 0, 'a blocked backend', 20_000);
    const grown = workerMemory(proxy) - before;
    t.diagnostic(`${(poured / MIB).toFixed(1)} MiB taken, memory grew by ${grown} KiB`);
    assert.ok(poured < 40 * MIB, `${poured} bytes taken from the backend`);
    assert.ok(grown < BOUND_KB, `memory grew by ${grown} KiB`);
    client.close();
  });

  test('with buffering: a temporary file up to proxy_max_temp_file_size, then the backend is held back', async (t) => {
    const rig = rigFor(t);
    let poured = 0;
    const backend = await startScript(rig, async (wire) => {
      await wire.readHead();
      wire.send('HTTP/1.1 200 OK\r\n\r\n');
      poured = await pour(wire, 400 * MIB, 600);
      await wire.readToEnd(30_000);
    });
    const proxy = await startProxy(rig, {
      http: `server { listen 127.0.0.1:%port%; location = /warm { return 200; } location / {
          proxy_pass http://127.0.0.1:${backend.port}; proxy_max_temp_file_size 16m; proxy_temp_path %dir%/temp; } }`,
    });
    const client = await proxy.connect();
    const before = await memoryAtRest(proxy);
    client.pause().send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => poured > 0, 'a blocked backend', 20_000);
    const grown = workerMemory(proxy) - before;
    t.diagnostic(`${(poured / MIB).toFixed(1)} MiB taken, memory grew by ${grown} KiB`);
    assert.ok(poured > 14 * MIB, `only ${poured} bytes taken`);
    assert.ok(poured < 60 * MIB, `${poured} bytes taken`);
    assert.ok(grown < BOUND_KB, `memory grew by ${grown} KiB`);
    await proxy.logged(/\[warn\].*an upstream response is buffered to a temporary file/);
    client.close();
  });

  test('with buffering the backend is free before a slow client has read, and the client gets every byte', async (t) => {
    const rig = rigFor(t);
    const body = Array.from({ length: 600_000 }, (_, i) => String(i).padStart(9, '0')).join('');
    const backend = await startBackend(rig, () => reply(body));
    const proxy = await startProxy(rig, {
      http: `server { listen 127.0.0.1:%port%; location / { proxy_pass http://127.0.0.1:${backend.port}; } }`,
    });
    const client = await proxy.connect();
    client.pause().send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => backend.accepted === 1 && backend.open === 0, 'the end at the backend', 10_000);
    client.resume();
    const got = await client.readMessage('GET', 20_000);
    assert.equal(got.body.length, body.length);
    assert.equal(got.body === body, true);
    assert.deepEqual(leftovers(join(rig.dir, 'proxy_temp')), []);
  });
});

function leftovers(directory: string): string[] {
  try {
    return readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

describe('an upload', () => {
  test('to a backend that does not read, unbuffered: the client is held back and memory is bounded', async (t) => {
    const rig = rigFor(t);
    const backend = await startScript(rig, async (wire) => {
      await wire.readHead();
      wire.pause();
      await wire.readToEnd(60_000);
    });
    const proxy = await startProxy(rig, {
      http: `server { listen 127.0.0.1:%port%; client_max_body_size 0; location = /warm { return 200; }
        location / { proxy_request_buffering off; proxy_pass http://127.0.0.1:${backend.port}; } }`,
    });
    const client = await proxy.connect();
    const before = await memoryAtRest(proxy);
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${1000 * MIB}\r\n\r\n`);
    const poured = await pour(client, 400 * MIB);
    const grown = workerMemory(proxy) - before;
    t.diagnostic(`${(poured / MIB).toFixed(1)} MiB taken, memory grew by ${grown} KiB`);
    assert.ok(poured < 40 * MIB, `${poured} bytes taken from the client`);
    assert.ok(grown < BOUND_KB, `memory grew by ${grown} KiB`);
    // A client that is held back is not read, so only the backend's end is noticed.
    (await backend.wire(1)).reset();
  });

  test('is streamed when unbuffered: the backend has the first part before the last is sent', async (t) => {
    const rig = rigFor(t);
    const backend = await startScript(rig, async (wire) => {
      await wire.readHead();
      await wire.expect('first');
      client.send('second');
      await wire.expect('second');
      wire.send(reply('done'));
    });
    const proxy = await startProxy(rig, {
      http: `server { listen 127.0.0.1:%port%;
        location / { proxy_request_buffering off; proxy_pass http://127.0.0.1:${backend.port}; } }`,
    });
    const client = await proxy.connect();
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nfirst');
    assert.equal((await client.readMessage()).body, 'done');
  });

  test('chunked and unbuffered stays chunked', async (t) => {
    const rig = rigFor(t);
    const backend = await startBackend(rig, (request) =>
      reply(`${request.headers.get('transfer-encoding')} ${request.body}`),
    );
    const proxy = await startProxy(rig, {
      http: `server { listen 127.0.0.1:%port%;
        location / { proxy_request_buffering off; proxy_pass http://127.0.0.1:${backend.port}; } }`,
    });
    const client = await proxy.connect();
    client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
    await until(() => backend.accepted > 0, 'the upload reaches the backend');
    client.send('2\r\nde\r\n0\r\n\r\n');
    assert.equal((await client.readMessage()).body, 'chunked abcde');
  });

  test('beyond client_body_buffer_size goes to a temporary file, and is removed', async (t) => {
    const rig = rigFor(t);
    const body = 'abcdefgh'.repeat(400_000);
    const backend = await startBackend(rig, (request) => reply(request.body === body ? 'same' : 'differs'));
    const proxy = await startProxy(rig, {
      http: `client_body_temp_path %dir%/body; client_max_body_size 0;
        server { listen 127.0.0.1:%port%; location / { proxy_pass http://127.0.0.1:${backend.port}; } }`,
    });
    const client = await proxy.connect();
    const got = await client.request(
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    assert.equal(got.body, 'same');
    await proxy.logged(/\[warn\].*a client request body is buffered to a temporary file/);
    assert.deepEqual(leftovers(join(rig.dir, 'body')), []);
  });
});

describe('where a body is kept', () => {
  const cases: readonly [name: string, length: number, options: string, file: boolean][] = [
    ['in memory up to a quarter more than client_body_buffer_size', 1279, '', false],
    [
      'in a file from there on',
      1280,
      'client_header_buffer_size 256; large_client_header_buffers 4 512;',
      true,
    ],
    ['in a file where all are', 1, 'client_body_in_file_only clean;', true],
    ['also a body of no bytes', 0, 'client_body_in_file_only clean;', true],
  ];
  for (const [name, length, options, file] of cases) {
    test(name, async (t) => {
      const rig = rigFor(t);
      const backend = await startBackend(rig, (request) => reply(request.headers.get('x-file') ?? 'memory'));
      const proxy = await startProxy(rig, {
        http: `client_body_temp_path %dir%/body; client_body_buffer_size 1k;
          server { listen 127.0.0.1:%port%; ${options}
            location / { proxy_set_header X-File $request_body_file; proxy_pass http://127.0.0.1:${backend.port}; } }`,
      });
      const client = await proxy.connect();
      // The body comes apart from its head: what comes with the head stays where nginx read it.
      const expect = length > 0 ? 'Expect: 100-continue\r\n' : '';
      client.send(`POST / HTTP/1.1\r\nHost: a\r\n${expect}Content-Length: ${length}\r\n\r\n`);
      if (length > 0) assert.equal((await client.readMessage()).status, 100);
      const got = await client.request('b'.repeat(length), 'POST');
      if (file) assert.match(got.body, /\/body\/\d+$/);
      else assert.equal(got.body, 'memory');
      await until(() => leftovers(join(rig.dir, 'body')).length === 0, 'the file is removed');
    });
  }
});

describe('timeouts', () => {
  const cases: readonly [directive: string, status: number, logged: RegExp][] = [
    [
      'proxy_read_timeout 200ms',
      504,
      /upstream timed out \(110: Connection timed out\) while reading response header/,
    ],
  ];
  for (const [directive, status, logged] of cases) {
    test(`${directive}: ${status}`, async (t) => {
      const rig = rigFor(t);
      const backend = await startScript(rig, async (wire) => {
        await wire.readToEnd();
      });
      const proxy = await startProxy(rig, {
        http: `server { listen 127.0.0.1:%port%; location / { ${directive}; proxy_pass http://127.0.0.1:${backend.port}; } }`,
      });
      assert.equal((await proxy.get('/')).status, status);
      await proxy.logged(logged);
    });
  }

  test('proxy_read_timeout in the middle of a body closes the client connection', async (t) => {
    const rig = rigFor(t);
    const backend = await startScript(rig, async (wire) => {
      await wire.readHead();
      wire.send(`HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart`);
      await wire.readToEnd();
    });
    const proxy = await startProxy(rig, {
      http: `server { listen 127.0.0.1:%port%; location / { proxy_buffering off; proxy_read_timeout 200ms; proxy_pass http://127.0.0.1:${backend.port}; } }`,
    });
    const client = await proxy.connect();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.match(await client.readToEnd(), /\r\n\r\npart$/);
    await proxy.logged(/upstream timed out \(110: Connection timed out\) while reading upstream/);
  });

  test('send_timeout closes a client that does not read', async (t) => {
    const rig = rigFor(t);
    const backend = await startBackend(rig, () => reply('x'.repeat(20 * MIB)));
    const proxy = await startProxy(rig, {
      http: `server { listen 127.0.0.1:%port%; location / { send_timeout 300ms; proxy_max_temp_file_size 0; proxy_pass http://127.0.0.1:${backend.port}; } }`,
    });
    const client = await proxy.connect();
    client.pause().send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await proxy.logged(/client timed out \(110: Connection timed out\) while sending to client/);
    client.close();
  });
});

describe('an upgraded connection', () => {
  const location =
    'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection; proxy_read_timeout 2s;';

  test('carries bytes both ways, also those sent with the heads, and large ones', async (t) => {
    const rig = rigFor(t);
    const backend = await startScript(rig, async (wire) => {
      const head = await wire.readHead();
      assert.match(head, /Upgrade: websocket/);
      assert.match(head, /Connection: Upgrade/);
      wire.send(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nhello',
      );
      await wire.expect('early');
      wire.send('got early');
      wire.send(await wire.readBytes(3 * MIB));
      wire.end();
      await wire.readToEnd();
    });
    const proxy = await startProxy(rig, {
      http: `server { listen 127.0.0.1:%port%; location / { ${location} proxy_pass http://127.0.0.1:${backend.port}; } }`,
    });
    const client = await proxy.connect();
    client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly');
    const switched = await client.readMessage();
    assert.equal(switched.status, 101);
    assert.equal(switched.headers.get('upgrade'), 'websocket');
    assert.equal(switched.headers.get('connection'), 'upgrade');
    assert.equal(switched.headers.get('sec-websocket-accept'), 'x');
    await client.expect('hello');
    await client.expect('got early');
    const large = Buffer.alloc(3 * MIB, 'websocket');
    client.send(large);
    assert.equal(large.equals(await client.readBytes(3 * MIB)), true);
    await client.expectEnd();
  });

  test('ends when the client ends', async (t) => {
    const rig = rigFor(t);
    const backend = await startScript(rig, async (wire) => {
      await wire.readHead();
      wire.send('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n');
      await wire.readToEnd();
      wire.end();
    });
    const proxy = await startProxy(rig, {
      http: `server { listen 127.0.0.1:%port%; location / { ${location} proxy_pass http://127.0.0.1:${backend.port}; } }`,
    });
    const client = await proxy.connect();
    await client.request('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
    client.close();
    await until(() => backend.open === 0, 'the end at the backend');
  });

  test('is closed after proxy_read_timeout without a byte', async (t) => {
    const rig = rigFor(t);
    const backend = await startScript(rig, async (wire) => {
      await wire.readHead();
      wire.send('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n');
      await wire.readToEnd();
    });
    const proxy = await startProxy(rig, {
      http: `server { listen 127.0.0.1:%port%; location / { ${location.replace('2s', '300ms')} proxy_pass http://127.0.0.1:${backend.port}; } }`,
    });
    const client = await proxy.connect();
    await client.request('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
    await client.expectEnd();
    await proxy.logged(/upstream timed out \(110: Connection timed out\) while proxying upgraded connection/);
  });
});
