/** Which server and which location take a request, and what rewrite makes of it. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';

const rig = new Rig();
let proxy: Subject;

const server = (names: string, text: string, listen = '127.0.0.1:%port%'): string =>
  `server { listen ${listen}; server_name ${names}; location / { return 200 "${text}"; } }`;

before(async () => {
  writeFileSync(`${rig.dir}/missing.html`, 'the missing page');
  proxy = await startProxy(rig, {
    http: `
      ${server('first', 'first')}
      ${server('exact.example', 'exact')}
      ${server('*.example', 'leading $server_name')}
      ${server('www.*', 'trailing')}
      ${server('.both.test', 'both')}
      ${server('~^(?<user>[a-z]+)\\\\.re\\\\.test$', 'regex $user')}
      ${server('~^\\\\d+$', 'digits')}
      ${server('""', 'no name')}
      ${server('_', 'default of two', '127.0.0.1:%port:two% default_server')}
      ${server('named', 'named of two', '127.0.0.1:%port:two%')}
      server {
        listen 127.0.0.1:%port:loc%;
        location / { return 200 root; }
        location = / { return 200 exact-root; }
        location = /exact { return 200 exact; }
        location /exact { return 200 prefix; }
        location /images/ { return 200 images; }
        location ^~ /static/ { return 200 static; }
        location ~ \\.gif$ { return 200 gif; }
        location ~* \\.JPG$ { return 200 jpg; }
        location ~ ^/first { return 200 one; }
        location ~ ^/first/second { return 200 two; }
        location ~ ^/cap/(?<name>\\w+)/(\\d+) { return 200 "$name $2"; }
        location /nest/ {
          location /nest/in/ { return 200 nested; }
          location ~ \\.png$ { return 200 nested-png; }
          return 200 nest;
        }
        location /red { proxy_pass http://127.0.0.1:1/; }
        location /slash/ { proxy_pass http://127.0.0.1:1/; }
        location /up%20/ { return 200 never; }
        location "/sp ace" { return 200 space; }

        location /rw/a { rewrite ^/rw/a/(.*)$ /rw/b/$1?x=1 last; return 200 not-reached; }
        location /rw/b { return 200 "$uri $args"; }
        location /rw/break { rewrite ^ /rw/b/z break; return 200 "after $uri"; }
        location /rw/redirect { rewrite ^/rw/redirect/(.*)$ /to/$1 redirect; }
        location /rw/nowhere { rewrite ^/rw/nowhere(.*)$ $1 permanent; }
        location /rw/permanent { rewrite ^ http://other.example/x permanent; }
        location /rw/noargs { rewrite ^ /rw/b/n? last; }
        location /rw/loop { rewrite ^ /rw/loop/x last; }
        location /if {
          set $said no;
          if ($arg_a = yes) { set $said yes; }
          if ($arg_a ~* ^MAY) { set $said maybe; }
          if ($request_method = POST) { return 405; }
          if ($arg_b) { return 403; }
          if (!-e $document_root/nothing) { set $said "$said-none"; }
          return 200 $said;
        }
        location /ret/204 { return 204; }
        location /ret/301 { return 301 /there; }
        location /ret/302 { return 302 http://other/$uri; }
        location /ret/url { return https://elsewhere/; }
        location /ret/444 { return 444; }
        location /ret/code { return 418; }
      }
      server {
        listen 127.0.0.1:%port:err%;
        error_page 404 /404.html;
        error_page 403 =200 /ok;
        error_page 500 502 =503 /sorry;
        error_page 410 http://other.example/gone;
        error_page 405 =307 http://other.example/moved;
        error_page 418 = @teapot;
        error_page 421 =  /own;
        location / { return 404; }
        location = /404.html { internal; return 200 "own 404 page $uri $request_uri"; }
        location /403 { return 403; }
        location = /ok { return 200 okay; }
        location /502 { proxy_pass http://127.0.0.1:1; }
        location /500 { return 500; }
        location = /sorry { return 200 sorry; }
        location /410 { return 410; }
        location /405 { return 405; }
        location /418 { return 418; }
        location @teapot { return 200 "teapot $uri"; }
        location /421 { return 421; }
        location = /own { return 202 own; }
        location /broken { rewrite ^ /other break; root /no-such-folder; error_page 404 /pages/missing.html; }
        location /pages/ { alias %dir%/; }
        location /direct { internal; return 200 no; }
      }`,
  });
});
after(() => rig.close());

async function ask(target: string, host: string, name = ''): Promise<string> {
  const wire = await proxy.connect(name);
  const got = await wire.request(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  wire.close();
  const location = got.headers.get('location');
  return `${got.status} ${location ?? (got.body.startsWith('<html>') ? 'page' : got.body)}`;
}

describe('server_name', () => {
  const cases: readonly [host: string, expected: string, port?: string][] = [
    ['first', 'first'],
    ['exact.example', 'exact'],
    ['EXACT.Example', 'exact'],
    ['exact.example:99', 'exact'],
    ['exact.example.', 'exact'],
    ['a.example', 'leading *.example'],
    ['a.b.example', 'leading *.example'],
    ['example', 'first'],
    ['www.example', 'leading *.example'],
    ['www.anything', 'trailing'],
    ['both.test', 'both'],
    ['sub.both.test', 'both'],
    ['joe.re.test', 'regex joe'],
    ['123', 'digits'],
    ['unknown', 'first'],
    ['unknown', 'default of two', 'two'],
    ['named', 'named of two', 'two'],
  ];
  for (const [host, expected, port] of cases) {
    test(`${host} (${port ?? 'one'}) -> ${expected}`, async () => {
      assert.equal(await ask('/', host, port), `200 ${expected}`);
    });
  }

  test('no Host in HTTP/1.0 -> the server of the empty name', async () => {
    const wire = await proxy.connect();
    assert.equal((await wire.request('GET / HTTP/1.0\r\n\r\n')).body, 'no name');
  });

  test('the name in an absolute URI wins over Host', async () => {
    const wire = await proxy.connect();
    const got = await wire.request('GET http://exact.example/ HTTP/1.1\r\nHost: first\r\n\r\n');
    assert.equal(got.body, 'exact');
  });
});

describe('location', () => {
  const cases: readonly [target: string, expected: string][] = [
    ['/', '200 exact-root'],
    ['/?q', '200 exact-root'],
    ['/x', '200 root'],
    ['/exact', '200 exact'],
    ['/exact/', '200 prefix'],
    ['/exactly', '200 prefix'],
    ['/images/a', '200 images'],
    ['/images/a.gif', '200 gif'],
    ['/static/a.gif', '200 static'],
    ['/a.GIF', '200 root'],
    ['/a.jpg', '200 jpg'],
    ['/a.JPG', '200 jpg'],
    ['/first/second', '200 one'],
    ['/cap/joe/12', '200 joe 12'],
    ['/nest/', '200 nest'],
    ['/nest/in/x', '200 nested'],
    ['/nest/a.png', '200 nested-png'],
    ['/nest/a.gif', '200 gif'],
    ['/%65xact', '200 exact'],
    ['/a/../exact', '200 exact'],
    ['//exact', '200 exact'],
    ['/sp%20ace', '200 space'],
    ['/red', '502 page'],
    ['/slash', '301 http://localhost:PORT/slash/'],
    ['/slash/', '502 page'],
    ['/rw/a/q?y=2', '200 /rw/b/q x=1&y=2'],
    ['/rw/break', '404 page'],
    ['/rw/redirect/q?y=2', '302 http://localhost:PORT/to/q?y=2'],
    ['/rw/nowhere', '301 '],
    ['/rw/permanent?y=2', '301 http://other.example/x?y=2'],
    ['/rw/noargs?y=2', '200 /rw/b/n '],
    ['/rw/loop', '500 page'],
    ['/if', '200 no-none'],
    ['/if?a=yes', '200 yes-none'],
    ['/if?a=maybe', '200 maybe-none'],
    ['/if?b=1', '403 page'],
    ['/if?b=0', '200 no-none'],
    ['/ret/204', '204 '],
    ['/ret/301', '301 http://localhost:PORT/there'],
    ['/ret/302', '302 http://other//ret/302'],
    ['/ret/url', '302 https://elsewhere/'],
    ['/ret/code', '418 '],
  ];
  for (const [target, expected] of cases) {
    test(`${target} -> ${expected}`, async () => {
      assert.equal(
        await ask(target, 'localhost', 'loc'),
        expected.replace('PORT', String(proxy.port('loc'))),
      );
    });
  }

  test('return 444 closes without a word', async () => {
    const wire = await proxy.connect('loc');
    wire.send('GET /ret/444 HTTP/1.1\r\nHost: localhost\r\n\r\n');
    assert.equal(await wire.readToEnd(), '');
  });
});

describe('error_page', () => {
  const cases: readonly [target: string, expected: string][] = [
    ['/x?q', '404 own 404 page /404.html /x?q'],
    ['/403', '200 okay'],
    ['/502', '503 sorry'],
    ['/500', '503 sorry'],
    ['/410', '302 http://other.example/gone'],
    ['/405', '307 http://other.example/moved'],
    ['/418', '200 teapot /418'],
    ['/421', '202 own'],
    ['/broken', '404 the missing page'],
    ['/direct', '404 own 404 page /404.html /direct'],
  ];
  for (const [target, expected] of cases) {
    test(`${target} -> ${expected}`, async () => {
      assert.equal(await ask(target, 'localhost', 'err'), expected);
    });
  }
});
