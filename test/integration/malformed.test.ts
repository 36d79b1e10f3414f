/** Malformed and borderline requests: the status, the close, the log, and what the backend must never see. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EDGE_BODIES } from '../kit/edge-bodies.ts';
import { EDGE_HEADS } from '../kit/edge-heads.ts';
import type { Backend } from '../kit/http-backend.ts';
import { reply, startBackend } from '../kit/http-backend.ts';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { Wire } from '../kit/wire.ts';

const EDGE_CASES = { ...EDGE_BODIES, ...EDGE_HEADS };
const rig = new Rig();
let proxy: Subject;
let backend: Backend;

before(async () => {
  backend = await startBackend(rig, (request) => reply(`${request.method} ${request.body.length}`));
  proxy = await startProxy(rig, {
    http: `server {
      listen 127.0.0.1:%port%;
      location / { return 200 ok; }
      location /p { proxy_pass http://127.0.0.1:${backend.port}; }
    }`,
  });
});
after(() => rig.close());

for (const [subject, cases] of Object.entries(EDGE_CASES)) {
  describe(subject, () => {
    for (const { name, bytes, status, logged } of cases) {
      test(`${name}: ${status}`, async () => {
        const seen = proxy.log.length;
        const wire = await proxy.connect();
        wire.send(bytes);
        const got = await wire.readMessage();
        assert.equal(got.status, status);
        const closed = status !== 200 || bytes.includes('HTTP/1.0');
        assert.equal(got.headers.get('connection'), closed ? 'close' : 'keep-alive');
        if (closed) {
          await wire.expectEnd();
        }
        if (logged !== '') {
          await proxy.logged({ includes: logged, from: seen });
        }
        wire.close();
      });
    }
  });
}

describe('the same one byte at a time', () => {
  for (const cases of Object.values(EDGE_CASES)) {
    for (const { name, bytes, status } of cases) {
      test(`${name}: ${status}`, async () => {
        const wire = await proxy.connect();
        let at = 0;
        for (; at < bytes.length && !wire.ended && wire.pending === ''; at++) {
          wire.send(bytes.slice(at, at + 1));
          await new Promise(setImmediate);
        }
        if (wire.ended && wire.pending === '') {
          // Refused before its last byte: the bytes behind made the close a reset, which takes the reply along.
          assert.ok(status >= 400 && at < bytes.length);
          return;
        }
        assert.equal((await wire.readMessage()).status, status);
        wire.close();
      });
    }
  }
});

describe('too large', () => {
  const long = 'a'.repeat(40_000);
  const cases: readonly [name: string, request: string, status: number, logged: string][] = [
    ['a request line', `GET /${long} HTTP/1.1\r\nHost: a\r\n\r\n`, 414, 'client sent too long URI'],
    [
      'a header line',
      `GET / HTTP/1.1\r\nHost: a\r\nX: ${long}\r\n\r\n`,
      400,
      'client sent too long header line: "X: aaaa',
    ],
    [
      'the sum of the header lines',
      `GET / HTTP/1.1\r\nHost: a\r\n${`X: ${'y'.repeat(6000)}\r\n`.repeat(10)}\r\n`,
      400,
      'client sent too',
    ],
    [
      'the number of the header lines',
      `GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(1100)}\r\n`,
      400,
      'client sent too many header lines',
    ],
    [
      'a body by its Content-Length',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n',
      413,
      'client intended to send too large body: 2000000 bytes',
    ],
    [
      'a chunked body',
      `POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1e8480\r\nx`,
      413,
      'client intended to send too large chunked body: 0+2000000 bytes',
    ],
  ];
  for (const [name, request, status, logged] of cases) {
    test(`${name}: ${status}`, async () => {
      const seen = proxy.log.length;
      const wire = await proxy.connect();
      wire.send(request);
      const got = await wire.readMessage();
      assert.equal(got.status, status);
      assert.equal(got.headers.get('connection'), 'close');
      await proxy.logged({ includes: logged, from: seen });
      wire.close();
    });
  }
});

describe('smuggling: what is behind a body is a request of its own', () => {
  test('behind a Content-Length body', async () => {
    const wire = await Wire.connect(proxy.port());
    const count = backend.requests.length;
    wire.send(
      'POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /p HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n',
    );
    assert.equal((await wire.readMessage()).body, 'POST 5');
    assert.equal((await wire.readMessage()).body, 'GET 0');
    assert.equal(backend.requests.length, count + 2);
    wire.close();
  });

  test('behind a chunked body, which goes on with a Content-Length', async () => {
    const wire = await Wire.connect(proxy.port());
    wire.send('POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n');
    wire.send('GET /p HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal((await wire.readMessage()).body, 'POST 5');
    assert.equal((await wire.readMessage()).body, 'GET 0');
    const sent = backend.requests.at(-2);
    assert.equal(sent?.headers.get('content-length'), '5');
    assert.equal(sent?.headers.has('transfer-encoding'), false);
    wire.close();
  });

  test('a refused request is the last on its connection', async () => {
    const wire = await Wire.connect(proxy.port());
    const count = backend.requests.length;
    wire.send(
      'POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /p HTTP/1.1\r\nHost: a\r\n\r\n',
    );
    assert.equal((await wire.readMessage()).status, 400);
    assert.equal(await wire.readToEnd(), '');
    assert.equal(backend.requests.length, count);
  });
});
