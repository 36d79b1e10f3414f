/** Variables: what they hold in odd cases, what `set` does to them, and when they are worked out. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { Wire } from '../kit/wire.ts';

const rig = new Rig();
let proxy: Subject;

before(async () => {
  proxy = await startProxy(rig, {
    http: `
      map $loop $loop { default $loop; }
      map $arg_v $kept { default $uri; }
      map $arg_v $fresh { volatile; default $uri; }
      server {
        listen 127.0.0.1:%port%;
        listen unix:%dir%/socket;
        location /set { set $http_x set; return 200 "$http_x"; }
        location /unset { return 200 "$http_x"; }
        location /own { set $cookie_z "$cookie_z+"; return 200 "$cookie_z"; }
        location /loop { return 200 "[$loop]"; }
        location /kept { set $first "$kept$fresh"; rewrite ^ /later; return 200 "$kept $fresh"; }
        location /id { set $a $request_id; if ($a = $request_id) { return 200 same; } return 200 other; }
        location /method { error_page 405 = /shown; return 405; }
        location = /shown { return 200 "$request_method"; }
        location /cookie { return 200 "[$cookie_a][$cookie_][$cookie_b]"; }
        location /tcp { return 200 "$tcpinfo_rtt $tcpinfo_rttvar $tcpinfo_snd_cwnd $tcpinfo_rcv_space"; }
        location /rate { limit_rate $arg_rate; return 200 ok; }
      }`,
  });
});
after(() => rig.close());

const rows: readonly (readonly [name: string, target: string, headers: string, body: string])[] = [
  ['set gives a name of a family a value', '/set', 'X: header\r\n', 'set'],
  ['where set has not run the family has its own', '/unset', 'X: header\r\n', 'header'],
  ['the value of a family may be made from itself', '/own', 'Cookie: z=1\r\n', '1+'],
  ['a map is looked up once, a volatile one each time', '/kept', '', '/kept /later'],
  ['a request has one id', '/id', '', 'same'],
  ['an error page is got', '/method', '', 'GET'],
  ['cookies by name', '/cookie', 'Cookie: x=0, a=1;; =2;b = 3 ;\r\n', '[][][3 ]'],
];

describe('variables', () => {
  for (const [name, target, headers, body] of rows) {
    test(name, async () => assert.equal((await proxy.get(target, headers)).body, body));
  }

  test('one that needs itself ends empty, and is logged', async () => {
    assert.equal((await proxy.get('/loop')).body, '[]');
    await proxy.logged(/\[error\].*cycle while evaluating variable "loop", client: /);
  });

  test('what the kernel measures is a number on TCP', async () => {
    assert.match((await proxy.get('/tcp')).body, /^\d+ \d+ [1-9]\d* [1-9]\d*$/);
  });

  test('and not there on a unix socket', async () => {
    const wire = await Wire.connect(join(proxy.dir, 'socket'));
    const { body } = await wire.request('GET /tcp HTTP/1.0\r\n\r\n');
    wire.close();
    assert.equal(body, '   ');
  });

  test('a rate that is none is logged', async () => {
    assert.equal((await proxy.get('/rate?rate=foo')).body, 'ok');
    await proxy.logged(/\[error\].*invalid size "foo"/);
  });
});
