/** `memcached_pass`: what is asked, which answers are understood, and which connections are kept. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Backend, startScript } from '../kit/http-backend.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const rig = new Rig();
let proxy: Subject;
let server: Backend;
const asked: string[] = [];

/** Pieces of what the server says for a key; `close` ends the connection. */
const ANSWERS: Readonly<Record<string, readonly (string | Buffer)[]>> = {
  '/value': ['VALUE /value 0 5\r\nhello\r\nEND\r\n'],
  '/split': ['VAL', 'UE /split 0 8\r', '\nSEE-', 'THIS\r\nE', 'ND\r\n'],
  '/empty': ['VALUE /empty 0 0\r\n\r\nEND\r\n'],
  '/none': ['END\r\n'],
  '/gzip': ['VALUE /gzip 2 ', String(gzipSync('packed').length), '\r\n', gzipSync('packed'), '\r\nEND\r\n'],
  '/odd%20%25key': ['VALUE /odd%20%25key 0 2\r\nok\r\nEND\r\n'],
  '/trailer': ['VALUE /trailer 0 2\r\nok\r\nENX\r\n'],
  '/more': ['VALUE /more 0 2\r\nok\r\nEND\r\nmore'],
  '/key': ['VALUE /other 0 2\r\nok\r\nEND\r\n'],
  '/length': ['VALUE /length 0 x\r\nok\r\nEND\r\n'],
  '/flags': ['VALUE /flags x 2\r\nok\r\nEND\r\n'],
  '/error': ['ERROR\r\n'],
  '/bare': ['END\n'],
  '/cut': ['VALUE /cut 0 9\r\nok', 'close'],
  '/nothing': ['close'],
  '/big': ['V'.repeat(5000)],
};

before(async () => {
  server = await startScript(rig, async (wire) => {
    for (;;) {
      const line = await wire.readUntil('\r\n');
      asked.push(line);
      for (const piece of ANSWERS[line.slice(4, -2)] ?? ['END\r\n']) {
        if (piece === 'close') {
          wire.end();
          return;
        }
        wire.send(piece);
        await new Promise((done) => setTimeout(done, 5));
      }
    }
  });
  proxy = await startProxy(rig, {
    http: `
      upstream cache { server 127.0.0.1:${server.port}; keepalive 4; }
      types { text/x-found found; }
      server {
        listen 127.0.0.1:%port%; default_type text/x-default;
        set $memcached_key $uri;
        location / { memcached_pass cache; memcached_gzip_flag 2; }
        location /nowhere { set $memcached_key ""; memcached_pass cache; }
        location /fallback { memcached_pass cache; error_page 404 = @instead; }
        location @instead { return 200 instead; }
      }`,
  });
});
after(() => rig.close());

describe('memcached_pass', () => {
  const CASES: readonly (readonly [target: string, status: number, body: string, said?: string])[] = [
    ['/value', 200, 'hello'],
    ['/split', 200, 'SEE-THIS'],
    ['/empty', 200, ''],
    ['/odd%20%25key', 200, 'ok'],
    ['/fallback', 200, 'instead'],
    [
      '/none',
      404,
      '',
      '[info] KEY: "/none" was not found by memcached while reading response header from upstream',
    ],
    ['/trailer', 200, 'ok', '[error] memcached sent invalid trailer'],
    ['/more', 200, 'ok', '[error] memcached sent invalid trailer'],
    ['/key', 502, '', '[error] memcached sent invalid key in response "VALUE /other 0 2" for key "/key"'],
    [
      '/length',
      502,
      '',
      '[error] memcached sent invalid length in response "VALUE /length 0 x" for key "/length"',
    ],
    [
      '/flags',
      502,
      '',
      '[error] memcached sent invalid flags in response "VALUE /flags x 2" for key "/flags"',
    ],
    ['/error', 502, '', '[error] memcached sent invalid response: "ERROR"'],
    ['/bare', 502, '', '[error] memcached sent invalid response: "END"'],
    ['/cut', 200, 'ok', '[error] upstream prematurely closed connection while reading upstream'],
    ['/nothing', 502, '', '[error] upstream prematurely closed connection while reading response header'],
    ['/big', 502, '', '[error] upstream sent too big header while reading response header from upstream'],
    ['/nowhere', 500, '', '[error] the "$memcached_key" variable is not set'],
  ];
  for (const [target, status, body, said] of CASES) {
    test(`${status} for ${target}`, async () => {
      const from = proxy.log.length;
      const wire = await proxy.connect();
      wire.send(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      const answer = await wire.readToEnd();
      assert.equal(Number(answer.split(' ')[1]), status);
      if (status === 200) assert.equal(answer.slice(answer.indexOf('\r\n\r\n') + 4), body);
      if (said === undefined) return;
      const wanted = said.replace('KEY', 'key');
      await until(
        () =>
          proxy.log
            .slice(from)
            .replace(/\d+#\d+: \*\d+ /g, '')
            .includes(wanted),
        wanted,
      );
    });
  }

  test('says what it is by the name, and how it is packed by the flags', async () => {
    const { headers } = await proxy.get('/value');
    assert.deepEqual(
      [headers.get('content-type'), headers.get('content-encoding')],
      ['text/x-default', undefined],
    );
    assert.equal((await proxy.get('/gzip')).headers.get('content-encoding'), 'gzip');
  });

  test('gives a part of a value', async () => {
    const answer = await proxy.get('/value', 'Range: bytes=1-3\r\n');
    assert.deepEqual([answer.status, answer.body], [206, 'ell']);
  });

  test('refuses other methods', async () => {
    const wire = await proxy.connect();
    const answer = await wire.request(
      'POST /value HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    );
    assert.equal(answer.status, 405);
  });

  test('keeps a connection after a value and after none', async () => {
    await proxy.get('/value');
    const before = server.accepted;
    for (const target of ['/value', '/none', '/value', '/empty', '/none']) await proxy.get(target);
    assert.equal(server.accepted, before);
  });
});
