/** Replies that are kept: what is kept and how long, what answers for it, locks, variants, revalidation, stale ones. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Backend, startBackend } from '../kit/http-backend.ts';
import type { Message } from '../kit/message.ts';
import { IS_NGINX, type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const rig = new Rig();
let proxy: Subject;
let backend: Backend;
/** What the backend adds to each reply, by path; `status` and `body` replace the usual ones. */
const says = new Map<
  string,
  { status?: string; lines?: string; body?: string; wait?: Promise<void>; close?: boolean }
>();

before(async () => {
  backend = await startBackend(rig, async ({ target, request, connection }, wire) => {
    const path = target.split('?')[0] ?? '';
    const { status = '200 OK', lines = '', body, wait, close } = says.get(path) ?? {};
    await wait;
    if (close) {
      wire.close();
      return undefined;
    }
    const text = body ?? `${path} ${connection}-${request} ${backend.requests.length}`;
    return `HTTP/1.1 ${status}\r\nContent-Length: ${text.length}\r\n${lines}\r\n${text}`;
  });
  proxy = await startProxy(rig, {
    workers: 2,
    http: `
      proxy_cache_path %dir%/cache levels=1:2 keys_zone=one:1m inactive=1h;
      proxy_cache_path %dir%/flat keys_zone=two:1m use_temp_path=off;
      proxy_cache_path %dir%/short keys_zone=three:1m inactive=1s;
      map $arg_store $store { default two; off off; }
      add_header X-Cache $upstream_cache_status always;
      proxy_cache_key $uri$is_args$args;
      server {
        listen 127.0.0.1:%port%;
        location / {
          proxy_pass http://127.0.0.1:${backend.port};
          proxy_cache one; proxy_cache_valid 200 1h; proxy_cache_valid 404 1h;
          proxy_cache_bypass $arg_bypass; proxy_no_cache $arg_skip;
        }
        location /variable { proxy_pass http://127.0.0.1:${backend.port}; proxy_cache $store; proxy_cache_valid any 1h; }
        location /uses { proxy_pass http://127.0.0.1:${backend.port}; proxy_cache two; proxy_cache_valid any 1h; proxy_cache_min_uses 3; }
        location /lock { proxy_pass http://127.0.0.1:${backend.port}; proxy_cache two; proxy_cache_valid any 1h; proxy_cache_lock on; }
        location /stale {
          proxy_pass http://127.0.0.1:${backend.port}; proxy_cache two;
          proxy_cache_use_stale error timeout http_500 updating;
        }
        location /renew { proxy_pass http://127.0.0.1:${backend.port}; proxy_cache two; proxy_cache_revalidate on; }
        location /behind {
          proxy_pass http://127.0.0.1:${backend.port}; proxy_cache two;
          proxy_cache_use_stale updating; proxy_cache_background_update on;
        }
        location /short { proxy_pass http://127.0.0.1:${backend.port}; proxy_cache three; proxy_cache_valid any 1h; }
        location /post { proxy_pass http://127.0.0.1:${backend.port}; proxy_cache two; proxy_cache_valid any 1h; proxy_cache_methods POST; }
      }`,
  });
});
after(() => rig.close());

const status = async (target: string, headers = ''): Promise<string> =>
  (await proxy.get(target, headers)).headers.get('x-cache') ?? '';

/** Sends a request and reports what of it was kept. */
const twice = async (target: string, headers = ''): Promise<[Message, Message]> => [
  await proxy.get(target, headers),
  await proxy.get(target, headers),
];

