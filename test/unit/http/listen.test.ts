import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadHttp, serverAt, verdictOf } from './http-rig.ts';

const listensOf = (written: string) => serverAt(loadHttp(`server { listen ${written}; }`)).listens;
const keysOf = (written: string): string =>
  listensOf(written)
    .map(({ spec }) => spec.key)
    .join(' ');

const addresses: readonly (readonly [written: string, keys: string])[] = [
  ['80', '0.0.0.0:80'],
  ['*:80', '0.0.0.0:80'],
  ['*', '0.0.0.0:80'],
  ['127.0.0.1', '127.0.0.1:80'],
  ['127.0.0.1:8080', '127.0.0.1:8080'],
  ['8000-8003', '0.0.0.0:8000 0.0.0.0:8001 0.0.0.0:8002 0.0.0.0:8003'],
  ['127.0.0.1:80-81', '127.0.0.1:80 127.0.0.1:81'],
  ['[::]:80', '[::]:80'],
  ['[::1]', '[::1]:80'],
  ['[2001:db8::1]:80-81', '[2001:db8::1]:80 [2001:db8::1]:81'],
  ['one.test:81', '192.0.2.8:81'],
  ['two.test:81', '192.0.2.7:81 [2001:db8::7]:81'],
  ['unix:/run/a.sock', 'unix:/run/a.sock'],
  ['65535', '0.0.0.0:65535'],
];

describe('the addresses of listen', () => {
  for (const [written, keys] of addresses) it(written, () => assert.equal(keysOf(written), keys));

  it('tell a wildcard, the family and a path', () => {
    const facts = (written: string) =>
      listensOf(written).map(({ spec, wildcard }) => [spec.family, spec.address, spec.port, wildcard]);
    assert.deepEqual(facts('80'), [['ipv4', '0.0.0.0', 80, true]]);
    assert.deepEqual(facts('[::]:80'), [['ipv6', '::', 80, true]]);
    assert.deepEqual(facts('[::1]:80'), [['ipv6', '::1', 80, false]]);
    assert.deepEqual(facts('unix:/a'), [['unix', '/a', 0, false]]);
  });
});

const of = (reason: string) => (written: string) => `${reason} in "${written}" of the "listen" directive`;
const refusedAddresses: readonly (readonly [
  reason: (written: string) => string,
  written: readonly string[],
])[] = [
  [
    of('invalid port'),
    [
      '0',
      '65536',
      '127.0.0.1:',
      '127.0.0.1:0',
      '127.0.0.1:x',
      '127.0.0.1:80x',
      '*:',
      '[::1]:',
      '[::1]:65536',
      '99999999999',
    ].concat(['127.0.0.1:80:80']),
  ],
  [of('invalid port range'), ['8003-8000']],
  [of('host not found'), ['nosuch.test:80', 'nosuch.test']],
  [of('no host'), [':80']],
  [of('invalid host'), ['a/b:80', 'a?b', '[::1', '[::1]80']],
  [of('invalid IPv6 address'), ['[::g]:80', '[]:80']],
  [of('no path in the unix domain socket'), ['unix:']],
];

describe('addresses that are refused', () => {
  for (const [reason, list] of refusedAddresses) {
    for (const written of list) {
      it(written, () => assert.equal(verdictOf(`server { listen ${written}; }`), reason(written)));
    }
  }
});

