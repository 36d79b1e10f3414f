/** Modules that decide about a request by what it says: each row is a request and what comes of it. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';

const rig = new Rig();
let proxy: Subject;

const basic = (credentials: string): string =>
  `Authorization: Basic ${Buffer.from(credentials, 'latin1').toString('base64')}\r\n`;

const HTPASSWD = [
  'plain:{PLAIN}pw',
  'sha:{SHA}GpHWL3ymc5liWkNopqtdSjuqYHM=',
  'md5:$apr1$abcdefgh$5VEbMkemELfbhC5ck.U.z1',
  '#off:{PLAIN}pw',
  ':{PLAIN}pw',
  'unknown:{FOO}pw',
  'plain:{PLAIN}second',
  'tail:{PLAIN}pw:a comment',
].join('\n');

before(async () => {
  mkdirSync(join(rig.dir, 'folder'));
  writeFileSync(join(rig.dir, 'htpasswd'), HTPASSWD);
  proxy = await startProxy(rig, {
    http: `
      map $arg_h $host_map { hostnames; default none; example.com exact; *.example.com head; www.tail.* tail; }
      geo $arg_a $net { default none; 10.0.0.0/8 ten; 10.1.2.3 one; ::1 six; }
      geo $arg_a $range { ranges; default none; 10.0.0.0-10.255.255.255 ten; 10.1.0.0-10.1.255.255 inner; }
      geo $behind { proxy 127.0.0.0/8; proxy 10.0.0.0/8; proxy_recursive; default none; 1.2.3.4 found; 10.0.0.0/8 ten; }
      split_clients $arg_k $share { .5% tiny; * rest; }
      server {
        listen 127.0.0.1:%port%;
        server_name own.example;
        root %dir%;
        location /map { return 200 $host_map; }
        location /geo { return 200 "$net $range"; }
        location /behind { return 200 $behind; }
        location /split { return 200 $share; }
        location /referer { valid_referers none server_names *.good.example path.example/in/; return 200 [$invalid_referer]; }
        location /browser {
          modern_browser msie 6.0; modern_browser gecko 1.8; modern_browser unlisted; modern_browser_value new;
          ancient_browser Lynx netscape4; ancient_browser_value old;
          return 200 "$modern_browser $ancient_browser $msie";
        }
        location /unlisted { return 200 "[$modern_browser][$ancient_browser]"; }
        location /auth { auth_basic realm; auth_basic_user_file htpasswd; error_page 404 =200 /in; }
        location = /in { return 200 "in as $remote_user"; }
        location /folder { auth_basic realm; auth_basic_user_file folder; }
        location /delayed { auth_basic realm; auth_basic_user_file htpasswd; auth_delay 300ms; }
        location /either { satisfy any; deny all; auth_basic realm; auth_basic_user_file htpasswd; auth_delay 300ms; }
        location /nowhere { return 302; }
        location /page { error_page 403 $arg_to; return 403; }
        location /status { return 201 "$status"; }
      }`,
  });
});
after(() => rig.close());

const IE = (version: string): string =>
  `User-Agent: Mozilla/4.0 (compatible; MSIE ${version}; Windows NT 5.1)\r\n`;

const rows: readonly (readonly [target: string, headers: string, status: number, body: string])[] = [
  ['/map?h=EXAMPLE.com', '', 200, 'exact'],
  ['/map?h=www.example.com.', '', 200, 'head'],
  ['/map?h=.example.com', '', 200, 'head'],
  ['/map?h=www.tail.org', '', 200, 'tail'],
  ['/map?h=', '', 200, 'none'],
  ['/geo?a=10.1.2.3', '', 200, 'one inner'],
  ['/geo?a=010.2.0.1', '', 200, 'ten ten'],
  ['/geo?a=::1', '', 200, 'six none'],
  ['/geo?a=::ffff:10.2.0.1', '', 200, 'ten ten'],
  ['/geo?a=10.256.0.1', '', 200, 'none none'],
  ['/behind', 'X-Forwarded-For: 1.2.3.4, 10.0.0.1\r\n', 200, 'found'],
  ['/behind', 'X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 10.0.0.9\r\n', 200, 'found'],
  ['/behind', 'X-Forwarded-For: foo, 10.0.0.9\r\n', 200, 'ten'],
  ['/behind', 'X-Forwarded-For: ,1.2.3.4\r\n', 200, 'none'],
  ['/behind', 'X-Forwarded-For: [1.2.3.4]:80\r\n', 200, 'found'],
  ['/split?k=any', '', 200, 'rest'],
  ['/referer', '', 200, '[]'],
  ['/referer', 'Referer: https://own.example/\r\n', 200, '[]'],
  ['/referer', 'Referer: http://a.good.example:80/x\r\n', 200, '[]'],
  ['/referer', 'Referer: http://good.example/\r\n', 200, '[1]'],
  ['/referer', 'Referer: http://path.example/in/x\r\n', 200, '[]'],
  ['/referer', 'Referer: http://path.example/out\r\n', 200, '[1]'],
  ['/browser', '', 200, 'new  '],
  ['/browser', IE('6.0'), 200, 'new  1'],
  ['/browser', IE('5.5'), 200, ' old 1'],
  ['/browser', 'User-Agent: Opera/9.01 (X11)\r\n', 200, ' old '],
  ['/browser', 'User-Agent: Mozilla/5.0 (X11; U; rv:1.8.0.5) Gecko/20060729\r\n', 200, 'new  '],
  ['/browser', 'User-Agent: Mozilla/5.0 (X11; U; rv:1.7.8) Gecko/20050511\r\n', 200, ' old '],
  ['/browser', 'User-Agent: Mozilla/4.72 [en] (X11)\r\n', 200, ' old '],
  ['/browser', 'User-Agent: Lynx/2.8\r\n', 200, ' old '],
  ['/browser', 'User-Agent: curl/8\r\n', 200, 'new  '],
  ['/unlisted', 'User-Agent: curl/8\r\n', 200, '[][1]'],
  ['/auth', '', 401, ''],
  ['/auth', basic('plain:pw'), 200, 'in as plain'],
  ['/auth', basic('plain:second'), 401, ''],
  ['/auth', basic('sha:pw'), 200, 'in as sha'],
  ['/auth', basic('md5:pw'), 200, 'in as md5'],
  ['/auth', basic('tail:pw'), 200, 'in as tail'],
  ['/auth', basic('#off:pw'), 401, ''],
  ['/auth', basic(':pw'), 401, ''],
  ['/auth', basic('plain'), 401, ''],
  ['/auth', basic('unknown:pw'), 401, ''],
  ['/auth', 'Authorization: Basic cGxhaW46cHc=behind\r\n', 200, 'in as plain'],
  ['/auth', 'Authorization: Basic cGxhaW46c*c\r\n', 401, ''],
  ['/folder', basic('plain:pw'), 500, ''],
  ['/status', '', 201, '201'],
];

describe('what a request says decides', () => {
  for (const [target, headers, status, body] of rows) {
    test(`${target} ${headers.trim()}`, async () => {
      const got = await proxy.get(target, headers);
      assert.equal(got.status, status);
      if (body !== '') assert.equal(got.body, body);
    });
  }
});

describe('auth_delay', () => {
  for (const target of ['/delayed', '/either']) {
    test(`${target} holds a refusal back`, async () => {
      const before = performance.now();
      const got = await proxy.get(target);
      assert.equal(got.status, 401);
      assert.ok(performance.now() - before >= 290);
      assert.match(proxy.log, /\[info\].*delaying unauthorized request/);
    });
  }
});

describe('a redirect to nothing', () => {
  for (const target of ['/nowhere', '/page?to=']) {
    test(`${target} has an empty Location`, async () => {
      const got = await proxy.get(target);
      assert.equal(got.status, 302);
      assert.equal(got.headers.get('location'), '');
    });
  }
});
