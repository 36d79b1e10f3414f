/** How connections of HTTP/2 end: reload, shutdown, keepalive limits, errors; and Node's own client through reloads. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import { describe, test } from 'node:test';
import { GOAWAY, HEADERS, PING, PREFACE } from '../../src/http/http2/frames.ts';
import { frame, get, H2Client } from '../kit/h2.ts';
import { reply, startBackend } from '../kit/http-backend.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { rigFor } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const HTTP = 'http2 on; server { listen 127.0.0.1:%port%; location / { return 200 "body"; } }';

describe('the end of a connection', () => {
  for (const signal of ['SIGHUP', 'SIGQUIT'] as const) {
    test(`${signal}: a stream that has begun is served, further ones are not taken`, async (t) => {
      const rig = rigFor(t);
      let answer: (text: string) => void = () => undefined;
      const backend = await startBackend(rig, () => new Promise<string>((resolve) => (answer = resolve)));
      const proxy = await startProxy(rig, {
        http: `http2 on; server { listen 127.0.0.1:%port%; location / { proxy_pass http://127.0.0.1:${backend.port}; } }`,
      });
      const client = await H2Client.connect(proxy);
      client.send(client.request(get())[1]);
      await until(() => backend.requests.length === 1, 'the request upstream');
      proxy.signal(signal);
      assert.deepEqual(await client.goaway(), { code: 0, last: 1 });
      client.send(client.request(get('/late'))[1]);
      client.send(frame(PING, 0, 0, '12345678'));
      await client.until(PING);
      answer(reply('in time'));
      assert.equal((await client.answer(1)).body, 'in time');
      await client.wire.expectEnd();
      assert.deepEqual(
        backend.requests.map(({ target }) => target),
        ['/'],
      );
    });

    test(`${signal}: an idle connection is ended`, async (t) => {
      const proxy = await startProxy(rigFor(t), { http: HTTP });
      const client = await H2Client.connect(proxy);
      await client.ask(get());
      proxy.signal(signal);
      assert.deepEqual(await client.goaway(), { code: 0, last: 1 });
      await client.wire.expectEnd();
    });
  }

  test('keepalive_requests: the last stream says so', async (t) => {
    const proxy = await startProxy(rigFor(t), { http: `keepalive_requests 3; ${HTTP}` });
    const client = await H2Client.connect(proxy);
    for (let i = 0; i < 2; i++) assert.equal((await client.ask(get())).status, 200);
    client.send(client.request(get())[1]);
    assert.deepEqual(await client.goaway(), { code: 0, last: 5 });
    assert.equal((await client.answer(5)).body, 'body');
    await client.wire.expectEnd();
  });

  test('keepalive_timeout 0: one request', async (t) => {
    const proxy = await startProxy(rigFor(t), { http: `keepalive_timeout 0; ${HTTP}` });
    const client = await H2Client.connect(proxy);
    client.send(client.request(get())[1]);
    assert.deepEqual(await client.goaway(), { code: 0, last: 1 });
    assert.equal((await client.answer(1)).body, 'body');
    await client.wire.expectEnd();
  });

  test('keepalive_timeout: an idle connection is told', async (t) => {
    const proxy = await startProxy(rigFor(t), { http: `keepalive_timeout 300ms; ${HTTP}` });
    const client = await H2Client.connect(proxy);
    await client.ask(get());
    assert.deepEqual(await client.goaway(), { code: 0, last: 1 });
    await client.wire.expectEnd();
  });

  test('client_header_timeout: the preface and nothing more', async (t) => {
    const proxy = await startProxy(rigFor(t), { http: `client_header_timeout 300ms; ${HTTP}` });
    const client = await H2Client.connect(proxy);
    assert.deepEqual(await client.goaway(), { code: 0, last: 0 });
    await client.wire.expectEnd();
  });

  test('client_header_timeout: a preface without the frame that belongs to it', async (t) => {
    const proxy = await startProxy(rigFor(t), { http: `client_header_timeout 300ms; ${HTTP}` });
    const wire = await proxy.connect();
    wire.send(PREFACE);
    assert.deepEqual(await new H2Client(wire).goaway(), { code: 1, last: 0 });
    await proxy.logged(/client timed out \(110: Connection timed out\) while processing HTTP\/2 connection/);
  });

  test('client_header_timeout: part of a frame', async (t) => {
    const proxy = await startProxy(rigFor(t), { http: `client_header_timeout 300ms; ${HTTP}` });
    const client = await H2Client.connect(proxy);
    client.send('\0\0');
    assert.deepEqual(await client.goaway(), { code: 1, last: 0 });
    await proxy.logged(/client timed out \(110: Connection timed out\) while processing HTTP\/2 connection/);
  });

  test('a client that closes in the middle of a stream', async (t) => {
    const rig = rigFor(t);
    const backend = await startBackend(rig, () => undefined);
    const proxy = await startProxy(rig, {
      http: `http2 on; server { listen 127.0.0.1:%port%; location / { proxy_pass http://127.0.0.1:${backend.port}; } }`,
    });
    const client = await H2Client.connect(proxy);
    client.send(client.request(get())[1]);
    await until(() => backend.requests.length === 1, 'the request upstream');
    client.wire.close();
    await until(() => backend.open === 0, 'the end upstream');
    await proxy.logged(
      /\[info\].*client prematurely closed connection while processing HTTP\/2 connection, client: 127\.0\.0\.1, server: 127\.0\.0\.1:\d+/,
    );
  });
});

describe('beginnings', () => {
  test('HTTP/1 is spoken on the same port', async (t) => {
    const proxy = await startProxy(rigFor(t), { http: HTTP });
    assert.equal((await proxy.get('/')).body, 'body');
  });

  test('the preface may come in pieces', async (t) => {
    const proxy = await startProxy(rigFor(t), { http: HTTP });
    // The worker serves: what is sent now is read as it comes.
    await proxy.get('/');
    const wire = await proxy.connect();
    for (const piece of ['P', 'RI * HTTP/2.0\r\n', '\r\nSM\r\n\r']) {
      await wire.flush(piece);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    wire.send(`\n${frame(4, 0, 0)}`);
    const client = new H2Client(wire);
    assert.equal((await client.ask(get())).body, 'body');
  });

  test('what begins as the preface and is none is HTTP/1', async (t) => {
    const proxy = await startProxy(rigFor(t), { http: HTTP });
    await proxy.get('/');
    const wire = await proxy.connect();
    await wire.flush('PRI * HT');
    await new Promise((resolve) => setTimeout(resolve, 20));
    wire.send('TP/2.0\r\n\r\nSOMETHING');
    assert.match(await wire.readHead(), /^HTTP\/1\.1 400 /);
  });

  test('without http2 the preface is no request', async (t) => {
    const proxy = await startProxy(rigFor(t), {
      http: 'server { listen 127.0.0.1:%port%; location / { return 200 "body"; } }',
    });
    const client = await H2Client.connect(proxy);
    assert.match(await client.wire.readHead(), /^HTTP\/1\.1 400 /);
  });

  test('listen ... http2, and a PROXY header before the preface', async (t) => {
    const proxy = await startProxy(rigFor(t), {
      http: 'server { listen 127.0.0.1:%port% http2 proxy_protocol; location / { return 200 "$proxy_protocol_addr $http2"; } }',
    });
    const wire = await proxy.connect();
    wire.send('PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    wire.send(frame(4, 0, 0));
    assert.equal((await new H2Client(wire).ask(get())).body, '1.2.3.4 h2c');
  });

  test('stub_status counts streams and connections', async (t) => {
    const proxy = await startProxy(rigFor(t), {
      http: 'http2 on; server { listen 127.0.0.1:%port%; location / { stub_status; } }',
    });
    const idle = await H2Client.connect(proxy);
    await idle.ask(get());
    const { body } = await (await H2Client.connect(proxy)).ask(get());
    assert.equal(
      body,
      'Active connections: 2 \nserver accepts handled requests\n 2 2 2 \nReading: 0 Writing: 1 Waiting: 1 \n',
    );
  });
});

/** Asks again and again; a session that goes away is replaced, and what it has not taken is asked again. */
class Asker {
  answered = 0;
  /** Taken by the program, and not answered all the same. */
  lost = 0;
  sessions = 0;
  #stopped = false;

