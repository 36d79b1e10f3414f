/** Plain static files: types, ranges, conditional requests, index, redirects, alias, error statuses. */
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Message } from '../kit/message.ts';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';

const rig = new Rig();
let proxy: Subject;
const MODIFIED = new Date('2024-03-05T06:07:08Z');
const TEXT = '0123456789'.repeat(10);

before(async () => {
  const www = join(rig.dir, 'www');
  mkdirSync(join(www, 'dir'), { recursive: true });
  mkdirSync(join(www, 'empty'));
  const put = (name: string, text: string): void => {
    writeFileSync(join(www, name), text);
    utimesSync(join(www, name), MODIFIED, MODIFIED);
  };
  put('a.txt', TEXT);
  put('page.html', '<p>page</p>');
  put('data.unknown', 'x');
  put('noextension', 'x');
  put('UPPER.HTML', 'x');
  put('zero.txt', '');
  put('dir/index.html', 'the index');
  put('with space.txt', 'spaced');
  put('big.bin', 'b'.repeat(3_000_000));
  symlinkSync('a.txt', join(www, 'link.txt'));
  proxy = await startProxy(rig, {
    http: `
      types { text/html html; text/plain txt; }
      default_type application/x-default;
      server {
        listen 127.0.0.1:%port%;
        root %dir%/www;
        location / { }
        location /alias/ { alias %dir%/www/dir/; }
        location = /one { alias %dir%/www/a.txt; default_type text/one; types { } }
        location ~ ^/re/(.+)$ { alias %dir%/www/$1; }
        location /noetag/ { alias %dir%/www/; etag off; if_modified_since off; }
        location /before/ { alias %dir%/www/; if_modified_since before; }
        location /max/ { alias %dir%/www/; max_ranges 1; }
        location /none/ { alias %dir%/www/; max_ranges 0; }
        location /try/ { try_files $uri /dir/index.html =404; }
        location /other/ { index nothing.html page.html; alias %dir%/www/; }
      }`,
  });
});
after(() => rig.close());

const get = (target: string, headers = ''): Promise<Message> => proxy.get(target, headers);

describe('a file', () => {
  test('has length, type, date, entity tag', async () => {
    const got = await get('/a.txt');
    assert.equal(got.status, 200);
    assert.equal(got.body, TEXT);
    assert.equal(got.headers.get('content-type'), 'text/plain');
    assert.equal(got.headers.get('content-length'), '100');
    assert.equal(got.headers.get('last-modified'), 'Tue, 05 Mar 2024 06:07:08 GMT');
    assert.equal(got.headers.get('etag'), `"${(MODIFIED.getTime() / 1000).toString(16)}-64"`);
    assert.equal(got.headers.get('accept-ranges'), 'bytes');
  });

  const cases: readonly [target: string, status: number, type: string | undefined, body?: string][] = [
    ['/page.html', 200, 'text/html'],
    ['/UPPER.HTML', 200, 'text/html'],
    ['/data.unknown', 200, 'application/x-default'],
    ['/noextension', 200, 'application/x-default'],
    ['/link.txt', 200, 'text/plain', TEXT],
    ['/zero.txt', 200, 'text/plain', ''],
    ['/with%20space.txt', 200, 'text/plain', 'spaced'],
    ['/./dir/../a.txt', 200, 'text/plain', TEXT],
    ['//a.txt', 200, 'text/plain', TEXT],
    ['/a.txt?query', 200, 'text/plain', TEXT],
    ['/dir/', 200, 'text/html', 'the index'],
    ['/empty/', 403, 'text/html'],
    ['/missing', 404, 'text/html'],
    ['/a.txt/', 404, 'text/html'],
    ['/a.txt/below', 404, 'text/html'],
    ['/alias/', 200, 'text/html', 'the index'],
    ['/alias/index.html', 200, 'text/html', 'the index'],
    ['/one', 200, 'text/one', TEXT],
    ['/re/a.txt', 200, 'text/plain', TEXT],
    ['/try/missing', 200, 'text/html', 'the index'],
    ['/other/', 200, 'text/html', '<p>page</p>'],
  ];
  for (const [target, status, type, body] of cases) {
    test(`GET ${target}: ${status} ${type}`, async () => {
      const got = await get(target);
      assert.equal(got.status, status);
      assert.equal(got.headers.get('content-type'), type);
      if (body !== undefined) {
        assert.equal(got.body, body);
      }
    });
  }

  test('is sent whole when it is large', async () => {
    const got = await get('/big.bin');
    assert.equal(got.body.length, 3_000_000);
  });

  test('HEAD has the head and no body', async () => {
    const wire = await proxy.connect();
    const got = await wire.request('HEAD /a.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    assert.equal(got.headers.get('content-length'), '100');
    await wire.expectEnd();
  });

  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    test(`${method} is not allowed`, async () => {
      const wire = await proxy.connect();
      const got = await wire.request(
        `${method} /a.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`,
      );
      assert.equal(got.status, 405);
    });
  }

  test('a directory without its slash is redirected, with the port and the query', async () => {
    const got = await get('/dir?a=b');
    assert.equal(got.status, 301);
    assert.equal(got.headers.get('location'), `http://localhost:${proxy.port()}/dir/?a=b`);
  });
});