describe('what is kept', () => {
  test('a reply, for all workers', async () => {
    assert.equal(await status('/a'), 'MISS');
    const bodies = new Set<string>();
    for (let i = 0; i < 8; i++) {
      const got = await proxy.get('/a');
      assert.equal(got.headers.get('x-cache'), 'HIT');
      bodies.add(got.body);
    }
    assert.equal(bodies.size, 1);
    const files = readdirSync(join(rig.dir, 'cache'), { recursive: true }).map(String);
    assert.ok(files.some((name) => /^[0-9a-f]\/[0-9a-f]{2}\/[0-9a-f]{32}$/.test(name)));
  });

  test('a long one, byte for byte', async () => {
    says.set('/long', { body: Array.from({ length: 40_000 }, (_, i) => `line ${i}\n`).join('') });
    const [first, second] = await twice('/long');
    assert.equal(second.headers.get('x-cache'), 'HIT');
    assert.equal(second.body, first.body);
  });

  const cases: readonly [name: string, lines: string, kept: boolean, status?: string][] = [
    ['by proxy_cache_valid', '', true],
    ['a status of proxy_cache_valid', '', true, '404 Not Found'],
    ['no other status', '', false, '403 Forbidden'],
    ['by max-age', 'Cache-Control: max-age=100\r\n', true, '403 Forbidden'],
    ['by s-maxage', 'Cache-Control: max-age=0, s-maxage=10\r\n', true],
    ['not max-age=0', 'Cache-Control: max-age=0\r\n', false],
    ['not no-cache', 'Cache-Control: no-cache\r\n', false],
    ['not no-store', 'Cache-Control: no-store\r\n', false],
    ['not private', 'Cache-Control: private, max-age=10\r\n', false],
    ['by Expires', 'Expires: Thu, 31 Dec 2037 23:55:55 GMT\r\n', true, '403 Forbidden'],
    ['not what has expired', 'Expires: Thu, 01 Jan 1970 00:00:01 GMT\r\n', false],
    [
      'max-age before Expires',
      'Expires: Thu, 01 Jan 1970 00:00:01 GMT\r\nCache-Control: max-age=9\r\n',
      true,
    ],
    ['X-Accel-Expires before all', 'Cache-Control: no-cache\r\nX-Accel-Expires: 10\r\n', true],
    ['not X-Accel-Expires: 0', 'X-Accel-Expires: 0\r\n', false],
    ['by X-Accel-Expires with a time', 'X-Accel-Expires: @2147483647\r\n', true, '403 Forbidden'],
    ['not with Set-Cookie', 'Set-Cookie: a=b\r\n', false],
    ['not with Vary: *', 'Vary: *\r\n', false],
    ['a bad max-age', 'Cache-Control: max-age=x\r\n', false],
  ];
  cases.forEach(([name, lines, kept, line], index) => {
    test(name, async () => {
      const path = `/case-${index}`;
      says.set(path, { lines, ...(line === undefined ? {} : { status: line }) });
      const [, second] = await twice(path);
      assert.equal(second.headers.get('x-cache'), kept ? 'HIT' : 'MISS');
      if (line !== undefined) assert.equal(`${second.status}`, line.slice(0, 3));
    });
  });

  test('not with proxy_no_cache', async () => {
    assert.deepEqual([await status('/skip?skip=1'), await status('/skip?skip=1')], ['MISS', 'MISS']);
  });

  test('bypassed, and kept anew', async () => {
    const [first] = await twice('/bypass?x');
    const got = await proxy.get('/bypass?x&bypass=0');
    assert.notEqual(got.body, first.body);
    assert.equal(await status('/other?bypass=1'), 'BYPASS');
    assert.equal(await status('/other?bypass=1'), 'BYPASS');
  });

  test('a store by name', async () => {
    assert.deepEqual([await status('/variable'), await status('/variable')], ['MISS', 'HIT']);
    assert.equal(await status('/variable?store=off'), '');
  });

  test('after so many uses', async () => {
    const seen = [await status('/uses'), await status('/uses'), await status('/uses'), await status('/uses')];
    assert.deepEqual(seen, ['MISS', 'MISS', 'MISS', 'HIT']);
  });

  test('HEAD is asked for as GET, and answers from it', async () => {
    const wire = await proxy.connect();
    const first = await wire.request('HEAD /head HTTP/1.1\r\nHost: localhost\r\n\r\n');
    assert.equal(first.headers.get('x-cache'), 'MISS');
    assert.equal(backend.requests.at(-1)?.method, 'GET');
    const second = await wire.request('GET /head HTTP/1.1\r\nHost: localhost\r\n\r\n');
    assert.equal(second.headers.get('x-cache'), 'HIT');
    assert.equal(second.body.length, Number(first.headers.get('content-length')));
  });

  test('POST where proxy_cache_methods has it', async () => {
    const post = async (): Promise<string | undefined> => {
      const wire = await proxy.connect();
      const got = await wire.request('POST /post HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx');
      return got.headers.get('x-cache');
    };
    assert.deepEqual([await post(), await post()], ['MISS', 'HIT']);
  });

  test('not what has come only in part', async () => {
    says.set('/cut', { lines: '', body: 'x' });
    says.set('/cut', { close: true });
    assert.equal((await proxy.get('/cut')).status, 502);
    says.delete('/cut');
    assert.equal(await status('/cut'), 'MISS');
  });
});