describe('the options of listen', () => {
  const options: readonly (readonly [written: string, facts: Readonly<Record<string, unknown>>])[] = [
    ['', { backlog: 511, reuseport: false, ipv6only: true, deferred: false, keepalive: undefined }],
    ['backlog=5', { backlog: 5 }],
    ['rcvbuf=1k', { rcvbuf: 1024 }],
    ['sndbuf=1m', { sndbuf: 1 << 20 }],
    ['fastopen=3', { fastopen: 3 }],
    ['deferred', { deferred: true }],
    ['reuseport', { reuseport: true }],
    ['ipv6only=off', { ipv6only: false }],
    ['ipv6only=on', { ipv6only: true }],
    ['so_keepalive=on', { keepalive: true }],
    ['so_keepalive=off', { keepalive: false }],
    ['so_keepalive=1m:2:3', { keepalive: { idle: 60, interval: 2, count: 3 } }],
    ['so_keepalive=1m', { keepalive: { idle: 60 } }],
    ['so_keepalive=:5:', { keepalive: { interval: 5 } }],
  ];
  for (const [written, facts] of options) {
    it(written === '' ? 'left out' : written, () => {
      const [listen] = listensOf(`80 ${written}`);
      assert.deepEqual({ ...listen?.spec, ...facts }, { ...listen?.spec });
      assert.equal(listen?.set, written !== '');
      assert.equal(listen?.bind, written !== '');
    });
  }

  const flags: readonly (readonly [written: string, facts: readonly boolean[]])[] = [
    ['80', [false, false, false, false, false]],
    ['80 default_server', [true, false, false, false, false]],
    ['80 default', [true, false, false, false, false]],
    ['80 bind', [false, true, false, false, false]],
    ['80 proxy_protocol', [false, false, false, false, true]],
    ['80 http2', [false, false, false, true, false]],
    ['80 default_server bind proxy_protocol', [true, true, false, false, true]],
  ];
  for (const [written, facts] of flags) {
    it(written, () => {
      const [listen] = listensOf(written);
      assert.deepEqual(
        [listen?.isDefault, listen?.set, listen?.ssl, listen?.http2, listen?.proxyProtocol],
        facts,
      );
    });
  }

  const refused: readonly (readonly [written: string, reason: string])[] = [
    ['foo', 'invalid parameter "foo"'],
    ['80', 'invalid parameter "80"'],
    ['backlog', 'invalid parameter "backlog"'],
    ['backlog=', 'invalid backlog "backlog="'],
    ['backlog=0', 'invalid backlog "backlog=0"'],
    ['backlog=x', 'invalid backlog "backlog=x"'],
    ['rcvbuf=x', 'invalid rcvbuf "rcvbuf=x"'],
    ['sndbuf=1z', 'invalid sndbuf "sndbuf=1z"'],
    ['fastopen=x', 'invalid fastopen "fastopen=x"'],
    ['setfib=1', 'invalid parameter "setfib=1"'],
    ['ipv6only=x', 'invalid parameter "ipv6only=x"'],
    ['ipv6only=oz', 'invalid ipv6only flags "oz"'],
    ['so_keepalive=', 'invalid so_keepalive value: ""'],
    ['so_keepalive=x', 'invalid so_keepalive value: "x"'],
    ['so_keepalive=::', 'invalid so_keepalive value: "::"'],
    ['so_keepalive=0::', 'invalid so_keepalive value: "0::"'],
    ['so_keepalive=1:2:3:4', 'invalid so_keepalive value: "1:2:3:4"'],
    ['quic', 'the "quic" parameter requires ngx_http_v3_module'],
    ['http2', 'the "listen ... http2" directive is deprecated, use the "http2" directive instead'],
    ['accept_filter=x', 'accept filters "accept_filter=x" are not supported on this platform, ignored'],
  ];
  for (const [written, reason] of refused) {
    it(written, () => assert.equal(verdictOf(`server { listen 80 ${written}; }`), reason));
  }
});

describe('several listens', () => {
  const two = (first: string, second: string): string =>
    `server { listen ${first}; server_name a; } server { listen ${second}; server_name b; }`;
  const table: readonly (readonly [http: string, verdict: string])[] = [
    ['server { listen 80; listen 80; }', 'a duplicate listen 0.0.0.0:80'],
    ['server { listen 80; listen *:80; }', 'a duplicate listen 0.0.0.0:80'],
    ['server { listen 127.0.0.1:80-82; listen 127.0.0.1:81; }', 'a duplicate listen 127.0.0.1:81'],
    [two('80 default_server', '80 default_server'), 'a duplicate default server for 0.0.0.0:80'],
    [two('80 default_server', '81 default_server'), ''],
    [two('80 backlog=5', '80 backlog=6'), 'duplicate listen options for 0.0.0.0:80'],
    [two('80 backlog=5', '80'), ''],
    [two('80', '80 bind'), ''],
    [two('80 deferred', '80 proxy_protocol'), 'protocol options redefined for 0.0.0.0:80'],
    [two('80', '80 proxy_protocol'), ''],
    [two('80 proxy_protocol', '80'), ''],
    [two('80 proxy_protocol', '80 backlog=5'), 'protocol options redefined for 0.0.0.0:80'],
    [
      `${two('80 proxy_protocol', '80')} server { listen 80 proxy_protocol; server_name c; }`,
      'protocol options redefined for 0.0.0.0:80',
    ],
  ];
  for (const [http, verdict] of table) it(http, () => assert.equal(verdictOf(http), verdict));

  it('share their options and the default server', () => {
    const build = loadHttp(two('80', '80 default_server backlog=7 proxy_protocol'));
    const address = build.addresses.get('0.0.0.0:80');
    assert.equal(address?.fallback, serverAt(build, 1));
    assert.equal(address?.servers.length, 2);
    assert.deepEqual([address?.listen.spec.backlog, address?.listen.proxyProtocol], [7, true]);
  });
  it('are port 80 of root, and 8000 of others, where a server has none', () => {
    const build = loadHttp(
      'server { server_name a; } server { listen 127.0.0.1:81; } server { server_name b; }',
    );
    const port = process.getuid?.() === 0 ? 80 : 8000;
    assert.deepEqual([...build.addresses.keys()], [`0.0.0.0:${port}`, '127.0.0.1:81']);
    assert.equal(build.addresses.get(`0.0.0.0:${port}`)?.servers.length, 2);
  });
  it('without a default server have the first one', () => {
    const build = loadHttp(two('80', '80'));
    assert.equal(build.addresses.get('0.0.0.0:80')?.fallback, serverAt(build, 0));
  });
});
