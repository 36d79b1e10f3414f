/** Requests made for the sake of a request: auth_request, add_before_body, mirror, post_action. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { type Backend, startBackend } from '../kit/http-backend.ts';
import type { Message } from '../kit/message.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const rig = new Rig();
let proxy: Subject;
let backend: Backend;
const BIG = 'b'.repeat(1_500_000);

const ok = (body: string, lines = ''): string =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nContent-Type: text/html\r\n${lines}\r\n${body}`;

before(async () => {
  const www = join(rig.dir, 'www');
  mkdirSync(www);
  writeFileSync(join(www, 'page.html'), 'PAGE');
  writeFileSync(join(www, 'before.html'), '<');
  writeFileSync(join(www, 'big.html'), BIG);
  backend = await startBackend(rig, (request) => {
    if (request.target.startsWith('/auth-')) {
      const status = request.target.slice(6);
      return `HTTP/1.1 ${status} Verdict\r\nContent-Length: 4\r\nX-User: me\r\nWWW-Authenticate: Basic\r\nWWW-Authenticate: Other\r\n\r\nauth`;
    }
    if (request.target.startsWith('/big')) return ok(BIG);
    return ok(`<${request.method} ${request.target} ${request.body}>`);
  });
  proxy = await startProxy(rig, {
    http: `
      log_format sub '$uri $status $request_completion';
      types { text/html html; }
      server {
        listen 127.0.0.1:%port%;
        root %dir%/www;
        location / { }
        location /auth { internal; proxy_pass http://127.0.0.1:${backend.port}; }
        location /local403 { internal; return 403; }
        location /local500 { internal; return 500; }
        location /local204 { internal; return 204; }
        location /a200/ {
          auth_request /auth-200; auth_request_set $user $upstream_http_x_user;
          add_header X-Who "$user"; alias %dir%/www/;
        }
        location /a401/ { auth_request /auth-401; alias %dir%/www/; }
        location /a403/ { auth_request /auth-403; alias %dir%/www/; }
        location /a500/ { auth_request /auth-500; alias %dir%/www/; }
        location /l500/ { auth_request /local500; alias %dir%/www/; }
        location /l403/ { auth_request /local403; alias %dir%/www/; }
        location /l204/ { auth_request /local204; alias %dir%/www/; }
        location /any/ { satisfy any; deny all; auth_request /auth-200; alias %dir%/www/; }
        location /all/ { deny all; auth_request /auth-200; alias %dir%/www/; }
        location /nested/ { auth_request /local204; auth_request_set $x y; error_page 404 = /a200/page.html; }
        location /off/ { auth_request off; alias %dir%/www/; }

        location /added/ {
          add_before_body /before.html; add_after_body /tail/x; alias %dir%/www/;
        }
        location /added-gzip/ {
          add_before_body /before.html; add_after_body /before.html; alias %dir%/www/; gzip on; gzip_min_length 1;
        }
        location /added-proxied/ { add_before_body /big; add_after_body /tail/y; proxy_pass http://127.0.0.1:${backend.port}/big/; }
        location /added-404/ { add_before_body /nowhere.html; alias %dir%/www/; }
        location /tail { proxy_pass http://127.0.0.1:${backend.port}; log_subrequest on; access_log %dir%/sub.log sub; }
        location /big { proxy_pass http://127.0.0.1:${backend.port}; }

        location /mirrored { mirror /copy-1; mirror /copy-2; proxy_pass http://127.0.0.1:${backend.port}; }
        location /copy { internal; proxy_pass http://127.0.0.1:${backend.port}$uri?$request_uri; }
        location /mirrored-bare { mirror /copy-3; mirror_request_body off; proxy_pass http://127.0.0.1:${backend.port}; }

        location /posted { post_action /after; return 200 "here"; }
        location /after { internal; proxy_pass http://127.0.0.1:${backend.port}; proxy_set_header X-Status $request_completion; }
      }`,
  });
});
after(() => rig.close());

const targets = (part: string): string[] =>
  backend.requests.map(({ target }) => target).filter((target) => target.startsWith(part));

describe('auth_request', () => {
  const cases: readonly [target: string, status: number, body?: string][] = [
    ['/a200/page.html', 200, 'PAGE'],
    ['/a401/page.html', 401],
    ['/a403/page.html', 403],
    ['/a500/page.html', 500],
    ['/l403/page.html', 403],
    ['/l204/page.html', 200, 'PAGE'],
    ['/any/page.html', 200, 'PAGE'],
    ['/all/page.html', 403],
    ['/nested/nothing', 200, 'PAGE'],
    ['/off/page.html', 200, 'PAGE'],
  ];
  for (const [target, status, body] of cases) {
    test(`${target} is ${status}`, async () => {
      const got = await proxy.get(target);
      assert.equal(got.status, status);
      if (body !== undefined) assert.equal(got.body, body);
    });
  }

  test('what the subrequest was told can be passed on', async () => {
    assert.equal((await proxy.get('/a200/page.html')).headers.get('x-who'), 'me');
  });

  test('all challenges go to the client', async () => {
    const { lines } = await proxy.get('/a401/page.html');
    const challenges = lines.filter((line) => line.startsWith('WWW-Authenticate'));
    assert.deepEqual(challenges, ['WWW-Authenticate: Basic', 'WWW-Authenticate: Other']);
  });

  test('another status is logged', async () => {
    await proxy.get('/a500/page.html');
    await proxy.logged(
      /\[error\] .* auth request unexpected status: 500 while sending to client, client: 127\.0\.0\.1/,
    );
    await proxy.get('/l500/page.html');
    await proxy.logged(/\[error\] .* auth request unexpected status: 500, client: 127\.0\.0\.1/);
  });

  test('a request body is still the request’s', async () => {
    const wire = await proxy.connect();
    const reply = await wire.request(
      'POST /l204/page.html HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello',
    );
    assert.equal(reply.status, 405);
    assert.equal((await wire.request('GET /page.html HTTP/1.1\r\nHost: localhost\r\n\r\n')).body, 'PAGE');
  });
});

describe('addition', () => {
  test('bodies before and behind, in order', async () => {
    const got = await proxy.get('/added/page.html');
    assert.equal(got.body, '<PAGE<GET /tail/x >');
    assert.equal(got.headers.get('content-length'), undefined);
    assert.match(got.headers.get('etag') ?? '', /^W\//);
    await until(
      () => readFileSync(join(rig.dir, 'sub.log'), 'latin1').includes('/tail/x 200'),
      'a line for the subrequest',
    );
  });

  test('a HEAD makes no subrequest', async () => {
    const before = targets('/tail/x').length;
    const wire = await proxy.connect();
    await wire.request('HEAD /added/page.html HTTP/1.1\r\nHost: localhost\r\n\r\n');
    assert.equal(targets('/tail/x').length, before);
  });

  test('long bodies in order, from upstream servers', async () => {
    const got = await proxy.get('/added-proxied/z');
    assert.equal(got.body.length, 2 * BIG.length + '<GET /tail/y >'.length);
    assert.ok(got.body.endsWith('b<GET /tail/y >'));
  });

  test('they are compressed as one', async () => {
    const got = await proxy.get('/added-gzip/page.html', 'Accept-Encoding: gzip\r\n');
    assert.equal(gunzipSync(Buffer.from(got.body, 'latin1')).toString('latin1'), '<PAGE<');
  });

  test('an error page is a body too', async () => {
    const got = await proxy.get('/added-404/page.html');
    assert.match(got.body, /404 Not Found[\s\S]*PAGE$/);
  });
});

describe('mirror', () => {
  const post = async (target: string): Promise<Message> => {
    const wire = await proxy.connect();
    return wire.request(`POST ${target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody`);
  };

  test('each copy has the method and the body', async () => {
    assert.equal((await post('/mirrored?q')).body, '<POST /mirrored?q body>');
    await until(() => targets('/copy-1').length + targets('/copy-2').length === 2, 'both copies');
    const copies = backend.requests.filter(({ target }) => target.startsWith('/copy-'));
    assert.deepEqual(copies.map(({ method, target, body }) => `${method} ${target} ${body}`).sort(), [
      'POST /copy-1?/mirrored?q body',
      'POST /copy-2?/mirrored?q body',
    ]);
  });
});

describe('post_action', () => {
  test('runs after the reply, and the connection goes on', async () => {
    const wire = await proxy.connect();
    const first = await wire.request('GET /posted HTTP/1.1\r\nHost: localhost\r\n\r\n');
    assert.equal(first.body, 'here');
    const second = await wire.request('GET /page.html HTTP/1.1\r\nHost: localhost\r\n\r\n');
    assert.equal(second.body, 'PAGE');
    assert.equal(targets('/after').length, 1);
  });
});

test('a client that goes away ends its subrequests', async () => {
  const wire = await proxy.connect();
  wire.send('GET /added-proxied/z HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await wire.readUntil('b'.repeat(100));
  wire.reset();
  await until(() => backend.open === 0, 'all upstream connections closed');
});
