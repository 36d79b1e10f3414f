/** Filters that change bodies: gunzip, sub_filter, charset, gzip, ranges and added lines over proxied replies. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import { type Backend, reply, startBackend } from '../kit/http-backend.ts';
import type { Message } from '../kit/message.ts';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { Wire } from '../kit/wire.ts';

const rig = new Rig();
let backend: Backend;
let proxy: Subject;

const latin1 = (bytes: Buffer | string): string => Buffer.from(bytes).toString('latin1');
const HTML = 'Content-Type: text/html\r\n';
const PACKED = `${HTML}Content-Encoding: gzip\r\nETag: "abc"\r\nAccept-Ranges: bytes\r\n`;
const LINES = Array.from({ length: 300_000 }, (_, i) => `line ${i}\n`).join('');
const UTF8 = latin1('Привет, € and é');

/** What the backend says, by path. */
const REPLIES: Readonly<Record<string, string>> = {
  '/html': reply(
    '<b>AbC abc xyz ABC</b>',
    `${HTML}ETag: "abc"\r\nLast-Modified: Thu, 01 Jan 2015 00:00:00 GMT\r\n`,
  ),
  '/plain': reply('abc', 'Content-Type: text/plain\r\nETag: "abc"\r\n'),
  '/none': reply('abc'),
  '/param': reply('abc', 'Content-Type: text/html; level=1\r\n'),
  '/named': reply('abc', 'Content-Type: text/html; charset=koi8-r\r\n'),
  '/koi': reply('\xf0\xd2\xc9', HTML),
  '/utf8': reply(UTF8, `${HTML}X-Accel-Charset: koi8-r\r\n`),
  '/utf8-named': reply(UTF8, 'Content-Type: text/html; charset=UTF-8\r\n'),
  '/packed': reply(latin1(gzipSync('packed abc')), PACKED),
  '/huge': reply(latin1(gzipSync(LINES)), PACKED),
  '/broken': reply('this is no gzip', PACKED),
  '/short': reply(latin1(gzipSync(LINES).subarray(0, 3000)), PACKED),
  '/digits': reply('0123456789', 'Content-Type: text/plain\r\nETag: "d"\r\n'),
  '/missing': reply('<i>missing</i>', HTML, '404 Not Found'),
  '/control': reply('abc', `${HTML}Cache-Control: private\r\nCache-Control: no-store\r\n`),
};

/** A reply that waits between its two pieces. */
interface Held {
  readonly pieces: readonly string[];
  next: (() => void) | undefined;
}
let held: Held = { pieces: [], next: undefined };

const answerSlowly = async (wire: Wire): Promise<undefined> => {
  const mine = held;
  const [first = '', second = ''] = mine.pieces;
  const told = new Promise<void>((resolve) => {
    mine.next = resolve;
  });
  wire.send(`HTTP/1.1 200 OK\r\n${HTML}Content-Length: ${first.length + second.length}\r\n\r\n${first}`);
  await told;
  wire.send(second);
  return undefined;
};

