/** Large files with `sendfile on`: whole, in parts, to slow clients and to clients that go away. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { Message } from '../kit/message.ts';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const rig = new Rig();
let proxy: Subject;
const www = join(rig.dir, 'www');
const SIZE = 12_345_678;
/** No two places of it look alike. */
const bytes = Buffer.alloc(SIZE);
for (let i = 0; i + 4 <= SIZE; i += 4) bytes.writeUInt32LE((i * 2654435761) % 2 ** 32, i);
const content = bytes.toString('latin1');

before(async () => {
  mkdirSync(www);
  writeFileSync(join(www, 'big'), bytes);
  mkdirSync(join(www, 'kept'));
  writeFileSync(join(www, 'kept/big'), bytes);
  writeFileSync(join(www, 'middle'), bytes.subarray(0, 100_000));
  writeFileSync(join(www, 'cut'), bytes);
  proxy = await startProxy(rig, {
    // The file that is cut short while it is sent.
    allowAlert: /was truncated|read only/,
    http: `
      default_type text/plain;
      log_format sent '$uri $status $body_bytes_sent $request_completion';
      server {
        listen 127.0.0.1:%port%;
        root %dir%/www;
        sendfile on;
        access_log %dir%/access.log sent;
        location / { }
        location /chunk/ { alias %dir%/www/; sendfile_max_chunk 100k; }
        location /endless/ { alias %dir%/www/; sendfile_max_chunk 0; }
        location /off/ { alias %dir%/www/; sendfile off; }
        location /gzip/ { alias %dir%/www/; gzip on; gzip_types *; }
        location /rate/ { alias %dir%/www/; limit_rate 50k; limit_rate_after 90k; }
        location /timeout/ { alias %dir%/www/; send_timeout 1s; }
        location /cached/ { alias %dir%/www/kept/; open_file_cache max=10; }
      }`,
  });
});
after(() => rig.close());

const get = (target: string, headers = ''): Promise<Message> => proxy.get(target, headers);
const same = (got: string, expected: string): void =>
  assert.ok(got === expected, `${got.length} bytes, wanted ${expected.length}`);

describe('a whole file', () => {
  for (const target of ['/big', '/chunk/big', '/endless/big', '/off/big', '/cached/big', '/cached/big']) {
    test(target, async () => same((await get(target)).body, content));
  }

  test('of some pages', async () => same((await get('/middle')).body, content.slice(0, 100_000)));

  test('through a filter', async () => {
    const got = await get('/gzip/big', 'Accept-Encoding: gzip\r\n');
    assert.ok(gunzipSync(Buffer.from(got.body, 'latin1')).equals(bytes));
  });

  test('is counted in the log', async () => {
    await get('/middle?counted');
    const log = (): string => readFileSync(join(rig.dir, 'access.log'), 'latin1');
    await until(() => log().includes('/middle 200 100000 OK\n'), 'the line');
  });

  test('HEAD, and requests behind each other on one connection', async () => {
    const wire = await proxy.connect();
    const ask = (method: string, target: string): string => `${method} ${target} HTTP/1.1\r\nHost: x\r\n\r\n`;
    wire.send(ask('HEAD', '/big') + ask('GET', '/middle') + ask('GET', '/big') + ask('GET', '/middle'));
    assert.equal((await wire.readMessage('HEAD')).headers.get('content-length'), String(SIZE));
    for (const size of [100_000, SIZE, 100_000])
      same((await wire.readMessage('GET')).body, content.slice(0, size));
  });
});

describe('parts of it', () => {
  for (const [range, from, to] of [
    ['0-0', 0, 1],
    ['5000000-5000009', 5_000_000, 5_000_010],
    ['1-', 1, SIZE],
    ['-1000000', SIZE - 1_000_000, SIZE],
  ] as const) {
    test(range, async () => {
      const got = await get('/big', `Range: bytes=${range}\r\n`);
      assert.equal(got.status, 206);
      assert.equal(got.headers.get('content-range'), `bytes ${from}-${to - 1}/${SIZE}`);
      same(got.body, content.slice(from, to));
    });
  }

  test('several', async () => {
    const got = await get('/big', 'Range: bytes=0-999999,4000000-8999999,-5\r\n');
    assert.equal(got.status, 206);
    const boundary = /boundary=(\d+)/.exec(got.headers.get('content-type') ?? '')?.[1];
    const part = (from: number, to: number): string =>
      `\r\n--${boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes ${from}-${to - 1}/${SIZE}\r\n\r\n` +
      content.slice(from, to);
    same(
      got.body,
      `${part(0, 1_000_000)}${part(4_000_000, 9_000_000)}${part(SIZE - 5, SIZE)}\r\n--${boundary}--\r\n`,
    );
  });
});

const workers = (): string[] =>
  readFileSync(`/proc/${proxy.pid}/task/${proxy.pid}/children`, 'latin1').trim().split(' ');

/** What the workers have open. */
const openFiles = (): string[] =>
  workers().flatMap((pid) => readdirSync(`/proc/${pid}/fd`).map((fd) => linkAt(`/proc/${pid}/fd/${fd}`)));

const linkAt = (path: string): string => {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
};

const resident = (): number => {
  const pages = workers().map((pid) => Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]));
  return pages.reduce((sum, count) => sum + count * 4096, 0);
};

describe('clients', () => {
  test('that are slow cost no memory, and get all', async () => {
    await get('/big');
    const before = resident();
    const wires = await Promise.all(Array.from({ length: 20 }, () => proxy.connect()));
    for (const wire of wires) {
      wire.pause();
      wire.send('GET /big HTTP/1.1\r\nHost: x\r\n\r\n');
    }
    // All are being answered once another one has been.
    await get('/middle');
    assert.ok(resident() - before < 20_000_000, `${resident() - before} bytes for 20 slow clients`);
    for (const wire of wires.slice(0, 3)) {
      wire.resume();
      same((await wire.readMessage('GET')).body, content);
    }
    for (const wire of wires) wire.close();
  });

  test('that go away are let go', async () => {
    const wire = await proxy.connect();
    wire.pause();
    wire.send('GET /big HTTP/1.1\r\nHost: x\r\n\r\n');
    await get('/middle');
    wire.reset();
    same((await get('/big')).body, content);
    await until(() => !openFiles().includes(join(www, 'big')), 'the file is closed');
  });

  test('that take nothing are cut after send_timeout', async () => {
    const wire = await proxy.connect();
    wire.pause();
    const from = proxy.log.length;
    wire.send('GET /timeout/big HTTP/1.1\r\nHost: x\r\n\r\n');
    await proxy.logged({
      includes: 'client timed out (110: Connection timed out) while sending response to client',
      from,
    });
    wire.close();
  });

  test('are held to limit_rate', async () => {
    const started = Date.now();
    same((await get('/rate/middle')).body, content.slice(0, 100_000));
    assert.ok(Date.now() - started < 4000);
  });
});

test('a file that gets shorter meanwhile ends the connection', async () => {
  const wire = await proxy.connect();
  wire.pause();
  const from = proxy.log.length;
  wire.send('GET /cut HTTP/1.1\r\nHost: x\r\n\r\n');
  await get('/middle');
  truncateSync(join(www, 'cut'), 10);
  wire.resume();
  await wire.waitFor(() => wire.ended, 'the end');
  await proxy.logged({ includes: `${www}/cut" was truncated at `, from });
});
