/** What the log says of requests that never became one, and of how clients wrote what did. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';

const rig = new Rig();
let proxy: Subject;

before(async () => {
  proxy = await startProxy(rig, {
    http: `server {
      listen 127.0.0.1:%port%;
      server_name s;
      client_header_timeout 300ms;
      location /protocol { return 200 "[$server_protocol]"; }
      location /saved { client_body_in_file_only clean; proxy_pass http://127.0.0.1:%port%/protocol; }
    }`,
  });
});
after(() => rig.close());

/** Sends the bytes and, when `ends`, closes; answers once the log says it. */
const sends = async (bytes: string, ends: boolean, logged: string): Promise<string> => {
  const from = proxy.log.length;
  const wire = await proxy.connect();
  if (bytes !== '') wire.send(bytes);
  if (ends) wire.end();
  await proxy.logged({ includes: logged, from });
  wire.close();
  return proxy.log.slice(from);
};

describe('a client that goes away, or stays silent', () => {
  const cases: readonly [name: string, bytes: string, ends: boolean, logged: string][] = [
    [
      'closes at once',
      '',
      true,
      'client closed connection while waiting for request, client: 127.0.0.1, server: 127.0.0.1:',
    ],
    ['says nothing', '', false, 'client timed out (110: Connection timed out) while waiting for request'],
    [
      'closes in its request line',
      'GE',
      true,
      'client prematurely closed connection while reading client request line, client: 127.0.0.1, server: s, request: "GE"',
    ],
    [
      'closes in its header lines',
      'GET / HTTP/1.1\r\nX: y\r\n',
      true,
      'client prematurely closed connection while reading client request headers, client: 127.0.0.1, server: s, request: "GET / HTTP/1.1"',
    ],
    [
      'is silent in its request line',
      'GET /x',
      false,
      'client timed out (110: Connection timed out) while reading client request line, client: 127.0.0.1, server: s, request: "GET /x"',
    ],
    [
      'is silent in its header lines',
      'GET /x HTTP/1.1\r\nX: y\r\n',
      false,
      'client timed out (110: Connection timed out) while reading client request headers, client: 127.0.0.1, server: s, request: "GET /x HTTP/1.1"',
    ],
  ];
  for (const [name, bytes, ends, logged] of cases) {
    test(name, async () => {
      await sends(bytes, ends, logged);
    });
  }
});

describe('a request line that is none', () => {
  const cases: readonly [name: string, bytes: string, logged: string][] = [
    [
      'a CR in the middle: shown up to there',
      'GET / HTTP/1.0\rX: y\r\n\r\n',
      'client sent invalid request while reading client request line, client: 127.0.0.1, server: s, request: "GET / HTTP/1.0"',
    ],
    [
      'HTTP/0.9 with another method than GET',
      'POST /protocol\r\n',
      'client sent invalid method in HTTP/0.9 request while reading client request line',
    ],
    [
      'behind another request',
      'GET /protocol HTTP/1.1\r\nHost: a\r\n\r\nGARB\r\n\r\n',
      'client sent invalid method while reading client pipelined request line, client: 127.0.0.1, server: s, request: "GARB"',
    ],
    [
      'longer than a buffer: shown as much of it as fits one',
      `GET /${'a'.repeat(9000)} HTTP/1.1\r\n\r\n`,
      'client sent too long URI while reading client request line, client: 127.0.0.1, server: s, request: "GET /aaa',
    ],
  ];
  for (const [name, bytes, logged] of cases) {
    test(name, async () => {
      const log = await sends(bytes, false, logged);
      assert.doesNotMatch(log, /a HTTP\/1\.1"/);
    });
  }
});

describe('$server_protocol is what the client wrote', () => {
  for (const protocol of ['HTTP/1.1', 'HTTP/1.0', 'HTTP/1.01', 'HTTP/1.9', 'HTTP/1.1 ']) {
    test(JSON.stringify(protocol), async () => {
      const wire = await proxy.connect();
      const { body } = await wire.request(
        `GET /protocol ${protocol}\r\nHost: a\r\nConnection: close\r\n\r\n`,
      );
      assert.equal(body, `[${protocol}]`);
    });
  }
});

test('a body that is kept in a file is no reason for a warning', async () => {
  await sends(
    'POST /saved HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc',
    false,
    '[notice]',
  );
  assert.match(proxy.log, /\[notice\] .*a client request body is buffered to a temporary file/);
});
