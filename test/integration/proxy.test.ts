/** What the backend is sent and what the client is given: URIs, headers, redirects, cookies, errors, upgrades. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Backend, Received } from '../kit/http-backend.ts';
import { reply, startBackend } from '../kit/http-backend.ts';
import type { Message } from '../kit/message.ts';
import { freePort } from '../kit/ports.ts';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';

const rig = new Rig();
let proxy: Subject;
let backend: Backend;

/** Replies by target, for what the client is to see of the backend's headers. */
const REPLIES: Readonly<Record<string, string>> = {
  '/headers': reply(
    'x',
    'Server: backend\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nX-Accel-Limit-Rate: 0\r\nX-Pad: p\r\nX-Powered-By: me\r\nX-Keep: a\r\nX-Keep: b\r\nx-lower: c\r\nKeep-Alive: timeout=5\r\n',
  ),
  '/redirect': reply('', 'Location: http://127.0.0.1:BACKEND/other/x\r\n', '302 Found'),
  '/moved': reply('', 'Location: http://127.0.0.1:BACKEND/other/x\r\n', '302 Found'),
  '/far': reply('', 'X-Before: 1\r\nlocation: http://far.example/x\r\nX-After: 2\r\n', '302 Found'),
  '/refresh': reply('', 'Refresh: 5; url=http://127.0.0.1:BACKEND/other/x\r\n'),
  '/cookie': reply('', 'Set-Cookie: a=b; Domain=in.example; Path=/in/x; HttpOnly\r\nSet-Cookie: c=d\r\n'),
  '/404': reply('backend 404', '', '404 Missing'),
  '/500': reply('backend 500', '', '500 Broken'),
  '/accel': reply(
    'hidden',
    'X-Accel-Redirect: /internal/file\r\nX-Other: gone\r\nContent-Type: text/accel\r\n',
  ),
  '/accel-named': reply('hidden', 'X-Accel-Redirect: @named\r\n'),
  '/bad': 'rubbish\r\n\r\n',
  '/bad-header': 'HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 1\r\n\r\nx',
  '/both': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n',
  '/te': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx',
  '/two-lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx',
  '/bad-length': 'HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nx',
  '/big-head': `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(20_000)}\r\nContent-Length: 1\r\n\r\nx`,
  '/chunked-bad': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx',
  '/status-only': 'HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx',
  '/odd-status': 'HTTP/1.1 299 Something Else\r\nContent-Length: 1\r\n\r\nx',
  '/fold': 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 1\r\n\r\nx',
};

