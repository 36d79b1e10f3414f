/** What the access log says of requests, refused ones and pipelined ones too, and where its lines go. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const rig = new Rig();
const syslog = createSocket('udp4');
const messages: string[] = [];
let proxy: Subject;

before(async () => {
  syslog.on('message', (bytes) => messages.push(bytes.toString('latin1')));
  await new Promise<void>((done) => syslog.bind(0, '127.0.0.1', done));
  rig.defer(() => new Promise<void>((done) => syslog.close(() => done())));
  proxy = await startProxy(rig, {
    allowAlert: /nobody/,
    http: `
      log_format facts '$request_length $pipe [$uri] [$request_uri] $content_length $sent_http_connection $limit_rate';
      log_format Named '$uri';
      log_format escaped escape=json '{"a":"$arg_a"}';
      log_format bare escape=none '$arg_a $arg_b';
      server {
        listen 127.0.0.1:%port%;
        root %dir%;
        access_log %dir%/facts.log facts;
        location / { return 200 ok; }
        location /rate { limit_rate 100k; return 200 "$limit_rate"; }
        location /set { set $limit_rate 5k; return 200 "$limit_rate"; }
        location /json { access_log %dir%/json.log escaped; return 200 ok; }
        location /bare { access_log %dir%/bare.log bare; return 200 ok; }
        location /if { access_log %dir%/if.log named if=$arg_log; return 200 ok; }
        location /named/ { access_log %dir%/$arg_to.log named; return 200 ok; }
        location /buffered { access_log %dir%/buffered.log named buffer=1k flush=50ms; return 200 ok; }
        location /away { access_log syslog:server=unix:%dir%/nobody named; return 200 ok; }
        location /syslog {
          access_log syslog:server=127.0.0.1:${syslog.address().port},facility=mail,severity=warn,tag=web,nohostname named;
          return 200 ok;
        }
      }`,
  });
});
after(() => rig.close());

const file = (name: string): string => {
  const path = join(proxy.dir, name);
  return existsSync(path) ? readFileSync(path, 'latin1') : '';
};

/** Sends bytes on a connection of their own and waits for the end of all replies. */
const send = async (bytes: string): Promise<void> => {
  const wire = await proxy.connect();
  wire.send(bytes);
  await wire.readToEnd();
  wire.close();
};

/** The lines that requests added to a log. */
const added = async (
  name: string,
  count: number,
  act: () => Promise<unknown>,
): Promise<readonly string[]> => {
  const before = file(name).length;
  await act();
  const lines = (): string[] => file(name).slice(before).split('\n').slice(0, -1);
  await until(() => lines().length >= count, name);
  return lines();
};

const END = 'Host: x\r\nConnection: close\r\n\r\n';
const facts: readonly (readonly [name: string, bytes: string, lines: readonly string[]])[] = [
  ['a request', `GET /a HTTP/1.1\r\n${END}`, [`${17 + END.length} . [/a] [/a] - close 0`]],
  [
    'a body that is thrown away does not count',
    `POST /a HTTP/1.1\r\nContent-Length: 3\r\n${END}abc`,
    [`${37 + END.length} . [/a] [/a] 3 close 0`],
  ],
  [
    'nor do chunks',
    `POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n${END}3\r\nabc\r\n0\r\n\r\n`,
    [`${46 + END.length} . [/a] [/a] 0 close 0`],
  ],
  [
    'the second of two sent together is marked',
    `GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\n${END}`,
    ['28 . [/1] [/1] - close 0', `${17 + END.length} p [/2] [/2] - close 0`],
  ],
  ['a line that is none', 'BAD\r\n\r\n', ['0 . [-] [-] - close 0']],
  ['a target that cannot be decoded', `GET /%00 HTTP/1.1\r\n${END}`, ['19 . [] [-] - close 0']],
  [
    'lines count up to the one that is refused',
    `GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\nX: y\r\n\r\n`,
    ['35 . [/a] [/a] - close 0'],
  ],
  [
    'and up to one that is too long',
    `GET /a HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(9000)}\r\n\r\n`,
    ['26 . [/a] [/a] - close 0'],
  ],
  [
    'a rate of the location',
    `GET /rate HTTP/1.1\r\n${END}`,
    [`${20 + END.length} . [/rate] [/rate] - close 102400`],
  ],
  ['a rate that is set', `GET /set HTTP/1.1\r\n${END}`, [`${19 + END.length} . [/set] [/set] - close 5120`]],
];

describe('what is logged', () => {
  for (const [name, bytes, lines] of facts) {
    test(name, async () =>
      assert.deepEqual(await added('facts.log', lines.length, () => send(bytes)), lines),
    );
  }

  test('escape=json', async () => {
    const get = (): Promise<unknown> => proxy.get('/json?a="\\\xe4');
    assert.deepEqual(await added('json.log', 1, get), ['{"a":"\\"\\\\\xe4"}']);
  });

  test('escape=none leaves what is not there empty', async () => {
    assert.deepEqual(await added('bare.log', 1, () => proxy.get('/bare?a="')), ['" ']);
  });

  test('an error while logging says so', async () => {
    await proxy.get('/named/?to=none/here');
    await proxy.logged(/\[crit\].*open\(\) ".*none\/here\.log" failed .* while logging request, client: /);
  });
});

describe('where it is logged', () => {
  test('the name of a format is found in any case, a condition leaves lines out', async () => {
    const act = async (): Promise<void> => {
      for (const log of ['', '0', '1', '00']) await proxy.get(`/if?log=${log}`);
    };
    assert.deepEqual(await added('if.log', 2, act), ['/if', '/if']);
  });

  test('a path with variables', async () => {
    assert.deepEqual(await added('one.log', 1, () => proxy.get('/named/?to=one')), ['/named/']);
  });

  test('a buffer is written after flush=', async () => {
    assert.deepEqual(await added('buffered.log', 1, () => proxy.get('/buffered')), ['/buffered']);
  });

  test('syslog with facility, severity and tag', async () => {
    await proxy.get('/syslog');
    await until(() => messages.length > 0, 'a message');
    assert.match(messages[0] ?? '', /^<20>\w{3} [ \d]\d \d\d:\d\d:\d\d web: \/syslog$/);
  });

  test('a syslog server that is away is told of in the error log', async () => {
    assert.equal((await proxy.get('/away')).status, 200);
    await proxy.logged(
      /\[alert\].*connect\(\) failed \(2: No such file or directory\) while logging to syslog, server: unix:.*nobody/,
    );
  });
});