before(async () => {
  backend = await startBackend(rig, ({ target }, wire) =>
    target === '/slow'
      ? answerSlowly(wire)
      : (REPLIES[target.replace(/\?.*/, '')] ?? reply('unknown', '', '500 Unknown')),
  );
  const www = join(rig.dir, 'www');
  mkdirSync(www);
  writeFileSync(join(www, 'text.html'), 'static abc '.repeat(100));
  const pass = `proxy_pass http://127.0.0.1:${backend.port}/;`;
  proxy = await startProxy(rig, {
    http: `
      charset_map koi8-r utf-8 { C9 D0B8; D2 D180; F0 D09F; }
      charset_map windows-1251 koi8-r { CF F0; F0 D2; E8 C9; }
      server {
        listen 127.0.0.1:%port%;
        location /sub/ { ${pass} sub_filter abc <$request_method>; sub_filter xyz ''; }
        location /sub-all/ { ${pass} sub_filter abc A; sub_filter_once off; sub_filter_types *; sub_filter_last_modified on; }
        location /sub-arg/ { ${pass} sub_filter $arg_from $arg_to; }
        location /to-utf8/ { ${pass} charset UTF-8; source_charset koi8-r; }
        location /to-koi/ { ${pass} charset koi8-r; override_charset on; }
        location /to-win/ { ${pass} charset windows-1251; source_charset koi8-r; }
        location /to-arg/ { ${pass} charset $arg_to; source_charset koi8-r; }
        location /gunzip/ { ${pass} gunzip on; gzip_vary on; }
        location /gunzip-sub/ { ${pass} gunzip on; sub_filter abc '<$upstream_status>'; }
        location /gzip/ { ${pass} gzip on; gzip_min_length 1; gzip_vary on; add_trailer X-Trailer end; }
        location /ranges/ { ${pass} proxy_force_ranges on; }
        location /sub-ranges/ { ${pass} proxy_force_ranges on; sub_filter 0 zero; sub_filter_types *; }
        location /unbuffered-gzip/ { ${pass} proxy_buffering off; gzip on; gzip_min_length 1; }
        location /unbuffered-sub/ { ${pass} proxy_buffering off; sub_filter abc A; }
        location /lines/ { ${pass} add_header ETag '"new"'; add_header Cache-Control extra; add_header X-Always a always; expires epoch; }
        location /static/ { alias %dir%/www/; gzip on; }
        location /page { return 404; }
        location /unpadded { msie_padding off; return 404; }
        location /refresh { msie_refresh on; return 301 /it's; }
      }`,
  });
});
after(() => rig.close());

const get = (target: string, headers = ''): Promise<Message> => proxy.get(target, headers);
const GZIP = 'Accept-Encoding: gzip\r\n';

describe('sub_filter', () => {
  test('each pattern once, in any case, with variables', async () => {
    const got = await get('/sub/html');
    assert.equal(got.body, '<b><GET> abc  ABC</b>');
    assert.equal(got.headers.get('transfer-encoding'), 'chunked');
    assert.equal(got.headers.has('etag') || got.headers.has('last-modified'), false);
  });
  test('all of them, in every type, the time kept and the tag weakened', async () => {
    const got = await get('/sub-all/html');
    assert.equal(got.body, '<b>A A xyz A</b>');
    assert.equal(got.headers.get('etag'), 'W/"abc"');
    assert.equal(got.headers.get('last-modified'), 'Thu, 01 Jan 2015 00:00:00 GMT');
    assert.equal((await get('/sub-all/none')).body, 'A');
  });
  for (const [target, expected] of [
    ['/sub/plain', 'abc'],
    ['/sub/param', 'abc'],
    ['/sub/named', '<GET>'],
    ['/sub-arg/html?from=XYZ&to=!', '<b>AbC abc ! ABC</b>'],
    ['/sub-arg/html', '<b>AbC abc xyz ABC</b>'],
  ] as const) {
    test(`GET ${target}`, async () => assert.equal((await get(target)).body, expected));
  }
});