before(async () => {
  backend = await startBackend(rig, (request) =>
    (REPLIES[request.target] ?? reply(request.target)).replaceAll('BACKEND', String(backend.port)),
  );
  const at = `127.0.0.1:${backend.port}`;
  const dead = await freePort();
  proxy = await startProxy(rig, {
    http: `
      upstream two { server 127.0.0.1:${dead}; server ${at}; }
      upstream backup { server 127.0.0.1:${dead}; server ${at} backup; }
      upstream nobody { server 127.0.0.1:${dead} down; }
      server {
        listen 127.0.0.1:%port%;
        server_name localhost;
        location / { proxy_pass http://${at}; }
        location /same/ { proxy_pass http://${at}; }
        location /cut/ { proxy_pass http://${at}/; }
        location /base/ { proxy_pass http://${at}/there/; }
        location /noslash { proxy_pass http://${at}/x; }
        location ~ ^/re/ { proxy_pass http://${at}; }
        location /var/ { set $to /from/var; proxy_pass http://${at}$to; }
        location /varhost/ { set $to ${at}; proxy_pass http://$to; }
        location /rewritten/ { rewrite ^/rewritten/(.*)$ /new/$1?r=1 break; proxy_pass http://${at}; }
        location /set/ {
          proxy_pass http://${at}/;
          proxy_set_header Host $http_host;
          proxy_set_header X-Real-IP $remote_addr;
          proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
          proxy_set_header X-Empty "";
          proxy_set_header Accept-Encoding "";
          proxy_set_header X-Scheme $scheme;
          location /set/inner/ { proxy_pass http://${at}/; proxy_set_header X-Inner 1; }
        }
        location /nohead/ { proxy_pass http://${at}/; proxy_pass_request_headers off; }
        location /nobody/ { proxy_pass http://${at}/; proxy_pass_request_body off; proxy_set_header Content-Length ""; }
        location /method/ { proxy_pass http://${at}/; proxy_method PUT; proxy_set_body "set $arg_x"; }
        location /pass/ { proxy_pass http://${at}/; proxy_pass_header Server; proxy_pass_header Date; proxy_hide_header X-Powered-By; proxy_hide_header X-Keep; add_header X-Added "$upstream_status" always; }
        location /redirect/ { proxy_pass http://${at}/; proxy_redirect http://${at}/other/ /mine/; proxy_redirect ~^http://(.*)$ https://$1; }
        location /redirect-default/ { proxy_pass http://${at}/other/; rewrite ^/redirect-default/(.*)$ /$1 break; }
        location = /far { proxy_pass http://${at}; proxy_redirect http:// https://; }
        location /redirect-off/ { proxy_pass http://${at}/; proxy_redirect off; }
        location /cookie/ { proxy_pass http://${at}/; proxy_cookie_domain in.example out.example; proxy_cookie_path /in/ /out/; }
        location /intercept/ { proxy_pass http://${at}/; proxy_intercept_errors on; error_page 404 /own404; error_page 500 =200 /own500; }
        location = /own404 { return 200 "own 404"; }
        location = /own500 { return 200 "own 500"; }
        location /internal/ { internal; return 200 "internal $uri"; }
        location @named { return 200 "named $uri"; }
        location /ignore/ { proxy_pass http://${at}/; proxy_ignore_headers X-Accel-Redirect; }
        location /two/ { proxy_pass http://two/; add_header X-Tried "$upstream_addr|$upstream_status" always; }
        location /two500/ { proxy_pass http://two/; proxy_next_upstream error http_500; }
        location /backup/ { proxy_pass http://backup/; }
        location /none/ { proxy_pass http://nobody/; }
        location /dead/ { proxy_pass http://127.0.0.1:${dead}; error_page 502 = @fallback; }
        location /still/ { proxy_pass http://127.0.0.1:${dead}; error_page 502 @fallback; }
        location /unpaged/ { proxy_pass http://127.0.0.1:${dead}; error_page 502 /unpaged.html; }
        location = /unpaged.html { root /no-such-folder; }
        location @fallback { proxy_pass http://${at}; }
      }`,
  });
});
after(() => rig.close());

async function sent(target: string, headers = '', method = 'GET', body = ''): Promise<Received> {
  const wire = await proxy.connect();
  const count = backend.requests.length;
  await wire.request(
    `${method} ${target} HTTP/1.1\r\nHost: front.example\r\n${headers}${body === '' ? '' : `Content-Length: ${body.length}\r\n`}\r\n${body}`,
  );
  wire.close();
  const got = backend.requests[count];
  assert.ok(got !== undefined, 'the backend got nothing');
  return got;
}

const get = (target: string, headers = ''): Promise<Message> => proxy.get(target, headers);

describe('the URI at the backend', () => {
  const cases: readonly [target: string, expected: string][] = [
    ['/plain?q=1', '/plain?q=1'],
    ['/same/a%20b/../c', '/same/a%20b/../c'],
    ['//plain//slashes', '//plain//slashes'],
    ['/cut/a%20b/../c?q', '/c?q'],
    ['/cut/', '/'],
    ['/cut/a%2fb', '/a/b'],
    ['/cut/a%3fb', '/a%3Fb'],
    ['/cut/%e4', '/%E4'],
    ['/base/x?y', '/there/x?y'],
    ['/noslash/y', '/x/y'],
    ['/noslashy', '/xy'],
    ['/re/x%20y', '/re/x%20y'],
    ['/var/anything?q', '/from/var'],
    ['/varhost/x%20y?q', '/varhost/x%20y?q'],
    ['/rewritten/a?b=2', '/new/a?r=1&b=2'],
    ['/%70lain', '/%70lain'],
  ];
  for (const [target, expected] of cases) {
    test(`${target} -> ${expected}`, async () => {
      assert.equal((await sent(target)).target, expected);
    });
  }
});

