/** Bodies over HTTP/2 in both directions: windows, buffering and streaming, lengths, trailers, early hints, resets. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  CANCEL,
  DATA,
  END_HEADERS,
  END_STREAM,
  FLOW_CONTROL_ERROR,
  HEADERS,
  INITIAL_WINDOW_SIZE,
  MAX_FRAME_SIZE,
  PING,
  RST_STREAM,
  uint32,
  WINDOW_UPDATE,
} from '../../src/http/http2/frames.ts';
import { block, frame, get, H2Client, type Pair } from '../kit/h2.ts';
import { type Received, reply, startBackend, startScript } from '../kit/http-backend.ts';
import { IS_NGINX, startProxy } from '../kit/proxy.ts';
import { type Rig, rigFor } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const ECHO = (request: Received): string =>
  reply(`${request.method} ${/^content-length: (\d+)/im.exec(request.head)?.[1] ?? '-'} ${request.body}`);

const proxyTo = (rig: Rig, port: number, more = '') =>
  startProxy(rig, {
    http: `http2 on; server { listen 127.0.0.1:%port%; ${more} location / { proxy_pass http://127.0.0.1:${port}; } }`,
  });

const post = (path = '/', ...more: readonly Pair[]): Pair[] => [...get(path, 'POST'), ...more];

describe('replies', () => {
  const BODY = Array.from({ length: 40_000 }, (_, i) => String(i).padStart(5, '0')).join('');

  test('go as far as the windows of stream and connection, in frames of http2_chunk_size', async (t) => {
    const rig = rigFor(t);
    const backend = await startBackend(rig, () => reply(BODY));
    const proxy = await proxyTo(rig, backend.port);
    const client = await H2Client.connect(proxy);
    client.send(client.request(get())[1]);
    let got = '';
    for (let length = 0; length < 65535; length = got.length) got += (await client.until(DATA)).payload;
    assert.equal(got.length, 65535);
    client.send(frame(PING, 0, 0, '12345678'));
    await client.until(PING);
    await client.wire.expectSilence();
    client.window(1, 100_000);
    await client.wire.expectSilence();
    client.window(0, 10_000);
    for (let length = 0; length < 10_000; length += 0) {
      const { payload } = await client.until(DATA);
      assert.ok(payload.length <= 8192);
      got += payload;
      length += payload.length;
    }
    client.window(0, 1_000_000).window(1, 1_000_000);
    assert.equal(got + (await client.answer(1)).body, BODY);
  });

  test('a window that is lowered below zero is waited for', async (t) => {
    const rig = rigFor(t);
    const backend = await startBackend(rig, () => reply(BODY));
    const proxy = await proxyTo(rig, backend.port);
    const client = await H2Client.connect(proxy);
    client.window(0, 1_000_000);
    client.send(client.request(get())[1]);
    for (let length = 0; length < 65535; ) length += (await client.until(DATA)).payload.length;
    client.settings([INITIAL_WINDOW_SIZE, 0]).window(1, 65535);
    await client.until(4);
    await client.wire.expectSilence();
    client.window(1, 1);
    assert.equal((await client.until(DATA)).payload.length, 1);
    client.settings([INITIAL_WINDOW_SIZE, 1_000_000]);
    assert.equal((await client.answer(1)).body.length, BODY.length - 65536);
  });

  test('frames are as large as chunk size and client let them be', async (t) => {
    const rig = rigFor(t);
    writeFileSync(join(rig.dir, 'file'), BODY);
    const proxy = await startProxy(rig, {
      http: 'http2 on; http2_chunk_size 32k; server { listen 127.0.0.1:%port%; location / { root %dir%; } }',
    });
    const client = await H2Client.connect(proxy);
    client.settings([INITIAL_WINDOW_SIZE, 1_000_000], [MAX_FRAME_SIZE, 20_000]).window(0, 1_000_000);
    client.send(client.request(get('/file'))[1]);
    let largest = 0;
    for (let length = 0; length < BODY.length; ) {
      const { payload } = await client.until(DATA);
      length += payload.length;
      largest = Math.max(largest, payload.length);
    }
    assert.equal(largest, 20_000);
  });

  test('many at a time arrive whole', async (t) => {
    const rig = rigFor(t);
    const backend = await startBackend(rig, ({ target }) => reply(`${target}${BODY}`));
    const proxy = await proxyTo(rig, backend.port);
    const client = await H2Client.connect(proxy);
    client.settings([INITIAL_WINDOW_SIZE, 2 ** 31 - 1]).window(0, 2 ** 30);
    const bodies = new Map<number, string>();
    for (let i = 0; i < 100; i++) {
      const [id, frames] = client.request(get(`/${i}`));
      bodies.set(id, '');
      client.send(frames);
    }
    for (let left = 100; left > 0; ) {
      const { id, flags, payload } = await client.until(DATA);
      bodies.set(id, bodies.get(id) + payload);
      if ((flags & END_STREAM) !== 0) left--;
    }
    for (const [id, body] of bodies) assert.equal(body, `/${(id - 1) / 2}${BODY}`);
  });

  test('trailers come behind the body', async (t) => {
    const rig = rigFor(t);
    const backend = await startBackend(rig, () => reply('body'));
    const proxy = await proxyTo(
      rig,
      backend.port,
      'add_trailer X-Sum $upstream_status; add_trailer X-Two two;',
    );
    const client = await H2Client.connect(proxy);
    const answer = await client.ask(get());
    assert.equal(answer.body, 'body');
    assert.equal(answer.trailers, 'x-sum: 200\nx-two: two\n');
    assert.equal(answer.reset, -1);
  });

  test('early hints come before the head', async (t) => {
    const rig = rigFor(t);
    const hint = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n';
    const backend = await startBackend(rig, () => hint + reply('body'));
    const proxy = await proxyTo(rig, backend.port, 'early_hints $http2;');
    const client = await H2Client.connect(proxy);
    client.send(client.request(get())[1]);
    const first = await client.until(HEADERS);
    assert.equal(first.flags, END_HEADERS);
    assert.equal(first.fields, ':status: 103\nlink: </a.css>; rel=preload\n');
    assert.equal((await client.answer(1)).status, 200);
  });

  test('a head larger than a frame goes on in another', async (t) => {
    const rig = rigFor(t);
    const long = Array.from({ length: 3 }, (_, i) => `X-${i}: ${'\x01'.repeat(8000)}\r\n`).join('');
    const backend = await startBackend(rig, () => reply('body', long));
    const proxy = await proxyTo(rig, backend.port, 'proxy_buffer_size 64k; proxy_buffers 4 64k;');
    const client = await H2Client.connect(proxy);
    const { fields } = await client.ask(get());
    assert.equal(fields.split('\x01').length - 1, 24_000);
  });

  test('an upstream that breaks off is a reset stream, and the connection goes on', async (t) => {
    const rig = rigFor(t);
    const backend = await startScript(rig, async (wire) => {
      await wire.readHead();
      wire.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this');
    });
    const proxy = await proxyTo(rig, backend.port);
    const client = await H2Client.connect(proxy);
    const answer = await client.ask(get());
    assert.deepEqual([answer.status, answer.body, answer.reset], [200, 'only this', 2]);
    assert.equal((await client.ask(get())).status, 200);
  });
});

describe('request bodies', () => {
  test('with a length, without one, in many frames, padded', async (t) => {
    const rig = rigFor(t);
    const backend = await startBackend(rig, ECHO);
    const proxy = await proxyTo(rig, backend.port);
    const client = await H2Client.connect(proxy);
    assert.equal((await client.ask(post('/', ['content-length', '4']), 'body')).body, 'POST 4 body');
    assert.equal((await client.ask(post(), 'body')).body, 'POST 4 body');
    assert.equal((await client.ask(post(), '')).body, 'POST 0 ');
    const [id, head] = client.request(post(), '');
    client.send(head.slice(0, -9));
    for (const piece of ['bo', '', 'dy']) client.send(frame(DATA, 0x8, id, `\x03${piece}\0\0\0`));
    client.send(frame(DATA, END_STREAM, id));
    assert.equal((await client.answer(id)).body, 'POST 4 body');
  });

  test('of no bytes, as announced: its end is waited for, and more than that is refused', async (t) => {
    const rig = rigFor(t);
    const backend = await startBackend(rig, ECHO);
    const proxy = await proxyTo(rig, backend.port, 'client_max_body_size 1k;');
    const client = await H2Client.connect(proxy);
    for (const [body, status] of [
      ['', 200],
      ['x', 400],
    ] as const) {
      const [id, frames] = client.request(post('/', ['content-length', '0']), body);
      const data = frames.slice(-9 - body.length);
      client.send(frames.slice(0, -data.length));
      // It is being read.
      await client.until(WINDOW_UPDATE, id);
      client.send(data);
      const answer = await client.answer(id);
      assert.equal(answer.status, status);
      if (status === 200) assert.equal(answer.body, 'POST 0 ');
    }
    await proxy.logged(/\[info\].*client intended to send body data larger than declared, client: /);
  });

  test('that are streamed are no $request_body', async (t) => {
    const rig = rigFor(t);
    const backend = await startBackend(rig, ECHO);
    const proxy = await startProxy(rig, {
      http: `http2 on; log_format body '<$request_body>';
        server { listen 127.0.0.1:%port%; access_log %dir%/body.log body;
          location / { proxy_pass http://127.0.0.1:${backend.port}; proxy_request_buffering off; } }`,
    });
    const client = await H2Client.connect(proxy);
    assert.equal((await client.ask(post('/', ['content-length', '5']), 'hello')).body, 'POST 5 hello');
    const log = (): string => readFileSync(join(proxy.dir, 'body.log'), 'latin1');
    await until(() => log() !== '', 'the access log');
    assert.equal(log(), '<->\n');
  });

  test('the window is raised as soon as somebody reads, whatever has come already', async (t) => {
    const rig = rigFor(t);
    const backend = await startBackend(rig, ECHO);
    const proxy = await proxyTo(rig, backend.port);
    const client = await H2Client.connect(proxy);
    const [id, frames] = client.request(post('/', ['content-length', '5']), 'hello');
    client.send(frames);
    assert.equal((await client.until(WINDOW_UPDATE, id)).payload, uint32(2 ** 31 - 1 - 65536));
    assert.equal((await client.answer(id)).body, 'POST 5 hello');
  });

  test('buffered, they need no more window than is given at once', async (t) => {
    const rig = rigFor(t);
    const backend = await startBackend(rig, ({ body }) => reply(`${body.length}`));
    const proxy = await proxyTo(rig, backend.port, 'client_max_body_size 0; client_body_buffer_size 16k;');
    const client = await H2Client.connect(proxy);
    const [id, head] = client.request(post(), '');
    client.send(head.slice(0, -9));
    const { payload } = await client.until(WINDOW_UPDATE, id);
    assert.ok(Buffer.from(payload, 'latin1').readUInt32BE() > 2 ** 30);
    const piece = frame(DATA, 0, id, 'x'.repeat(16_000));
    for (let i = 0; i < 200; i++) client.send(piece);
    client.send(frame(DATA, END_STREAM, id));
    assert.equal((await client.answer(id)).body, `${200 * 16_000}`);
  });

  test('streamed, they come as they are sent, and are held back by a backend that does not read', async (t) => {
    const rig = rigFor(t);
    let seen = 0;
    let reads = false;
    const backend = await startScript(rig, async (wire) => {
      seen = (await wire.readHead()).length;
      wire.pause();
      await until(() => reads, 'leave to read', 20_000);
      wire.resume();
      await wire.readUntil('\r\n0\r\n\r\n', 20_000);
      wire.send(reply('done'));
    });
    const proxy = await proxyTo(rig, backend.port, 'proxy_request_buffering off; client_max_body_size 0;');
    const client = await H2Client.connect(proxy);
    const [id, head] = client.request(post(), '');
    client.send(head.slice(0, -9), frame(DATA, 0, id, 'x'));
    await until(() => seen > 0, 'the head at the backend');
    // As much as the windows let through, until none is given any more.
    let left = 65536 - 1;
    let sent = 1;
    const piece = 16_384;
    for (let silent = 0; silent < 40; ) {
      if (left >= piece) {
        client.send(frame(DATA, 0, id, 'x'.repeat(piece)));
        left -= piece;
        sent += piece;
      } else if (client.wire.pending === '') {
        silent++;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      while (client.wire.pending.length >= 9) {
        const got = await client.read();
        if (got.type === WINDOW_UPDATE && got.id === id) {
          left += Buffer.from(got.payload, 'latin1').readUInt32BE();
          silent = 0;
        }
      }
      assert.ok(sent < 60_000_000, 'nothing holds the client back');
    }
    assert.ok(sent > 65_536);
    reads = true;
    client.send(frame(DATA, END_STREAM, id));
    assert.equal((await client.answer(id)).body, 'done');
  });

  const WRONG: readonly (readonly [what: string, length: string, body: string, log: string])[] = [
    ['more than the length', '3', 'body', 'client intended to send body data larger than declared'],
    [
      'less than the length',
      '5',
      'body',
      'client prematurely closed stream: only 4 out of 5 bytes of request body received',
    ],
  ];
  for (const [what, length, body, log] of WRONG) {
    for (const buffering of ['on', 'off']) {
      test(`${what}, with request buffering ${buffering}`, async (t) => {
        const rig = rigFor(t);
        const backend = await startBackend(rig, ECHO);
        const proxy = await proxyTo(rig, backend.port, `proxy_request_buffering ${buffering};`);
        const client = await H2Client.connect(proxy);
        const answer = await client.ask(post('/', ['content-length', length]), body);
        assert.equal(answer.status, 400);
        await proxy.logged({ includes: log, from: 0 });
        assert.equal((await client.ask(get())).status, 200);
      });
    }
  }

  test('larger than client_max_body_size', async (t) => {
    const rig = rigFor(t);
    const backend = await startBackend(rig, ECHO);
    const proxy = await proxyTo(rig, backend.port, 'client_max_body_size 10;');
    const client = await H2Client.connect(proxy);
    assert.equal((await client.ask(post(), 'x'.repeat(10))).status, 200);
    assert.equal((await client.ask(post(), 'x'.repeat(11))).status, 413);
    await proxy.logged(/\[error\].*client intended to send too large chunked body: 11 bytes/);
    assert.equal((await client.ask(post('/', ['content-length', '11']), 'x'.repeat(11))).status, 413);
    await proxy.logged(/\[error\].*client intended to send too large body: 11 bytes/);
  });

  test('beyond the window of a stream: that is reset', async (t) => {
    const rig = rigFor(t);
    const backend = await startScript(rig, async (wire) => {
      await wire.readToEnd(20_000);
    });
    const proxy = await proxyTo(
      rig,
      backend.port,
      'proxy_request_buffering off; http2_body_preread_size 1k; client_body_buffer_size 1k;',
    );
    const client = await H2Client.connect(proxy);
    client.acknowledge();
    const [id, head] = client.request(post(), '');
    client.send(head.slice(0, -9), frame(DATA, 0, id, 'x'.repeat(1025)));
    const { payload } = await client.until(RST_STREAM, id);
    assert.equal(payload, uint32(FLOW_CONTROL_ERROR));
    await proxy.logged(
      /client violated flow control for stream 1: received DATA frame length 1025, available window 1024/,
    );
  });

  test('trailers behind a body end it', {
    skip: IS_NGINX ? 'nginx ends the connection' : false,
  }, async (t) => {
    const rig = rigFor(t);
    const backend = await startBackend(rig, ECHO);
    const proxy = await proxyTo(rig, backend.port);
    const client = await H2Client.connect(proxy);
    const [id, head] = client.request(post(), '');
    client.send(head.slice(0, -9), frame(DATA, 0, id, 'body'));
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, id, block([['x-sum', '1']])));
    assert.equal((await client.answer(id)).body, 'POST 4 body');
  });

  test('a reply that does not wait for the body: the rest of that is not wanted', async (t) => {
    const proxy = await startProxy(rigFor(t), {
      http: 'http2 on; server { listen 127.0.0.1:%port%; location / { return 200 "early"; } }',
    });
    const client = await H2Client.connect(proxy);
    const [id, head] = client.request(post('/', ['content-length', '100']), '');
    client.send(head.slice(0, -9));
    const answer = await client.answer(id);
    assert.equal(answer.body, 'early');
    assert.equal((await client.until(RST_STREAM, id)).payload, uint32(0));
    client.send(frame(DATA, 0, id, 'x'.repeat(50)));
    assert.equal((await client.ask(get())).status, 200);
  });
});

describe('a client that resets a stream', () => {
  test('closes the connection upstream', async (t) => {
    const rig = rigFor(t);
    const backend = await startScript(rig, async (wire) => {
      await wire.readHead();
      await wire.readToEnd(20_000);
    });
    const proxy = await proxyTo(rig, backend.port);
    const client = await H2Client.connect(proxy);
    client.send(client.request(get())[1]);
    await backend.wire(1);
    client.send(frame(RST_STREAM, 0, 1, uint32(CANCEL)));
    await until(() => backend.open === 0, 'the end upstream');
    await proxy.logged(/\[info\].*client canceled stream 1/);
  });

  test('in the middle of its body', async (t) => {
    const rig = rigFor(t);
    const backend = await startBackend(rig, ECHO);
    const proxy = await proxyTo(rig, backend.port);
    const client = await H2Client.connect(proxy);
    const [id, head] = client.request(post(), '');
    client.send(head.slice(0, -9), frame(DATA, 0, id, 'bo'), frame(RST_STREAM, 0, id, uint32(5)));
    await proxy.logged(/\[info\].*client terminated stream 1 with status 5/);
    assert.equal((await client.ask(get())).status, 200);
    assert.equal(backend.requests.length, 1);
  });
});
