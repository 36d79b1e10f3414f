/** Folders: listings in all formats byte by byte, indexes, any file of a folder. */
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';

const rig = new Rig();
let proxy: Subject;
const MODIFIED = new Date('2024-03-05T06:07:08Z');
const www = join(rig.dir, 'www');
const listed = join(www, 'listed');

before(async () => {
  mkdirSync(join(listed, 'folder'), { recursive: true });
  const put = (name: string, size: number): void => {
    writeFileSync(join(listed, name), '');
    truncateSync(join(listed, name), size);
    utimesSync(join(listed, name), MODIFIED, MODIFIED);
  };
  put('empty', 0);
  put('9999', 9999);
  put('10000', 10000);
  put('k', 10751);
  put('m', (1 << 20) + (1 << 19));
  put('g', 2 ** 31 + 2 ** 30);
  put('<&">', 1);
  put('é ü.txt', 1);
  put('a'.repeat(50), 1);
  put('b'.repeat(51), 1);
  put('é'.repeat(50), 1);
  put('é'.repeat(51), 1);
  put('&'.repeat(60), 1);
  put('.hidden', 1);
  put('"quote\\', 1);
  symlinkSync('nowhere', join(listed, 'dangling'));
  symlinkSync('folder', join(listed, 'linked'));
  writeFileSync(Buffer.concat([Buffer.from(`${listed}/bad`), Buffer.from([0xff, 0xe9])]), '');
  utimesSync(join(listed, 'folder'), MODIFIED, MODIFIED);
  mkdirSync(join(www, 'one'));
  writeFileSync(join(www, 'one/é'), 'the only');
  mkdirSync(join(www, 'none/inner'), { recursive: true });
  proxy = await startProxy(rig, {
    http: `
      types { text/html html; }
      default_type text/plain;
      server {
        listen 127.0.0.1:%port%;
        root %dir%/www;
        autoindex on;
        location / { }
        location /utf8/ { alias %dir%/www/listed/; charset utf-8; }
        location /short/ { alias %dir%/www/listed/; autoindex_exact_size off; }
        location /local/ { alias %dir%/www/listed/; autoindex_localtime on; }
        location /json/ { alias %dir%/www/listed/; autoindex_format json; }
        location /jsonp/ { alias %dir%/www/listed/; autoindex_format jsonp; }
        location /xml/ { alias %dir%/www/listed/; autoindex_format xml; }
        location /off/ { alias %dir%/www/listed/; autoindex off; }
        location /random/ { alias %dir%/www/one/; random_index on; }
        location /random-none/ { alias %dir%/www/none/; random_index on; autoindex off; }
        location /gone/ { alias %dir%/gone/; }
        location /gone-random/ { alias %dir%/gone/; random_index on; }
      }`,
  });
});
after(() => rig.close());

/** What nginx 1.31.5 answered. The links have the time of the test. */
const stable = (text: string): string => text.replace(/\d\d-\w{3}-(?!2024)\d{4} \d\d:\d\d/g, 'NOW');
const lines = async (target: string): Promise<string[]> =>
  stable((await proxy.get(target)).body).split('\r\n');
const TIME = '05-Mar-2024 06:07';
const link = (href: string, shown: string, size: string): string =>
  `<a href="${href}">${shown} ${TIME} ${size}`;
const pad = (text: string, width = 50): string => `${text}</a>${' '.repeat(width - text.length)}`;
const bytes = (text: string): string => Buffer.from(text).toString('latin1');

describe('the listing in HTML', () => {
  test('begins and ends as it should, folders first', async () => {
    const got = await lines('/listed/');
    assert.deepEqual(got.slice(0, 4), [
      '<html>',
      '<head><title>Index of /listed/</title></head>',
      '<body>',
      '<h1>Index of /listed/</h1><hr><pre><a href="../">../</a>',
    ]);
    assert.deepEqual(got.slice(-3), ['</pre><hr></body>', '</html>', '']);
    assert.equal(got[4], link('folder/', pad('folder/'), '                  -'));
    assert.match(got[5] ?? '', /^<a href="linked\/">linked\/<\/a> {43} /);
    assert.ok(!got.some((line) => line.includes('hidden')));
  });

  for (const [target, expected] of [
    ['/listed/', link('9999', pad('9999'), '               9999')],
    ['/short/', link('9999', pad('9999'), '   9999')],
    ['/short/', link('10000', pad('10000'), '    10K')],
    ['/short/', link('k', pad('k'), '    10K')],
    ['/short/', link('m', pad('m'), '     2M')],
    ['/short/', link('g', pad('g'), '     3G')],
    ['/short/', link('folder/', pad('folder/'), '      -')],
    ['/listed/', link('%3C%26%22%3E', `&lt;&amp;&quot;&gt;</a>${' '.repeat(46)}`, '                  1')],
    ['/listed/', link('a'.repeat(50), `${'a'.repeat(50)}</a>`, '                  1')],
    ['/listed/', link('b'.repeat(51), `${'b'.repeat(47)}..&gt;</a>`, '                  1')],
    ['/listed/', link('%26'.repeat(60), `${'&amp;'.repeat(47)}..&gt;</a>`, '                  1')],
    ['/listed/', link('%C3%A9%20%C3%BC.txt', pad(bytes('é ü.txt')), '                  1')],
    [
      '/utf8/',
      link('%C3%A9%20%C3%BC.txt', `${bytes('é ü.txt')}</a>${' '.repeat(43)}`, '                  1'),
    ],
    ['/utf8/', link('%C3%A9'.repeat(50), `${bytes('é'.repeat(50))}</a>`, '                  1')],
    ['/utf8/', link('%C3%A9'.repeat(51), `${bytes('é'.repeat(47))}..&gt;</a>`, '                  1')],
    [
      '/listed/',
      link('%C3%A9'.repeat(50), `${bytes('é'.repeat(24)).slice(0, 47)}..&gt;</a>`, '                  1'),
    ],
  ] as const) {
    test(`${target} ${expected.slice(0, 40)}`, async () => {
      const got = await lines(target);
      assert.ok(got.includes(expected), got.join('\n'));
    });
  }

  test('a name that is not UTF-8 stays as it is', async () => {
    const got = (await lines('/utf8/')).find((line) => line.includes('bad')) ?? '';
    assert.ok(got.startsWith(`<a href="bad%FF%E9">bad\xff\xe9</a>${' '.repeat(45)} `), got);
  });
});

