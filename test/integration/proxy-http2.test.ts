/** `proxy_http_version 2`: requests, replies and connections of HTTP/2 to upstream servers. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DATA, END_STREAM, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE, PING } from '../../src/http/http2/frames.ts';
import { frame } from '../kit/h2.ts';
import { fieldOf, type H2Request, head, startH2Backend, startH2Script } from '../kit/h2-backend.ts';
import { startProxy } from '../kit/proxy.ts';
import { rigFor } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const location = (port: number, more = ''): string =>
  `upstream pool { server 127.0.0.1:${port}; keepalive 4; }
   server { listen 127.0.0.1:%port%; client_body_buffer_size 16k;
     location / { proxy_pass http://pool; proxy_http_version 2; ${more} } }`;

describe('requests', () => {
  const CASES: readonly [
    name: string,
    request: string,
    more: string,
    fields: Record<string, string | undefined>,
  ][] = [
    [
      'pseudo-headers',
      'GET /a%20b?c=d HTTP/1.1\r\nHost: front\r\n\r\n',
      '',
      { ':method': 'GET', ':scheme': 'http', ':path': '/a%20b?c=d', ':authority': 'pool', host: undefined },
    ],
    [
      'a Host and a method of the configuration',
      'GET / HTTP/1.1\r\nHost: front\r\n\r\n',
      'proxy_set_header Host $host; proxy_method PUT;',
      { ':method': 'PUT', ':path': '/', ':authority': 'front' },
    ],
    [
      'what belongs to a connection stays behind',
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nTE: trailers\r\nUpgrade: x\r\nX-Odd_Name: 1\r\nX-Mine: 2\r\n\r\n',
      '',
      { connection: undefined, te: undefined, upgrade: undefined, 'x-mine': '2' },
    ],
    [
      "lines of the configuration, in lower case; an empty one hides the client's",
      'GET / HTTP/1.1\r\nHost: a\r\nX-Gone: 1\r\n\r\n',
      'proxy_set_header X-Set "v $arg_q"; proxy_set_header X-Gone "";',
      { 'x-set': 'v ', 'x-gone': undefined },
    ],
    [
      'a body with its length',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc',
      '',
      { ':method': 'POST', 'content-length': '3', body: 'abc' },
    ],
    [
      'chunks are read first, and their length is known then',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n',
      '',
      { 'content-length': '3', 'transfer-encoding': undefined, body: 'abc' },
    ],
    [
      'a body of the configuration',
      'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
      'proxy_set_body "own $uri";',
      { 'content-length': '5', body: 'own /' },
    ],
  ];
  for (const [name, request, more, fields] of CASES) {
    test(name, async (t) => {
      const rig = rigFor(t);
      const got: H2Request[] = [];
      const backend = await startH2Backend(rig, (received, peer) => {
        got.push(received);
        peer.answer(received.id, 'ok');
      });
      const proxy = await startProxy(rig, { http: location(backend.port, more) });
      const reply = await (await proxy.connect()).request(request);
      assert.equal(reply.body, 'ok');
      const [received] = got;
      for (const [field, value] of Object.entries(fields)) {
        assert.equal(
          field === 'body' ? received?.body : fieldOf(received?.fields ?? '', field),
          value,
          field,
        );
      }
    });
  }

  test('a head of many frames', async (t) => {
    const rig = rigFor(t);
    const backend = await startH2Backend(rig, ({ id, fields }, peer) => {
      peer.answer(id, `${fieldOf(fields, 'x-long')?.length}`);
    });
    const proxy = await startProxy(rig, {
      http: location(backend.port, 'proxy_set_header X-Long $arg_a$arg_a$arg_a$arg_a$arg_a$arg_a;'),
    });
    assert.equal((await proxy.get(`/?a=${'^'.repeat(7000)}`)).body, '42000');
  });
});

describe('bodies keep to the windows of the server', () => {
  const upload = (length: number): string =>
    `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${'x'.repeat(length)}`;

  for (const streams of ['on', 'off']) {
    test(`proxy_request_buffering ${streams}`, async (t) => {
      const rig = rigFor(t);
      const seen: number[] = [];
      const backend = await startH2Script(rig, async (peer) => {
        peer.settings([INITIAL_WINDOW_SIZE, 1000]).acknowledge();
        const { id } = await peer.until(HEADERS);
        const read = async (most: number): Promise<number> => {
          let length = 0;
          for (let last = 0; length < most && last === 0; ) {
            const got = await peer.until(DATA, id);
            length += got.payload.length;
            last = got.flags & END_STREAM;
          }
          return length;
        };
        // What was sent before the settings came may fill the window that everybody begins with.
        seen.push(await read(1000));
        peer.window(id, 200_000).window(0, 200_000);
        seen.push(await read(Number.POSITIVE_INFINITY));
        peer.answer(id, 'taken');
        await peer.wire.waitFor(() => peer.wire.ended, 'end');
      });
      const proxy = await startProxy(rig, {
        http: location(backend.port, `proxy_request_buffering ${streams};`),
      });
      const client = await proxy.connect();
      const reply = await client.request(upload(150_000));
      assert.equal(reply.body, 'taken');
      assert.equal(
        seen.reduce((sum, length) => sum + length, 0),
        150_000,
      );
      client.close();
    });
  }

  test('a window that stays shut is a timeout', async (t) => {
    const rig = rigFor(t);
    const backend = await startH2Script(rig, async (peer) => {
      peer.settings().acknowledge();
      await peer.wire.waitFor(() => peer.wire.ended, 'end');
    });
    const proxy = await startProxy(rig, { http: location(backend.port, 'proxy_send_timeout 200ms;') });
    const client = await proxy.connect();
    assert.equal((await client.request(upload(100_000))).status, 504);
    client.close();
  });

  test('the body goes on behind the head of the reply', async (t) => {
    const rig = rigFor(t);
    const backend = await startH2Script(rig, async (peer) => {
      peer.settings().acknowledge();
      const { id } = await peer.until(HEADERS);
      peer.send(head(id));
      for (;;) {
        const { payload, flags } = await peer.until(DATA, id);
        peer.send(frame(DATA, flags & END_STREAM, id, payload.toUpperCase()));
        if ((flags & END_STREAM) !== 0) break;
      }
      await peer.wire.waitFor(() => peer.wire.ended, 'end');
    });
    const proxy = await startProxy(rig, {
      http: location(backend.port, 'proxy_request_buffering off; proxy_buffering off;'),
    });
    const client = await proxy.connect();
    client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n');
    assert.match(await client.readHead(), /^HTTP\/1\.1 200 OK/);
    await client.expect('1\r\nA\r\n');
    client.send('2\r\nbc\r\n');
    await client.expect('2\r\nBC\r\n');
    client.send('0\r\n\r\n');
    await client.expect('0\r\n\r\n');
    client.close();
  });
});

describe('connections', () => {
  test('one carries a stream after the other', async (t) => {
    const rig = rigFor(t);
    const backend = await startH2Backend(rig, ({ id, connection }, peer) => {
      peer.answer(id, `${connection}:${id}`);
    });
    const proxy = await startProxy(rig, { http: location(backend.port) });
    const client = await proxy.connect();
    for (const body of ['1:1', '1:3', '1:5']) {
      assert.equal((await client.request('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).body, body);
    }
    client.close();
  });

  const ENDS: readonly [name: string, frames: (id: number) => string, kept: boolean][] = [
    ['a reply that ends with its head is', (id) => head(id, [], END_STREAM), true],
    ['one with trailers is', (id) => head(id) + frame(HEADERS, 5, id, '\0\x01a\x01b'), true],
    [
      'one that is reset in order behind its end is',
      (id) => head(id) + frame(DATA, 1, id) + frame(3, 0, id, '\0\0\0\0'),
      true,
    ],
    [
      'one behind GOAWAY is not',
      (id) => frame(GOAWAY, 0, 0, '\0\0\0\x7f\0\0\0\0') + head(id) + frame(DATA, 1, id),
      false,
    ],
    [
      'one with the beginning of another frame behind it is not',
      (id) => `${head(id)}${frame(DATA, 1, id)}\0\0`,
      false,
    ],
  ];
  for (const [name, frames, kept] of ENDS) {
    test(`${name} kept`, async (t) => {
      const rig = rigFor(t);
      const backend = await startH2Backend(rig, ({ id }, peer) => {
        peer.send(frames(id));
      });
      const proxy = await startProxy(rig, { http: location(backend.port) });
      const client = await proxy.connect();
      for (let i = 0; i < 2; i++) {
        assert.equal((await client.request('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).status, 200);
      }
      assert.equal(backend.accepted, kept ? 1 : 2);
      client.close();
    });
  }

  test('an idle one that says anything is closed', async (t) => {
    const rig = rigFor(t);
    const backend = await startH2Backend(rig, ({ id, connection }, peer) => {
      peer.answer(id, `${connection}`);
    });
    const proxy = await startProxy(rig, { http: location(backend.port) });
    const client = await proxy.connect();
    assert.equal((await client.request('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).body, '1');
    const first = await backend.wire(1);
    first.send(frame(PING, 0, 0, '12345678'));
    await until(() => first.ended, 'the connection is closed');
    assert.equal((await client.request('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).body, '2');
    client.close();
  });

  test('a ping in the middle of a reply is answered', async (t) => {
    const rig = rigFor(t);
    const backend = await startH2Backend(rig, async ({ id }, peer) => {
      peer.send(head(id), frame(PING, 0, 0, '12345678'));
      const { payload } = await peer.until(PING);
      peer.send(frame(DATA, END_STREAM, id, payload));
    });
    const proxy = await startProxy(rig, { http: location(backend.port) });
    assert.equal((await proxy.get('/')).body, '12345678');
  });

  test('hints without a line are none', async (t) => {
    const rig = rigFor(t);
    const backend = await startH2Backend(rig, ({ id }, peer) => {
      peer.send(head(id, [], 0, '103'));
      peer.answer(id, 'ok');
    });
    const proxy = await startProxy(rig, { http: location(backend.port, 'early_hints 1;') });
    const client = await proxy.connect();
    assert.equal((await client.request('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).status, 200);
    client.close();
  });

  test('early hints go to the client', async (t) => {
    const rig = rigFor(t);
    const backend = await startH2Backend(rig, ({ id }, peer) => {
      peer.send(head(id, [['link', '</a>']], 0, '103'));
      peer.answer(id, 'ok');
    });
    const proxy = await startProxy(rig, { http: location(backend.port, 'early_hints 1;') });
    const client = await proxy.connect();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal(await client.readHead(), 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n');
    assert.equal((await client.readMessage()).body, 'ok');
    client.close();
  });
});