describe('charset', () => {
  const cases: readonly (readonly [target: string, type: string, body: string])[] = [
    ['/to-utf8/koi', 'text/html; charset=utf-8', latin1('При')],
    ['/to-utf8/named', 'text/html; charset=koi8-r', 'abc'],
    ['/to-koi/utf8', 'text/html; charset=koi8-r', UTF8],
    [
      '/to-koi/utf8-named',
      'text/html; charset=koi8-r',
      '\xf0\xd2\xc9&#1074;&#1077;&#1090;, &#8364; and &#233;',
    ],
    ['/to-win/koi', 'text/html; charset=windows-1251', '\xcf\xf0\xe8'],
    ['/to-arg/koi?to=utf-8', 'text/html; charset=utf-8', latin1('При')],
    ['/to-arg/koi?to=foo', 'text/html', '\xf0\xd2\xc9'],
  ];
  for (const [target, type, body] of cases) {
    test(`GET ${target}`, async () => {
      const got = await get(target);
      assert.equal(got.headers.get('content-type'), type);
      assert.equal(got.body, body);
    });
  }
  test('a map that is missing is told', async () => {
    await get('/to-arg/koi?to=bar');
    await proxy.logged(/no "charset_map" between the charsets "koi8-r" and "bar"/);
  });
  test('a variable without a value ends the connection', async () => {
    const wire = await Wire.connect(proxy.port());
    wire.send('GET /to-arg/koi HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.equal(await wire.readToEnd(), '');
    wire.close();
  });
});

describe('gunzip', () => {
  test('for clients that do not take gzip', async () => {
    const got = await get('/gunzip/packed');
    assert.equal(got.body, 'packed abc');
    assert.equal(got.headers.get('content-encoding'), undefined);
    assert.equal(got.headers.get('accept-ranges'), undefined);
    assert.equal(got.headers.get('etag'), 'W/"abc"');
    assert.equal(got.headers.get('vary'), 'Accept-Encoding');
  });
  test('not for others', async () => {
    const got = await get('/gunzip/packed', GZIP);
    assert.equal(got.headers.get('content-encoding'), 'gzip');
    assert.equal(got.headers.get('vary'), 'Accept-Encoding');
  });
  test('what it unpacks goes through the filters behind it', async () =>
    assert.equal((await get('/gunzip-sub/packed')).body, 'packed <200>'));
  test('a slow client gets all of a large one', async () => {
    const wire = await Wire.connect(proxy.port());
    wire.pause();
    wire.send('GET /gunzip/huge HTTP/1.1\r\nHost: x\r\n\r\n');
    setTimeout(() => wire.resume(), 200);
    assert.equal((await wire.readMessage()).body, LINES);
    wire.close();
  });
  for (const [target, log] of [
    ['/gunzip/broken', /inflate\(\) failed: \d, -3/],
    ['/gunzip/short', /inflate\(\) returned -5 on response end/],
  ] as const) {
    test(`GET ${target} ends the connection`, async () => {
      const wire = await Wire.connect(proxy.port());
      wire.send(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`);
      assert.equal((await wire.readToEnd()).endsWith('0\r\n\r\n'), false);
      await proxy.logged(log);
      wire.close();
    });
  }
});

describe('gzip over proxied replies', () => {
  test('compresses, weakens the tag, keeps trailers', async () => {
    const got = await get('/gzip/html', GZIP);
    assert.equal(gunzipSync(Buffer.from(got.body, 'latin1')).toString(), '<b>AbC abc xyz ABC</b>');
    assert.equal(got.headers.get('etag'), 'W/"abc"');
    assert.equal(got.headers.get('vary'), 'Accept-Encoding');
    assert.equal(got.trailer, 'X-Trailer: end');
  });
  test('leaves alone what is packed already', async () => {
    const got = await get('/gzip/packed', GZIP);
    assert.equal(gunzipSync(Buffer.from(got.body, 'latin1')).toString(), 'packed abc');
    assert.equal(got.lines.filter((line) => /^content-encoding/i.test(line)).length, 1);
  });
});

describe('without proxy_buffering', () => {
  /** Sends the second piece when it is told to. */
  const slow = async (target: string, pieces: readonly string[]): Promise<Wire> => {
    held = { pieces, next: undefined };
    const wire = await Wire.connect(proxy.port());
    wire.send(`GET ${target} HTTP/1.1\r\nHost: x\r\n${GZIP}\r\n`);
    return wire;
  };
  const goOn = (): void => held.next?.();

  test('gzip sends each piece when it comes', async () => {
    const wire = await slow('/unbuffered-gzip/slow', ['first piece', 'second piece']);
    await wire.readUntil('\r\n\r\n');
    const came: Buffer[] = [];
    const text = (): string =>
      gunzipSync(Buffer.concat(came), { finishFlush: constants.Z_SYNC_FLUSH }).toString();
    for (const expected of ['first piece', 'first piecesecond piece']) {
      do {
        const size = Number.parseInt(await wire.readUntil('\r\n'), 16);
        came.push(await wire.readBytes(size));
        await wire.readBytes(2);
      } while (text() !== expected);
      goOn();
    }
    wire.close();
  });

  test('sub_filter keeps back only what may be the beginning of a pattern', async () => {
    const wire = await slow('/unbuffered-sub/slow', ['one ab', 'c two']);
    await wire.readUntil('one \r\n');
    await wire.expectSilence(100);
    goOn();
    assert.match(await wire.readUntil('0\r\n\r\n'), /A two/);
    wire.close();
  });
});

describe('gzip of files', () => {
  test('comes to the same each time', async () => {
    const text = 'static abc '.repeat(100);
    const bodies: string[] = [];
    // Files are kept in memory once their last change is settled.
    await new Promise((resolve) => setTimeout(resolve, 150));
    for (let i = 0; i < 4; i++) bodies.push((await get('/static/text.html', GZIP)).body);
    assert.equal(gunzipSync(Buffer.from(bodies[0] ?? '', 'latin1')).toString(), text);
    assert.deepEqual(new Set(bodies).size, 1);
    assert.equal((await get('/static/text.html')).body, text);
  });
});

describe('proxy_force_ranges', () => {
  const cases: readonly (readonly [target: string, headers: string, status: number, body: string])[] = [
    ['/ranges/digits', 'Range: bytes=2-4\r\n', 206, '234'],
    ['/ranges/digits', 'Range: bytes=2-4,6-7\r\n', 200, '0123456789'],
    ['/ranges/digits', 'Range: bytes=2-4\r\nIf-Range: "d"\r\n', 206, '234'],
    ['/ranges/digits', 'Range: bytes=2-4\r\nIf-Range: "x"\r\n', 200, '0123456789'],
    ['/sub-ranges/digits', 'Range: bytes=2-4\r\n', 200, 'zero123456789'],
  ];
  for (const [target, headers, status, body] of cases) {
    test(`${target} ${headers.trim()}`, async () => {
      const got = await get(target, headers);
      assert.equal(got.status, status);
      assert.equal(got.body, body);
    });
  }
  test('a range that can not be', async () => {
    const got = await get('/ranges/digits', 'Range: bytes=20-\r\n');
    assert.equal(got.status, 416);
    assert.equal(got.headers.get('content-range'), 'bytes */10');
    assert.equal(got.headers.has('etag'), false);
  });
});

test('an upstream’s reply is passed on whatever the conditions', async () => {
  for (const line of [
    'If-None-Match: *',
    'If-Match: "x"',
    'If-Unmodified-Since: Wed, 01 Jan 2014 00:00:00 GMT',
  ]) {
    assert.equal((await get('/ranges/html', `${line}\r\n`)).status, 200);
  }
});

describe('added lines', () => {
  test('a tag takes the place of the one there, and so do expires’ lines', async () => {
    const got = await get('/lines/control');
    const lines = got.lines.filter((line) => /^(etag|cache-control|expires)/i.test(line));
    assert.deepEqual(lines, [
      'Cache-Control: no-cache',
      'Expires: Thu, 01 Jan 1970 00:00:01 GMT',
      'ETag: "new"',
      'Cache-Control: extra',
    ]);
  });
  test('only `always` for errors', async () => {
    const got = await get('/lines/missing');
    assert.equal(got.headers.get('x-always'), 'a');
    assert.equal(got.headers.has('etag'), false);
    assert.equal(got.headers.has('expires'), false);
  });
});

describe('pages for some browsers', () => {
  const MSIE = 'User-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)\r\n';
  const CHROME =
    'User-Agent: Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36\r\n';
  for (const [target, agent, padded] of [
    ['/page', '', false],
    ['/page', MSIE, true],
    ['/page', CHROME, true],
    ['/unpadded', MSIE, false],
  ] as const) {
    test(`${target} ${agent.slice(12, 30)}`, async () => {
      const got = await get(target, agent);
      assert.equal(got.status, 404);
      assert.equal(got.body.includes('a padding to disable'), padded);
    });
  }
  test('a redirect by a page', async () => {
    const got = await get('/refresh', MSIE);
    assert.equal(got.status, 200);
    assert.match(got.body, /URL=\/it%27s"/);
    assert.equal(got.headers.has('location'), false);
    assert.equal((await get('/refresh')).status, 301);
  });
});
