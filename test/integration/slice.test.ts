/** `slice`: a reply put together from parts that are asked for one by one. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Backend, startBackend } from '../kit/http-backend.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';

const rig = new Rig();
let proxy: Subject;
let bad: Backend;
const TEXT = '0123456789abcdef';

before(async () => {
  const www = join(rig.dir, 'www');
  mkdirSync(www);
  writeFileSync(join(www, 't'), TEXT);
  const part = (range: string, tag = '"a"'): string =>
    `HTTP/1.1 206 Partial\r\nContent-Length: 4\r\nETag: ${tag}\r\nContent-Range: bytes ${range}\r\n\r\nabcd`;
  bad = await startBackend(rig, ({ target, headers }) => {
    const first = headers.get('range') === 'bytes=0-3';
    switch (target) {
      case '/status':
        return first ? part('0-3/16') : 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd';
      case '/tag':
        return part(`${headers.get('range')?.slice(6)}/16`, `"${headers.get('range')}"`);
      case '/length':
        return part('0-3/*');
      case '/range':
        return part('0-2/16');
      case '/none':
        return part('nothing');
      default:
        return part(`${headers.get('range')?.slice(6)}/16`);
    }
  });
  proxy = await startProxy(rig, {
    http: `
      server {
        listen 127.0.0.1:%port:back%;
        location / { root %dir%/www; }
      }
      server {
        listen 127.0.0.1:%port%;
        slice 4;
        proxy_set_header Range $slice_range;
        location / { proxy_pass http://127.0.0.1:%port:back%; add_header X-Range $slice_range; }
        location /bad/ { proxy_pass http://127.0.0.1:${bad.port}/; }
        location /off/ { slice 0; proxy_pass http://127.0.0.1:%port:back%/; add_header X-Range "[$slice_range]"; }
      }`,
  });
});
after(() => rig.close());

describe('a reply in slices', () => {
  const cases: readonly [headers: string, status: number, body: string, range?: string][] = [
    ['', 200, TEXT],
    ['Range: bytes=0-0', 206, '0', 'bytes 0-0/16'],
    ['Range: bytes=0-3', 206, '0123', 'bytes 0-3/16'],
    ['Range: bytes=5-6', 206, '56', 'bytes 5-6/16'],
    ['Range: bytes=3-4', 206, '34', 'bytes 3-4/16'],
    ['Range: bytes=2-13', 206, '23456789abcd', 'bytes 2-13/16'],
    ['Range: bytes=6-', 206, '6789abcdef', 'bytes 6-15/16'],
    ['Range: bytes=-3', 206, 'def', 'bytes 13-15/16'],
    ['Range: bytes=-100', 206, TEXT, 'bytes 0-15/16'],
    ['Range: bytes=3-4,6-7', 200, TEXT],
    ['If-Range: "other"\r\nRange: bytes=3-4', 200, TEXT],
    ['Range: bytes=20-', 416, ''],
  ];
  for (const [headers, status, body, range] of cases) {
    test(headers, async () => {
      const got = await proxy.get('/t', headers === '' ? '' : `${headers}\r\n`);
      assert.equal(got.status, status);
      if (status < 300) assert.equal(got.body, body);
      if (range !== undefined) assert.equal(got.headers.get('content-range'), range);
      if (status < 300) assert.equal(got.headers.get('content-length'), String(body.length));
    });
  }

  test('conditions hold for the whole', async () => {
    const tag = (await proxy.get('/t')).headers.get('etag') ?? '';
    assert.notEqual(tag, '');
    assert.equal((await proxy.get('/t', `If-None-Match: ${tag}\r\n`)).status, 304);
    const part = await proxy.get('/t', `If-Range: ${tag}\r\nRange: bytes=5-6\r\n`);
    assert.deepEqual([part.status, part.body], [206, '56']);
  });

  test('other replies pass as they are', async () => {
    assert.equal((await proxy.get('/nothing')).status, 404);
  });

  test('one request a part', async () => {
    const before = bad.requests.length;
    assert.equal((await proxy.get('/bad/good')).body, 'abcd'.repeat(4));
    const ranges = bad.requests.slice(before).map(({ headers }) => headers.get('range'));
    assert.deepEqual(ranges, ['bytes=0-3', 'bytes=4-7', 'bytes=8-11', 'bytes=12-15']);
  });

  test('without slices there is no range', async () => {
    const got = await proxy.get('/off/t');
    assert.equal(got.headers.get('x-range'), '[]');
    assert.equal(got.body, TEXT);
  });
});

describe('parts that do not fit end the connection', () => {
  const cases: readonly [target: string, reason: string][] = [
    ['/bad/status', 'unexpected status code 200 in slice response'],
    ['/bad/tag', 'etag mismatch in slice response'],
    ['/bad/length', 'no complete length in slice response'],
    ['/bad/range', 'unexpected range in slice response: 0-3, expected: 0-4'],
    ['/bad/none', 'invalid range in slice response'],
  ];
  for (const [target, reason] of cases) {
    test(reason, async () => {
      const wire = await proxy.connect();
      wire.send(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      const got = await wire.readToEnd();
      assert.ok(!got.includes('abcdabcd'));
      await proxy.logged(new RegExp(reason.replaceAll('.', '\\.')));
    });
  }
});