describe('the head at the backend', () => {
  test('by default: Host of the backend, headers in order, none of the hop-by-hop ones', async () => {
    const got = await sent(
      '/h',
      'X-A: 1\r\nx-b: 2\r\nX-A: 3\r\nConnection: close, x-gone\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: x\r\nExpect: \r\nCookie: a\r\nCookie: b\r\n',
    );
    assert.deepEqual(got.lines, [
      `Host: 127.0.0.1:${backend.port}`,
      'X-A: 1',
      'x-b: 2',
      'X-A: 3',
      'Cookie: a',
      'Cookie: b',
    ]);
  });

  test('proxy_set_header', async () => {
    const got = await sent(
      '/set/h',
      'X-Real-IP: spoofed\r\nX-Forwarded-For: 1.2.3.4\r\nX-Empty: x\r\nAccept-Encoding: gzip\r\nX-Kept: y\r\n',
    );
    assert.deepEqual(got.lines, [
      'Host: front.example',
      'X-Real-IP: 127.0.0.1',
      'X-Forwarded-For: 1.2.3.4, 127.0.0.1',
      'X-Scheme: http',
      'X-Kept: y',
    ]);
  });

  test('set inside, nothing is inherited', async () => {
    const got = await sent('/set/inner/h', 'X-Empty: x\r\n');
    assert.equal(got.headers.get('host'), `127.0.0.1:${backend.port}`);
    assert.equal(got.headers.get('x-inner'), '1');
    assert.equal(got.headers.get('x-empty'), 'x');
    assert.equal(got.headers.has('x-real-ip'), false);
  });

  test('proxy_pass_request_headers off', async () => {
    const got = await sent('/nohead/h', 'X-A: 1\r\n');
    assert.equal(got.headers.has('x-a'), false);
    assert.equal(got.headers.get('host'), `127.0.0.1:${backend.port}`);
  });

  test('a body keeps its length, and a chunked one gets one', async () => {
    const got = await sent('/b', '', 'POST', 'hello');
    assert.equal(got.body, 'hello');
    assert.equal(got.headers.get('content-length'), '5');
    const wire = await proxy.connect();
    await wire.request(
      'POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n',
    );
    const chunked = backend.requests.at(-1);
    assert.equal(chunked?.body, 'abcde');
    assert.equal(chunked?.headers.get('content-length'), '5');
  });

  test('proxy_pass_request_body off', async () => {
    const got = await sent('/nobody/b', '', 'POST', 'hello');
    assert.equal(got.body, '');
    assert.equal(got.headers.has('content-length'), false);
  });

  test('proxy_method and proxy_set_body', async () => {
    const got = await sent('/method/m?x=yes', '', 'POST', 'hello');
    assert.equal(got.method, 'PUT');
    assert.equal(got.body, 'set yes');
    assert.equal(got.headers.get('content-length'), '7');
  });
});

describe('what the client is given', () => {
  test('by default: own Server and Date, hidden headers gone, the others with their case and order', async () => {
    const got = await get('/headers');
    assert.match(got.headers.get('server') ?? '', /^(nginx|sluice)/);
    assert.notEqual(got.headers.get('date'), 'Mon, 01 Jan 2024 00:00:00 GMT');
    for (const name of ['x-accel-limit-rate', 'x-pad', 'keep-alive']) {
      assert.equal(got.headers.has(name), false, name);
    }
    assert.deepEqual(
      got.lines.filter((line) => /^x-/i.test(line)),
      ['X-Powered-By: me', 'X-Keep: a', 'X-Keep: b', 'x-lower: c'],
    );
  });

  test('proxy_pass_header, proxy_hide_header, add_header with $upstream_status', async () => {
    const got = await get('/pass/headers');
    assert.equal(got.headers.get('server'), 'backend');
    assert.equal(got.headers.get('date'), 'Mon, 01 Jan 2024 00:00:00 GMT');
    assert.equal(got.headers.has('x-powered-by'), false);
    assert.equal(got.headers.has('x-keep'), false);
    assert.equal(got.headers.get('x-added'), '200');
  });

  test('proxy_redirect', async () => {
    const location = async (target: string): Promise<string | undefined> =>
      (await get(target)).headers.get('location');
    assert.equal(await location('/moved'), `http://localhost:${proxy.port()}/other/x`);
    assert.equal(await location('/redirect/redirect'), `http://localhost:${proxy.port()}/mine/x`);
    assert.equal(await location('/redirect-off/redirect'), `http://127.0.0.1:${backend.port}/other/x`);
    const refresh = (await get('/redirect/refresh')).headers.get('refresh');
    assert.equal(refresh, '5; url=/mine/x');
  });

  test('an address that proxy_redirect has rewritten keeps its place', async () => {
    const { lines } = await get('/far');
    const first = lines.indexOf('X-Before: 1');
    assert.deepEqual(lines.slice(first, first + 3), [
      'X-Before: 1',
      'location: https://far.example/x',
      'X-After: 2',
    ]);
  });

  test('the log names what was asked of an upstream when another page is served for it', async () => {
    await get('/unpaged/asked?x=1');
    await proxy.logged(
      /open\(\) "\/no-such-folder\/unpaged.html" failed .* upstream: "http:.*\/unpaged\/asked\?x=1"/,
    );
  });

  test('proxy_cookie_domain and proxy_cookie_path', async () => {
    const got = await get('/cookie/cookie');
    assert.deepEqual(
      got.lines.filter((line) => line.startsWith('Set-Cookie')),
      ['Set-Cookie: a=b; Domain=out.example; Path=/out/x; HttpOnly', 'Set-Cookie: c=d'],
    );
  });

  test('the status text is the own one for known codes and the given one otherwise', async () => {
    assert.equal((await get('/404')).line, 'HTTP/1.1 404 Missing');
    assert.equal((await get('/odd-status')).line, 'HTTP/1.1 299 Something Else');
    assert.equal((await get('/status-only')).status, 200);
  });

  test('proxy_intercept_errors', async () => {
    const own = await get('/intercept/404');
    assert.deepEqual([own.status, own.body], [404, 'own 404']);
    const other = await get('/intercept/500');
    assert.deepEqual([other.status, other.body], [200, 'own 500']);
    assert.equal((await get('/404')).body, 'backend 404');
  });

  test('X-Accel-Redirect', async () => {
    const got = await get('/accel');
    assert.equal(got.body, 'internal /internal/file');
    assert.equal(got.headers.has('x-accel-redirect'), false);
    assert.equal(got.headers.has('x-other'), false);
    assert.equal((await get('/accel-named')).body, 'named /accel-named');
    const ignored = await get('/ignore/accel');
    assert.equal(ignored.body, 'hidden');
  });
});

