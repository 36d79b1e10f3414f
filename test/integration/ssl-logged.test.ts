/** What the error log says of clients that break TLS: where they did, and once. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';
import { PREFACE } from '../../src/http/http2/frames.ts';
import { Certificates } from '../kit/certificates.ts';
import { block, frame, get } from '../kit/h2.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

let proxy: Subject;
const rig = new Rig();
before(async () => {
  new Certificates(rig.dir).make('localhost');
  proxy = await startProxy(rig, {
    http: `
      http2 on;
      ssl_certificate %dir%/localhost.pem;
      ssl_certificate_key %dir%/localhost.key;
      server { listen 127.0.0.1:%port% ssl; server_name s; location / { return 200 ok; } }`,
  });
});
after(() => rig.close());

/** A record that nobody has encrypted. */
const BAD_RECORD = Buffer.concat([Buffer.from('1703030028', 'hex'), Buffer.alloc(40, 7)]);
const SAID = 'SSL routines::decryption failed or bad record mac) while ';

/** What is logged about clients behind a place in the log. */
const linesFrom = (before: number): string[] =>
  proxy.log
    .slice(before)
    .split('\n')
    .filter((line) => line.includes('client: '));

/** Sends `bytes`, reads until `answer` has come, then breaks the connection. Answers the lines that are logged. */
const broken = async (protocol: string, bytes: string, answer: string): Promise<string[]> => {
  const before = proxy.log.length;
  const socket = net.connect(proxy.port(), '127.0.0.1');
  await once(socket, 'connect');
  // In this version the server's side of the handshake is the last to be done.
  const maxVersion = 'TLSv1.2';
  const secure = tls.connect({ socket, ALPNProtocols: [protocol], maxVersion, rejectUnauthorized: false });
  secure.on('error', () => undefined);
  await once(secure, 'secureConnect');
  let text = '';
  secure.on('data', (data: Buffer) => {
    text += data.toString('latin1');
  });
  if (bytes !== '') await new Promise<void>((done) => secure.write(bytes, 'latin1', () => done()));
  await until(() => text.includes(answer), 'the answer');
  socket.write(BAD_RECORD);
  await proxy.logged({ includes: SAID, from: before });
  socket.destroy();
  return linesFrom(before);
};

describe('a record that cannot be decrypted', () => {
  const ASK = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
  const BEGIN = PREFACE + frame(4, 0, 0);
  const cases: readonly [when: string, protocol: string, bytes: string, answer: string, logged: string][] = [
    ['before a request', 'http/1.1', '', '', 'waiting for request, client: 127.0.0.1, server: 127.0.0.1:'],
    ['behind a request', 'http/1.1', ASK, 'ok', 'keepalive, client: 127.0.0.1, server: 127.0.0.1:'],
    [
      'in a head',
      'http/1.1',
      `${ASK}GET / HTTP/1.1\r\nHo`,
      'ok',
      'reading client request headers, client: 127.0.0.1, server: s, request: "GET / HTTP/1.1"',
    ],
    [
      'on a connection of HTTP/2',
      'h2',
      BEGIN + frame(1, 5, 1, block(get())),
      'ok',
      'processing HTTP/2 connection, client: 127.0.0.1, server: 127.0.0.1:',
    ],
  ];
  for (const [when, protocol, bytes, answer, logged] of cases) {
    test(when, async () => {
      const lines = await broken(protocol, bytes, answer);
      assert.equal(lines.length, 1, lines.join('\n'));
      assert.match(lines[0] ?? '', /\[info\] .* SSL_read\(\) failed /);
      assert.ok(lines[0]?.includes(SAID + logged), lines[0]);
    });
  }
});

test('a handshake that fails is said once', async () => {
  const before = proxy.log.length;
  const socket = net.connect(proxy.port(), '127.0.0.1');
  socket.write(Buffer.from('16030100050200000100', 'hex'));
  socket.resume();
  await once(socket, 'end');
  socket.destroy();
  await proxy.logged({ includes: 'unexpected message) while SSL handshaking', from: before });
  const lines = linesFrom(before);
  assert.equal(lines.length, 1, lines.join('\n'));
});