  constructor(readonly proxy: Subject) {}

  stop(): void {
    this.#stopped = true;
  }

  async run(): Promise<void> {
    while (!this.#stopped) await this.#session();
  }

  async #session(): Promise<void> {
    const session = http2.connect(`http://127.0.0.1:${this.proxy.port()}`);
    this.sessions++;
    let last = Number.POSITIVE_INFINITY;
    session.on('error', () => undefined);
    session.on('goaway', (_code, lastStream: number) => {
      last = lastStream;
    });
    const lane = async (): Promise<void> => {
      while (!this.#stopped && !session.closed && !session.destroyed) {
        const stream = session.request({ ':path': '/' });
        let body = '';
        stream.setEncoding('latin1');
        stream.on('data', (text: string) => (body += text));
        stream.on('error', () => undefined);
        await once(stream, 'close').catch(() => undefined);
        if (body === 'body') this.answered++;
        else if ((stream.id ?? Number.POSITIVE_INFINITY) <= last) this.lost++;
      }
    };
    await Promise.all(Array.from({ length: 10 }, lane));
    if (!session.destroyed) session.destroy();
  }
}

test('reloads under load: no request that was taken is lost', async (t) => {
  const proxy = await startProxy(rigFor(t), { http: `keepalive_requests 100000; ${HTTP}`, workers: 2 });
  const askers = Array.from({ length: 4 }, () => new Asker(proxy));
  const done = askers.map((asker) => asker.run());
  await until(() => askers.every(({ answered }) => answered > 20), 'answers');
  for (let reload = 0; reload < 3; reload++) {
    const sessions = askers.map((asker) => asker.sessions);
    proxy.signal('SIGHUP');
    await until(
      () => askers.every((asker, i) => asker.sessions > (sessions[i] ?? 0)),
      'new sessions',
      20_000,
    );
  }
  const before = askers.map(({ answered }) => answered);
  await until(() => askers.every(({ answered }, i) => answered > (before[i] ?? 0) + 20), 'more answers');
  for (const asker of askers) asker.stop();
  await Promise.all(done);
  assert.deepEqual(
    askers.map(({ lost }) => lost),
    [0, 0, 0, 0],
  );
});