describe('what a kept reply answers', () => {
  const MODIFIED = 'Last-Modified: Tue, 05 Mar 2024 06:07:08 GMT\r\nETag: "tag"\r\nAccept-Ranges: bytes\r\n';
  before(() => says.set('/facts', { lines: MODIFIED, body: '0123456789' }));
  const cases: readonly [headers: string, status: number, body: string][] = [
    ['If-None-Match: "tag"', 304, ''],
    ['If-Modified-Since: Tue, 05 Mar 2024 06:07:08 GMT', 304, ''],
    ['If-Match: "other"', 412, ''],
    ['Range: bytes=2-4', 206, '234'],
    ['Range: bytes=20-', 416, ''],
    ['Range: bytes=2-4\r\nIf-Range: "tag"', 206, '234'],
  ];
  for (const [headers, wanted, body] of cases) {
    test(headers, async () => {
      await proxy.get('/facts');
      const got = await proxy.get('/facts', `${headers}\r\n`);
      assert.equal(got.status, wanted);
      if (wanted < 300) assert.equal(got.body, body);
    });
  }

  test('the client’s conditions and ranges are not passed on', async () => {
    await proxy.get('/fresh', 'Range: bytes=0-1\r\nIf-None-Match: "x"\r\nIf-Modified-Since: now\r\n');
    const { headers } = backend.requests.at(-1) ?? { headers: new Map() };
    for (const name of ['range', 'if-none-match', 'if-modified-since'])
      assert.equal(headers.get(name), undefined);
  });

  test('variants by Vary', async () => {
    says.set('/vary', { lines: 'Vary: X-Kind, Accept-Encoding\r\n' });
    assert.equal(await status('/vary', 'X-Kind: a\r\nAccept-Encoding: gzip, br\r\n'), 'MISS');
    assert.equal(await status('/vary', 'X-Kind: b\r\nAccept-Encoding: gzip, br\r\n'), 'MISS');
    assert.equal(await status('/vary', 'X-Kind: a\r\nAccept-Encoding: gzip,br\r\n'), 'HIT');
    assert.equal(await status('/vary', 'X-Kind: b\r\nAccept-Encoding: gzip ,br\r\n'), 'HIT');
    assert.equal(await status('/vary'), 'MISS');
  });
});

