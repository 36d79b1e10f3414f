/** `proxy_store`: which replies become files, where, with which rights and time; what `-t` refuses. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { type Handler, reply, startBackend } from '../kit/http-backend.ts';
import { BINARY, type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const rig = new Rig();
let proxy: Subject;
let release: (() => void) | undefined;

const MODIFIED = 'Tue, 03 Feb 2015 00:55:52 GMT';

const answers: Handler = async ({ target, method }, wire) => {
  if (target.endsWith('/missing')) return reply('no', '', '404 Not Found');
  if (target.endsWith('/dated')) return reply('dated', `Last-Modified: ${MODIFIED}\r\nETag: "x"\r\n`);
  if (target.endsWith('/chunked')) {
    return 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n';
  }
  if (target.endsWith('/cut')) {
    wire.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf');
    return undefined;
  }
  if (target.endsWith('/close')) {
    wire.end('HTTP/1.0 200 OK\r\n\r\nuntil close');
    return undefined;
  }
  if (target.endsWith('/slow')) {
    wire.send('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nfour');
    await new Promise<void>((done) => {
      release = done;
    });
    return 'more';
  }
  return method === 'HEAD' ? 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n' : reply('plain');
};

before(async () => {
  const { port } = await startBackend(rig, answers);
  const to = `proxy_pass http://127.0.0.1:${port};`;
  proxy = await startProxy(rig, {
    http: `
      proxy_cache_path %dir%/cache keys_zone=one:1m; proxy_temp_path %dir%/temp;
      server {
        listen 127.0.0.1:%port%; root %dir%/files;
        location /on/ { ${to} proxy_store on; }
        location /path/ { ${to} proxy_store %dir%/by-path$uri; proxy_store_access user:rw group:rw all:r; }
        location /nowhere/ { ${to} proxy_store $arg_none; }
        location /unbuffered/ { ${to} proxy_store on; proxy_buffering off; }
        location /off/ { ${to} proxy_store off; }
      }
      server {
        listen 127.0.0.1:%port:inner%; root %dir%/inner; proxy_store on;
        location /stored/ { ${to} }
        location /cached/ { ${to} proxy_cache one; proxy_cache_valid 1m; }
      }`,
  });
});
after(() => rig.close());

const left = (): readonly string[] =>
  existsSync(`${rig.dir}/temp`)
    ? readdirSync(`${rig.dir}/temp`, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ name }) => name)
    : [];

const stored = async (path: string): Promise<string> => {
  await until(() => existsSync(`${rig.dir}/${path}`), path);
  return readFileSync(`${rig.dir}/${path}`, 'latin1');
};

describe('proxy_store', () => {
  for (const [name, body] of [
    ['plain', 'plain'],
    ['chunked', 'abcdef'],
    ['close', 'until close'],
  ] as const) {
    test(`saves a reply below the root: ${name}`, async () => {
      assert.equal((await proxy.get(`/on/${name}`)).body, body);
      assert.equal(await stored(`files/on/${name}`), body);
    });
  }

  test('takes the time of the reply, which the client sees as it is', async () => {
    const { headers } = await proxy.get('/on/dated', `If-Modified-Since: ${MODIFIED}\r\n`);
    assert.deepEqual([headers.get('last-modified'), headers.get('etag')], [MODIFIED, '"x"']);
    await stored('files/on/dated');
    const { mtimeMs, mode } = statSync(`${rig.dir}/files/on/dated`);
    assert.equal(mtimeMs, Date.parse(MODIFIED));
    assert.equal(mode & 0o777, 0o600);
  });

  test('saves by a path of variables, with the rights that are wanted', async () => {
    await proxy.get('/path/a/b');
    assert.equal(await stored('by-path/path/a/b'), 'plain');
    assert.equal(statSync(`${rig.dir}/by-path/path/a/b`).mode & 0o777, 0o664);
    assert.equal(statSync(`${rig.dir}/by-path/path/a`).mode & 0o777 & ~0o022, 0o775 & ~0o022);
  });

  test('is inherited, but not where there is a cache', async () => {
    await proxy.get('/stored/x', '', 'inner');
    assert.equal(await stored('inner/stored/x'), 'plain');
    await proxy.get('/cached/x', '', 'inner');
    assert.equal(existsSync(`${rig.dir}/inner/cached/x`), false);
  });

  test('goes on when the client has left', async () => {
    const wire = await proxy.connect();
    wire.send('GET /on/slow HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => release !== undefined, 'the request');
    wire.reset();
    await proxy.get('/off/x');
    release?.();
    assert.equal(await stored('files/on/slow'), 'fourmore');
  });

  for (const target of ['/on/missing', '/on/cut', '/nowhere/x', '/unbuffered/x', '/off/x']) {
    test(`saves nothing of ${target}`, async () => {
      const wire = await proxy.connect();
      wire.send(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      await wire.readToEnd();
      await until(() => left().length === 0, 'no temporary file');
      assert.equal(existsSync(`${rig.dir}/files${target}`), false);
    });
  }

  test('saves nothing of HEAD', async () => {
    const wire = await proxy.connect();
    await wire.request('HEAD /on/head HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await until(() => left().length === 0, 'no temporary file');
    assert.equal(existsSync(`${rig.dir}/files/on/head`), false);
  });
});

const WORDS: readonly (readonly [name: string, directives: string, said: string])[] = [
  ['an empty path', 'proxy_store "";', 'empty path in'],
  ['two of them', 'proxy_store on; proxy_store off;', '"proxy_store" directive is duplicate in'],
  [
    'a cache before it',
    'proxy_cache one; proxy_store on;',
    '"proxy_store" directive is incompatible with "proxy_cache" in',
  ],
  [
    'a cache behind it',
    'proxy_store on; proxy_cache one;',
    '"proxy_cache" directive is incompatible with "proxy_store" in',
  ],
  ['wrong rights', 'proxy_store_access user:x;', 'invalid value "user:x" in'],
  ['a cache that is off', 'proxy_cache off; proxy_store on;', 'test is successful'],
];

describe('-t of proxy_store', () => {
  for (const [name, directives, said] of WORDS) {
    test(name, () => {
      const conf = `${rig.dir}/t.conf`;
      const location = `location / { proxy_pass http://127.0.0.1:2; ${directives} }`;
      const cache = `proxy_cache_path ${rig.dir}/t-cache keys_zone=one:1m;`;
      writeFileSync(
        conf,
        `pid ${rig.dir}/t.pid; events { } http { access_log off; ${cache} server { listen 127.0.0.1:1; ${location} } }`,
      );
      const { stderr } = spawnSync(BINARY, ['-t', '-p', rig.dir, '-c', conf, '-e', 'error.log'], {
        encoding: 'latin1',
        env: { ...process.env, NODE_TEST_CONTEXT: '' },
      });
      assert.ok(stderr.includes(said), stderr);
    });
  }
});