const row = (name: string, size: number): string =>
  `{ "name":"${name}", "type":"file", "mtime":"Tue, 05 Mar 2024 06:07:08 GMT", "size":${size} }`;

describe('other formats', () => {
  test('JSON', async () => {
    const got = await proxy.get('/json/');
    assert.equal(got.headers.get('content-type'), 'application/json');
    assert.ok(got.body.startsWith('[\r\n{ "name":"folder", "type":"directory", "mtime":"'));
    assert.ok(got.body.endsWith(' }\r\n]'));
    for (const expected of [
      row('<&\\">', 1),
      row('\\"quote\\\\', 1),
      row(bytes('é ü.txt'), 1),
      row('g', 2 ** 31 + 2 ** 30),
    ])
      assert.ok(got.body.includes(`\r\n${expected}`), expected);
    assert.match(got.body, /\{ "name":"dangling", "type":"other", "mtime":"[^"]+" \}/);
  });

  test('JSONP', async () => {
    const got = await proxy.get('/jsonp/?callback=a.b_C1');
    assert.equal(got.headers.get('content-type'), 'application/javascript');
    assert.ok(got.body.startsWith('/* callback */\r\na.b_C1([\r\n{ '));
    assert.ok(got.body.endsWith(' }\r\n]);'));
  });

  for (const [query, status, type] of [
    ['', 200, 'application/json'],
    ['?callback=', 200, 'application/json'],
    ['?callback=a-b', 400, 'text/html'],
    [`?callback=${'a'.repeat(129)}`, 400, 'text/html'],
    [`?callback=${'a'.repeat(128)}`, 200, 'application/javascript'],
  ] as const) {
    test(`JSONP ${query.slice(0, 20)}: ${status}`, async () => {
      const got = await proxy.get(`/jsonp/${query}`);
      assert.equal(got.status, status);
      assert.equal(got.headers.get('content-type'), type);
    });
  }

  test('XML', async () => {
    const got = await proxy.get('/xml/');
    assert.equal(got.headers.get('content-type'), 'text/xml; charset=utf-8');
    assert.ok(
      got.body.startsWith(
        '<?xml version="1.0"?>\r\n<list>\r\n<directory mtime="2024-03-05T06:07:08Z">folder</directory>\r\n',
      ),
    );
    assert.ok(got.body.endsWith('</list>\r\n'));
    assert.ok(
      got.body.includes('\r\n<file mtime="2024-03-05T06:07:08Z" size="1">&lt;&amp;&quot;&gt;</file>\r\n'),
    );
    assert.match(got.body, /\r\n<other mtime="[^"]+">dangling<\/other>\r\n/);
  });
});

describe('folders that are not listed', () => {
  for (const [target, status, logged] of [
    ['/off/', 403, 'directory index of "%dir%/www/listed/" is forbidden'],
    ['/gone/', 404, '"%dir%/gone/index.html" is not found (2: No such file or directory)'],
    ['/gone-random/', 404, 'opendir() "%dir%/gone" failed (2: No such file or directory)'],
    ['/random-none/', 403, 'directory index of "%dir%/www/none/" is forbidden'],
  ] as const) {
    test(`${target}: ${status}`, async () => {
      const from = proxy.log.length;
      assert.equal((await proxy.get(target)).status, status);
      await proxy.logged({ includes: logged.replace('%dir%', rig.dir), from });
    });
  }

  test('any file of the folder', async () => {
    assert.equal((await proxy.get('/random/')).body, 'the only');
  });

  test('HEAD has no length and no body', async () => {
    const wire = await proxy.connect();
    const got = await wire.request('HEAD /listed/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    assert.equal(got.status, 200);
    assert.equal(got.headers.get('content-length'), undefined);
    await wire.expectEnd();
  });
});
