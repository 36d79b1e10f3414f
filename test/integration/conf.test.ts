/** The files of conf/: the default configuration serves its page through its pool, and all others can be included. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startPhpFpm } from '../kit/php-fpm.ts';
import { ROOT, startProxy } from '../kit/proxy.ts';
import { rigFor } from '../kit/rig.ts';
import { needs } from '../kit/tools.ts';

const CONF = join(ROOT, 'conf');

/** The numbers in the page's table: front connection, its requests, upstream connection, its requests. */
const numbers = (page: string): number[] =>
  [...page.matchAll(/<td>(\d+)<\/td>/g)].map((each) => Number(each[1]));

test('conf/nginx.conf serves the welcome page over one upstream connection', async (t) => {
  const rig = rigFor(t);
  cpSync(CONF, rig.dir, { recursive: true });
  mkdirSync(join(rig.dir, 'dist'));
  const text = readFileSync(join(CONF, 'nginx.conf'), 'utf8');
  const proxy = await startProxy(rig, {
    conf: `${process.getuid?.() === 0 ? 'user root;' : ''}${text
      .replace('dist/nginx.pid', 'nginx.pid')
      .replace('error_log         stderr', 'error_log %dir%/error.log')
      .replace('listen       8080', 'listen 127.0.0.1:%port%')
      .replaceAll('127.0.0.1:8081', '127.0.0.1:%port:inner%')}`,
  });
  const client = await proxy.connect();
  const pages = [];
  for (let i = 0; i < 3; i++) {
    const page = await client.request('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    assert.equal(page.status, 200);
    assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
    pages.push(numbers(page.body));
  }
  const [first] = pages;
  assert.deepEqual(
    pages.map(([, front, , upstream]) => [front, upstream]),
    [
      [1, 1],
      [2, 2],
      [3, 3],
    ],
  );
  assert.ok(pages.every(([front, , upstream]) => front === first?.[0] && upstream === first?.[2]));
  const status = await proxy.get('/stub_status');
  assert.match(
    status.body,
    /^Active connections: \d+ \nserver accepts handled requests\n \d+ \d+ \d+ \nReading: \d+ Writing: \d+ Waiting: \d+ \n$/,
  );
});

test('the included files are accepted where they belong', async (t) => {
  const rig = rigFor(t);
  cpSync(CONF, rig.dir, { recursive: true });
  const proxy = await startProxy(rig, {
    http: `
      include mime.types;
      server {
        listen 127.0.0.1:%port%;
        root %dir%;
        location / { }
        location /p { include proxy_params; proxy_pass http://127.0.0.1:1; }
        location /f { include fastcgi_params; fastcgi_pass 127.0.0.1:1; }
        location ~ \\.php$ { include snippets/fastcgi-php.conf; fastcgi_pass 127.0.0.1:1; }
      }`,
  });
  const types = await proxy.get('/mime.types');
  assert.equal(types.status, 200);
  assert.equal((await proxy.get('/missing.php')).status, 404);
});

test('snippets/fastcgi-php.conf runs scripts, with the path behind them', {
  skip: needs('php-fpm'),
}, async (t) => {
  const rig = rigFor(t);
  cpSync(CONF, rig.dir, { recursive: true });
  const php = await startPhpFpm(rig, {
    'index.php':
      '<?php echo $_SERVER["SCRIPT_NAME"], "|", $_SERVER["PATH_INFO"] ?? "", "|", $_SERVER["SERVER_PROTOCOL"];',
  });
  const proxy = await startProxy(rig, {
    http: `server { listen 127.0.0.1:%port%; root ${php.root}; index index.php;
      location ~ \\.php(/|$) { include snippets/fastcgi-php.conf; fastcgi_pass ${php.address}; } }`,
  });
  assert.equal((await proxy.get('/index.php/a/b')).body, '/index.php|/a/b|HTTP/1.1');
  assert.equal((await proxy.get('/')).body, '/index.php||HTTP/1.1');
  assert.equal((await proxy.get('/other.php')).status, 404);
});