describe('a file that changes between two hits', () => {
  /** The file of a key of the first store. */
  const fileOf = (key: string): string => {
    const name = createHash('md5').update(key).digest('hex');
    return join(rig.dir, 'cache', name.slice(-1), name.slice(-3, -1), name);
  };

  /** Bodies and `$upstream_cache_status` of some hits, by whichever workers. */
  const hits = async (target: string): Promise<ReadonlySet<string>> => {
    const seen = new Set<string>();
    for (let i = 0; i < 60; i++) {
      const { headers, body } = await proxy.get(target);
      seen.add(`${headers.get('x-cache')} ${body}`);
    }
    return seen;
  };

  /** Keeps a reply of `path`, and has it served until the workers may have it in memory; answers with its file. */
  const settled = async (path: string): Promise<string> => {
    says.set(path, { body: 'first' });
    await proxy.get(path);
    const file = fileOf(path);
    await until(() => existsSync(file) && Date.now() - statSync(file).ctimeMs > 150, 'a settled file');
    assert.deepEqual([...(await hits(path))], ['HIT first']);
    says.set(path, { body: 'again' });
    return file;
  };

  test('deleted: the reply is fetched', async () => {
    rmSync(await settled('/changes/deleted'));
    assert.deepEqual([...(await hits('/changes/deleted'))], ['MISS again', 'HIT again']);
  });

  test('emptied: the reply is fetched', async () => {
    truncateSync(await settled('/changes/emptied'), 0);
    assert.deepEqual([...(await hits('/changes/emptied'))], ['MISS again', 'HIT again']);
  });

  test('in place of another: the other reply is fetched', async () => {
    copyFileSync(await settled('/changes/other'), await settled('/changes/overwritten'));
    assert.deepEqual([...(await hits('/changes/overwritten'))], ['MISS again', 'HIT again']);
  });

  test('replaced by one of the same length', async () => {
    const file = await settled('/changes/replaced');
    const bytes = readFileSync(file);
    bytes.write('other', bytes.length - 5);
    writeFileSync(`${file}.new`, bytes, { mode: 0o644 });
    renameSync(`${file}.new`, file);
    assert.deepEqual([...(await hits('/changes/replaced'))], ['HIT other']);
  });

  test('written in place', async () => {
    const file = await settled('/changes/written');
    const fd = openSync(file, 'r+');
    writeSync(fd, 'other', statSync(file).size - 5);
    closeSync(fd);
    assert.deepEqual([...(await hits('/changes/written'))], ['HIT other']);
  });

  test('one of several variants', async () => {
    says.set('/changes/vary', { lines: 'Vary: X-Kind\r\n' });
    const kinds = ['a', 'b', 'c'].map((kind) => `X-Kind: ${kind}\r\n`);
    const first = new Map<string, string>();
    for (const kind of kinds) first.set(kind, (await proxy.get('/changes/vary', kind)).body);
    const main = fileOf('/changes/vary');
    await until(() => existsSync(main) && Date.now() - statSync(main).ctimeMs > 300, 'settled files');
    for (let i = 0; i < 20; i++) {
      for (const kind of kinds) {
        const { headers, body } = await proxy.get('/changes/vary', kind);
        assert.deepEqual([headers.get('x-cache'), body], ['HIT', first.get(kind)]);
      }
    }
    rmSync(main);
    // Without the main file nobody knows what the replies vary with, until one of them is fetched.
    const again: string[] = [];
    for (const kind of kinds) again.push(await status('/changes/vary', kind));
    assert.deepEqual(again, ['MISS', 'HIT', 'HIT']);
  });

  test('not at all: HEAD, conditions and ranges are answered from it', async () => {
    says.set('/changes/not', { lines: 'ETag: "t"\r\nAccept-Ranges: bytes\r\n', body: '0123456789' });
    await proxy.get('/changes/not');
    const file = fileOf('/changes/not');
    await until(() => existsSync(file) && Date.now() - statSync(file).ctimeMs > 150, 'a settled file');
    for (let i = 0; i < 20; i++) {
      const part = await proxy.get('/changes/not', 'Range: bytes=2-4\r\n');
      assert.deepEqual([part.status, part.body], [206, '234']);
      const parts = await proxy.get('/changes/not', 'Range: bytes=0-0,8-\r\n');
      assert.deepEqual(
        [parts.status, /\r\n\r\n0\r\n--[\s\S]*\r\n\r\n89\r\n--/.test(parts.body)],
        [206, true],
      );
      assert.equal((await proxy.get('/changes/not', 'If-None-Match: "t"\r\n')).status, 304);
      assert.equal((await proxy.get('/changes/not')).body, '0123456789');
    }
    assert.equal(backend.requests.filter(({ target }) => target === '/changes/not').length, 1);
  });
});