describe('a broken reply', () => {
  const cases: readonly [target: string, status: number, logged: string][] = [
    ['/both', 502, 'upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time'],
    ['/te', 502, 'upstream sent unknown "Transfer-Encoding": "gzip"'],
    ['/two-lengths', 502, 'upstream sent duplicate header line: "Content-Length: 1"'],
    ['/bad-length', 502, 'upstream sent invalid "Content-Length" header: "Content-Length: x"'],
    ['/bad-header', 502, 'upstream sent invalid header: "no\\x20..."'],
    ['/fold', 502, 'upstream sent invalid header: "\\x20..."'],
    ['/big-head', 502, 'upstream sent too big header while reading response header from upstream'],
  ];
  for (const [target, status, logged] of cases) {
    test(`${target}: ${status}`, async () => {
      const from = proxy.log.length;
      const got = await get(target);
      assert.equal(got.status, status);
      await proxy.logged({ includes: logged, from });
    });
  }

  test('no status line: HTTP/0.9, passed on as a body', async () => {
    const wire = await proxy.connect();
    wire.send('GET /bad HTTP/1.0\r\n\r\n');
    await proxy.logged(/upstream sent no valid HTTP\/1\.0 header/);
    wire.close();
  });

  test('a bad chunk ends the reply', async () => {
    const wire = await proxy.connect();
    wire.send('GET /chunked-bad HTTP/1.1\r\nHost: a\r\n\r\n');
    await wire.readToEnd();
    await proxy.logged(/upstream sent invalid chunked response/);
  });
});

describe('another server is tried', () => {
  test('when the first refuses', async () => {
    for (let i = 0; i < 3; i++) {
      assert.equal((await get('/two/x')).status, 200);
    }
    await proxy.logged(/connect\(\) failed \(111: Connection refused\) while connecting to upstream/);
  });

  test('the backup when all others fail', async () => {
    assert.equal((await get('/backup/x')).body, '/x');
    assert.equal((await get('/backup/y')).body, '/y');
  });

  test('none left: 502, and the log says no live upstreams', async () => {
    assert.equal((await get('/none/x')).status, 502);
    await proxy.logged(/no live upstreams while connecting to upstream/);
  });

  test('error_page leads to another backend', async () => {
    const got = await get('/dead/x');
    assert.deepEqual([got.status, got.body], [200, '/dead/x']);
    const still = await get('/still/x');
    assert.deepEqual([still.status, still.body], [502, '/still/x']);
  });
});