describe('ranges', () => {
  const cases: readonly [range: string, status: number, contentRange: string | undefined, body: string][] = [
    ['bytes=0-4', 206, 'bytes 0-4/100', '01234'],
    ['bytes=95-', 206, 'bytes 95-99/100', '56789'],
    ['bytes=-3', 206, 'bytes 97-99/100', '789'],
    ['bytes=98-200', 206, 'bytes 98-99/100', '89'],
    ['bytes=-200', 206, 'bytes 0-99/100', TEXT],
    ['bytes=0-', 206, 'bytes 0-99/100', TEXT],
    ['bytes= 1 - 2 ', 206, 'bytes 1-2/100', '12'],
    ['bytes=100-', 416, 'bytes */100', ''],
    ['bytes=5-2', 416, 'bytes */100', ''],
    ['bytes=x', 416, 'bytes */100', ''],
    ['bytes=', 200, undefined, TEXT],
    ['bytes=0-0,', 416, 'bytes */100', ''],
    ['bytes=-', 416, 'bytes */100', ''],
    ['bytes=0-1,200-300', 206, 'bytes 0-1/100', '01'],
    ['chars=0-1', 200, undefined, TEXT],
    ['bytes=0-99999999999999999999', 416, 'bytes */100', ''],
    ['bytes=0-99,0-99', 200, undefined, TEXT],
    ['Bytes=0-4', 206, 'bytes 0-4/100', '01234'],
  ];
  for (const [range, status, contentRange, body] of cases) {
    test(`${range}: ${status}`, async () => {
      const got = await get('/a.txt', `Range: ${range}\r\n`);
      assert.equal(got.status, status);
      assert.equal(got.headers.get('content-range'), contentRange);
      if (status !== 416) {
        assert.equal(got.body, body);
      }
    });
  }

  test('several: multipart/byteranges', async () => {
    const got = await get('/a.txt', 'Range: bytes=0-1,5-6\r\n');
    assert.equal(got.status, 206);
    const boundary = /^multipart\/byteranges; boundary=(\d{20})$/.exec(
      got.headers.get('content-type') ?? '',
    )?.[1];
    assert.ok(boundary !== undefined, got.head);
    const part = (range: string, bytes: string): string =>
      `\r\n--${boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes ${range}/100\r\n\r\n${bytes}`;
    assert.equal(got.body, `${part('0-1', '01')}${part('5-6', '56')}\r\n--${boundary}--\r\n`);
  });

  test('max_ranges', async () => {
    assert.equal((await get('/max/a.txt', 'Range: bytes=0-1,5-6\r\n')).status, 200);
    assert.equal((await get('/max/a.txt', 'Range: bytes=0-1\r\n')).status, 206);
    const none = await get('/none/a.txt', 'Range: bytes=0-1\r\n');
    assert.equal(none.status, 200);
    assert.equal(none.headers.has('accept-ranges'), false);
  });

  test('If-Range', async () => {
    const etag = (await get('/a.txt')).headers.get('etag');
    const date = 'Tue, 05 Mar 2024 06:07:08 GMT';
    for (const [condition, status] of [
      [etag, 206],
      ['"other"', 200],
      [`W/${etag}`, 200],
      [date, 206],
      ['Tue, 05 Mar 2024 06:07:09 GMT', 200],
    ] as const) {
      const got = await get('/a.txt', `Range: bytes=0-1\r\nIf-Range: ${condition}\r\n`);
      assert.equal(got.status, status, condition);
    }
  });
});

describe('conditions', () => {
  const same = 'Tue, 05 Mar 2024 06:07:08 GMT';
  const later = 'Wed, 06 Mar 2024 06:07:08 GMT';
  const earlier = 'Mon, 04 Mar 2024 06:07:08 GMT';
  const tag = `"${(MODIFIED.getTime() / 1000).toString(16)}-64"`;
  const cases: readonly [target: string, header: string, status: number][] = [
    ['/a.txt', `If-Modified-Since: ${same}`, 304],
    ['/a.txt', `If-Modified-Since: ${later}`, 200],
    ['/a.txt', `If-Modified-Since: ${earlier}`, 200],
    ['/a.txt', 'If-Modified-Since: Tuesday, 05-Mar-24 06:07:08 GMT', 304],
    ['/a.txt', 'If-Modified-Since: Tue Mar  5 06:07:08 2024', 304],
    ['/a.txt', 'If-Modified-Since: rubbish', 200],
    ['/before/a.txt', `If-Modified-Since: ${later}`, 304],
    ['/before/a.txt', `If-Modified-Since: ${earlier}`, 200],
    ['/noetag/a.txt', `If-Modified-Since: ${same}`, 200],
    ['/a.txt', `If-None-Match: ${tag}`, 304],
    ['/a.txt', `If-None-Match: W/${tag}`, 304],
    ['/a.txt', `If-None-Match: "x", ${tag}`, 304],
    ['/a.txt', 'If-None-Match: *', 304],
    ['/a.txt', 'If-None-Match: "x"', 200],
    ['/a.txt', `If-None-Match: "x"\r\nIf-Modified-Since: ${same}`, 200],
    ['/a.txt', `If-Match: ${tag}`, 200],
    ['/a.txt', 'If-Match: *', 200],
    ['/a.txt', 'If-Match: "x"', 412],
    ['/a.txt', `If-Match: W/${tag}`, 412],
    ['/a.txt', `If-Unmodified-Since: ${same}`, 200],
    ['/a.txt', `If-Unmodified-Since: ${earlier}`, 412],
    ['/a.txt', `If-Unmodified-Since: ${later}`, 200],
  ];
  for (const [target, header, status] of cases) {
    test(`${target} ${header.replace('\r\n', ', ')}: ${status}`, async () => {
      const got = await get(target, `${header}\r\n`);
      assert.equal(got.status, status);
      if (status === 304) {
        assert.equal(got.headers.has('content-length'), false);
        assert.equal(got.headers.has('content-type'), false);
        assert.equal(got.headers.get('last-modified'), same);
        assert.equal(got.headers.get('etag'), tag);
      }
    });
  }

  test('etag off', async () => {
    assert.equal((await get('/noetag/a.txt')).headers.has('etag'), false);
  });
});