/** Waits until a reply that was fresh for one second is not any more. */
const expiry = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2100));

describe('past its time', () => {
  test('fetched again, revalidated, or used all the same', async () => {
    const brief = { lines: 'Cache-Control: max-age=1\r\nETag: "t"\r\n' };
    for (const path of ['/e', '/stale/500', '/stale/error', '/renew', '/behind', '/x-stale-if-error'])
      says.set(path, brief);
    says.set('/x-stale-if-error', { lines: 'Cache-Control: max-age=1, stale-if-error=100\r\n' });
    const before = new Map<string, string>();
    for (const path of says.keys()) before.set(path, (await proxy.get(path)).body);
    await expiry();

    assert.equal(await status('/e'), 'EXPIRED');
    says.set('/stale/500', { status: '500 Broken' });
    assert.equal(await status('/stale/500'), 'STALE');
    says.set('/stale/error', { close: true });
    const stale = await proxy.get('/stale/error');
    assert.deepEqual([stale.headers.get('x-cache'), stale.body], ['STALE', before.get('/stale/error')]);
    says.set('/x-stale-if-error', { close: true });
    assert.equal(await status('/x-stale-if-error'), 'STALE');

    says.set('/renew', { status: '304 Not Modified', lines: 'Cache-Control: max-age=100\r\n', body: '' });
    const renewed = await proxy.get('/renew');
    assert.deepEqual([renewed.headers.get('x-cache'), renewed.body], ['REVALIDATED', before.get('/renew')]);
    assert.equal(backend.requests.at(-1)?.headers.get('if-none-match'), '"t"');
    assert.equal(await status('/renew'), 'HIT');

    says.set('/behind', { body: 'new', lines: 'Cache-Control: max-age=100\r\n' });
    const old = await proxy.get('/behind');
    assert.deepEqual([old.headers.get('x-cache'), old.body], ['STALE', before.get('/behind')]);
    let body = '';
    for (let i = 0; i < 100 && body !== 'new'; i++) ({ body } = await proxy.get('/behind'));
    assert.equal(body, 'new');
  });
});

describe('many at once', () => {
  test('one of them fetches, where proxy_cache_lock says so', async () => {
    let release = (): void => undefined;
    says.set('/lock', { wait: new Promise((resolve) => (release = resolve)) });
    const count = (): number => backend.requests.filter(({ target }) => target === '/lock').length;
    const all = [1, 2, 3, 4].map(() => proxy.get('/lock'));
    await until(() => count() === 1, 'the first request');
    release();
    const seen = (await Promise.all(all)).map(({ headers }) => headers.get('x-cache')).sort();
    assert.deepEqual(seen, ['HIT', 'HIT', 'HIT', 'MISS']);
    assert.equal(count(), 1);
  });

  // nginx gives it up when the client leaves before the head of the reply is there.
  test('a client that goes away does not keep a reply from being kept', { skip: IS_NGINX }, async () => {
    const files = (): readonly unknown[] => readdirSync(join(rig.dir, 'cache'), { recursive: true });
    const before = files().length;
    let release = (): void => undefined;
    says.set('/gone', { wait: new Promise((resolve) => (release = resolve)) });
    const wire = await proxy.connect();
    wire.send('GET /gone HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until(() => backend.requests.some(({ target }) => target === '/gone'), 'the request');
    wire.close();
    release();
    await until(() => files().length > before, 'a file');
    assert.equal(await status('/gone'), 'HIT');
    assert.equal(backend.requests.filter(({ target }) => target === '/gone').length, 1);
  });
});

test('what nobody asks for is taken away', async () => {
  assert.equal(await status('/short'), 'MISS');
  const files = (): string[] =>
    readdirSync(join(rig.dir, 'short'), { recursive: true })
      .map(String)
      .filter((name) => name.length >= 32);
  await until(() => files().length === 1, 'a file');
  await until(() => files().length === 0, 'no file', 20_000);
  assert.equal(await status('/short'), 'MISS');
});