test('frames of the wrong kind end the connection with a code', async (t) => {
  const proxy = await startProxy(rigFor(t), { http: HTTP });
  const WRONG: readonly (readonly [frames: string, code: number, log: RegExp])[] = [
    [
      frame(HEADERS, 5, 2, '\x82'),
      1,
      /client sent HEADERS frame with incorrect identifier 2, the last was 0/,
    ],
    [
      frame(HEADERS, 0x25, 1, '\0\0\0\x01\x10\x82'),
      1,
      /client sent HEADERS frame for stream 1 with incorrect dependency/,
    ],
    [frame(HEADERS, 5, 1, '\x80'), 9, /client sent invalid hpack table index 0/],
    [
      frame(HEADERS, 5, 1, '\x04\x83\xff\xff\xff\xff'),
      6,
      /client sent header block with incorrect length|client sent invalid encoded/,
    ],
    [
      frame(8, 0, 0, '\x7f\xff\xff\xff'),
      3,
      /client violated connection flow control: received WINDOW_UPDATE frame with window increment 2147483647 not allowed for window 65535/,
    ],
    [
      frame(4, 0, 0, '\0\x04\x80\0\0\0'),
      3,
      /client sent SETTINGS frame with incorrect INITIAL_WINDOW_SIZE value 2147483648/,
    ],
    [
      frame(4, 0, 0, '\0\x05\0\0\0\x01'),
      1,
      /client sent SETTINGS frame with incorrect MAX_FRAME_SIZE value 1/,
    ],
    [frame(4, 0, 0, '\0\x02\0\0\0\x02'), 1, /client sent SETTINGS frame with incorrect ENABLE_PUSH value 2/],
    [frame(GOAWAY, 0, 0, 'abc'), 6, /client sent GOAWAY frame with incorrect length 3/],
    [frame(0, 0, 0, 'abc'), 1, /client sent DATA frame with incorrect identifier/],
    [frame(5, 0, 1, 'abc'), 1, /client sent PUSH_PROMISE frame/],
    [frame(9, 0, 1, 'abc'), 1, /client sent unexpected CONTINUATION frame/],
  ];
  for (const [frames, code, log] of WRONG) {
    const client = await H2Client.connect(proxy);
    client.send(frames);
    const got = await client.goaway();
    await proxy.logged(log);
    if (code !== 6 || !log.source.includes('encoded')) assert.equal(got.code, code, log.source);
    await client.wire.expectEnd();
  }
});
