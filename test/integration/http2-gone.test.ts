/** Clients of HTTP/2 that go away or are too slow: what their requests end with, and what both logs say of them. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  CANCEL,
  DATA,
  HEADERS,
  INITIAL_WINDOW_SIZE,
  PING,
  RST_STREAM,
  setting,
  uint32,
  WINDOW_UPDATE,
} from '../../src/http/http2/frames.ts';
import { frame, get, H2Client, type Pair } from '../kit/h2.ts';
import { reply, startScript } from '../kit/http-backend.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig, rigFor } from '../kit/rig.ts';
import { timeWait } from '../kit/sockets.ts';
import { until } from '../kit/wait.ts';

const rig = new Rig();
let proxy: Subject;
/** Requests that the backend has got, none of which it answers. */
let asked = 0;

before(async () => {
  const backend = await startScript(rig, async (wire) => {
    await wire.readHead();
    asked++;
    await wire.readToEnd(20_000);
  });
  writeFileSync(join(rig.dir, 'file.txt'), 'x'.repeat(3000));
  proxy = await startProxy(rig, {
    workers: 1,
    http: `http2 on;
      log_format gone '$request_uri $status $body_bytes_sent "$request_completion" $server_protocol';
      limit_req_zone $uri zone=one:1m rate=1r/m;
      server { listen 127.0.0.1:%port%;
        access_log %dir%/access.log gone;
        location / { proxy_pass http://127.0.0.1:${backend.port}; }
        location /streamed { proxy_pass http://127.0.0.1:${backend.port}; proxy_request_buffering off; }
        location /asked { auth_request /auth; alias %dir%/file.txt; }
        location /file { alias %dir%/file.txt; }
        location /text { return 200 "0123456789abcdef"; }
        location /delayed { limit_req zone=one burst=9; alias %dir%/file.txt; }
      }
      server { listen 127.0.0.1:%port:slow%;
        access_log %dir%/access.log gone;
        client_body_timeout 300ms; send_timeout 300ms; keepalive_timeout 300ms; client_header_timeout 300ms;
        reset_timedout_connection on; lingering_close off;
        location / { proxy_pass http://127.0.0.1:${backend.port}; }
        location /streamed { proxy_pass http://127.0.0.1:${backend.port}; proxy_request_buffering off; }
        location /file { alias %dir%/file.txt; }
        location /text { return 200 "0123456789abcdef"; }
      }`,
  });
  // The next ones are delayed.
  await proxy.get('/delayed');
  await until(() => accessLog() !== '', 'the access log');
});
after(() => rig.close());

const accessLog = (): string => readFileSync(join(proxy.dir, 'access.log'), 'latin1');

/** A request that is under way when the client goes. */
interface Request {
  readonly path: string;
  /** Half of its body, if it has one. */
  readonly body?: string;
  /** What tells that it has come as far as it shall. */
  readonly upTo: number | 'asked' | 'delayed';
}

/** Sends it on stream 1, with a window of ten bytes for the reply. */
async function begin({ path, body, upTo }: Request, port = ''): Promise<H2Client> {
  const before = asked;
  const from = proxy.log.length;
  const client = await H2Client.connect(proxy, port, setting(INITIAL_WINDOW_SIZE, 10));
  const length: Pair[] = body === undefined ? [] : [['content-length', '10']];
  const [id, head] = client.request([...get(path, body === undefined ? 'GET' : 'POST'), ...length], body);
  // Without the END_STREAM of its DATA frame.
  client.send(body === undefined ? head : head.slice(0, -body.length - 9) + frame(DATA, 0, id, body));
  if (upTo === 'asked') await until(() => asked > before, 'the request upstream');
  else if (upTo === 'delayed') await proxy.logged({ includes: 'delaying request', from });
  else await client.until(upTo, id);
  // All that came is read: a close is not a reset.
  client.send(frame(PING, 0, 0, '12345678'));
  await client.until(PING);
  return client;
}

const CLOSED = 'client prematurely closed connection';
const SENDING = ' while sending request to upstream';
const FILE = ' while sending response to client';

/** `logged`: status, bytes and completion; `action`: behind the line about the reset; `line`: the request's own. */
const GONE: readonly (Request & { logged: string; action: string; line: string })[] = [
  {
    path: '/buffered',
    body: 'hello',
    upTo: WINDOW_UPDATE,
    logged: '499 0 ""',
    action: '',
    line: 'client prematurely closed stream',
  },
  { path: '/streamed', body: 'hello', upTo: 'asked', logged: '400 0 ""', action: SENDING, line: '' },
  { path: '/awaited', upTo: 'asked', logged: '499 0 ""', action: SENDING, line: '' },
  { path: '/asked', upTo: 'asked', logged: '499 0 ""', action: SENDING, line: '' },
  { path: '/file', upTo: DATA, logged: '200 10 ""', action: FILE, line: CLOSED + FILE },
  { path: '/text', upTo: DATA, logged: '200 10 ""', action: '', line: CLOSED },
  { path: '/delayed', upTo: 'delayed', logged: '499 0 ""', action: '', line: CLOSED },
];

/** How the client goes, and what the log says of that; `%action%`: what nginx is doing. */
const WAYS: readonly (readonly [way: string, line: string, go: (client: H2Client) => void])[] = [
  [
    'resets the stream',
    'client canceled stream 1%action%, client: ',
    (client) => void client.send(frame(RST_STREAM, 0, 1, uint32(CANCEL))),
  ],
  ['closes', `${CLOSED} while processing HTTP/2 connection`, (client) => client.wire.close()],
  [
    'breaks the rules',
    'incorrect window increment 0 while processing HTTP/2 connection',
    (client) => void client.window(0, 0),
  ],
];

for (const [way, line, go] of WAYS) {
  describe(`a client that ${way}`, () => {
    for (const request of GONE) {
      test(`in ${request.path}`, async () => {
        const before = accessLog().length;
        const client = await begin(request);
        const from = proxy.log.length;
        go(client);
        await until(() => accessLog().length > before, 'the access log');
        assert.equal(accessLog().slice(before), `${request.path} ${request.logged} HTTP/2.0\n`);
        const log = proxy.log.slice(from).split('\n').slice(0, -1);
        assert.ok(log[0]?.includes(line.replace('%action%', request.action)), log[0]);
        if (request.line === '') assert.equal(log.length, 1);
        else assert.ok(log[1]?.includes(`[info] `) && log[1].includes(`${request.line}, client: `), log[1]);
        client.wire.close();
      });
    }
  });
}

describe('a client that goes', () => {
  test('by a reset of its connection', async () => {
    const client = await begin({ path: '/awaited', upTo: 'asked' });
    const from = proxy.log.length;
    client.wire.reset();
    const includes =
      'recv() failed (104: Connection reset by peer) while processing HTTP/2 connection, client: ';
    await proxy.logged({ includes, from });
  });

  test('in the middle of a head: there is no status', async () => {
    const before = accessLog().length;
    const client = await H2Client.connect(proxy);
    client.send(frame(HEADERS, 0, 1, client.request(get())[1].slice(9)), frame(PING, 0, 0, '12345678'));
    assert.equal((await client.goaway()).code, 1);
    await until(() => accessLog().length > before, 'the access log');
    assert.equal(accessLog().slice(before), '/ 000 0 "" HTTP/2.0\n');
  });

  for (const how of ['resets the stream', 'closes, and the worker is to stop'])
    test(`is not missed where proxy_ignore_client_abort is on: ${how}`, async (t) => {
      const own = rigFor(t);
      let release: () => void = () => undefined;
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      const backend = await startScript(own, async (wire) => {
        await wire.readHead();
        await released;
        wire.send(reply('seen by nobody'));
      });
      const subject = await startProxy(own, {
        http: `http2 on; log_format s '$status $upstream_status';
        server { listen 127.0.0.1:%port%; access_log %dir%/s.log s;
          location / { proxy_pass http://127.0.0.1:${backend.port}; proxy_ignore_client_abort on; } }`,
      });
      const client = await H2Client.connect(subject);
      client.send(client.request(get())[1]);
      await backend.wire(1);
      if (how === 'resets the stream') {
        client.send(frame(RST_STREAM, 0, 1, uint32(CANCEL)), frame(PING, 0, 0, '12345678'));
        await client.until(PING);
      } else {
        client.wire.close();
        await subject.logged(/client prematurely closed connection|recv\(\) failed/);
        subject.signal('SIGQUIT');
        await subject.logged(/gracefully shutting down/);
      }
      assert.equal(backend.open, 1);
      release();
      const log = (): string => readFileSync(join(subject.dir, 's.log'), 'latin1');
      await until(() => log() !== '', 'the access log');
      assert.equal(log(), '200 200\n');
    });
});

/** `line`: what the log says of it, '' for nothing. */
const SLOW: readonly (Request & { logged: string; line: string })[] = [
  { path: '/buffered', body: 'hello', upTo: WINDOW_UPDATE, logged: '408 0 ""', line: ', client: ' },
  { path: '/streamed', body: 'hello', upTo: 'asked', logged: '408 0 ""', line: '' },
  { path: '/file', upTo: DATA, logged: '200 10 ""', line: `${FILE}, client: ` },
  { path: '/text', upTo: DATA, logged: '200 10 ""', line: ', client: ' },
];

describe('a client that is too slow', () => {
  for (const request of SLOW) {
    test(`in ${request.path}, and whose connection is reset in the end`, async () => {
      const before = accessLog().length;
      const from = proxy.log.length;
      const client = await begin(request, 'slow');
      assert.equal((await client.until(RST_STREAM, 1)).payload, uint32(1));
      await until(() => accessLog().length > before, 'the access log');
      assert.equal(accessLog().slice(before), `${request.path} ${request.logged} HTTP/2.0\n`);
      const log = proxy.log.slice(from);
      const line = `client timed out (110: Connection timed out)${request.line}`;
      assert.equal(log.includes('timed out'), request.line !== '');
      if (request.line !== '') assert.ok(log.includes(line), log);
      await client.goaway();
      await client.wire.waitFor(() => client.wire.ended, 'the end of the connection');
      client.wire.close();
      await until(() => client.wire.socket.closed, 'the close');
      // What is closed in order waits for a while.
      assert.equal(timeWait(proxy.port('slow')).listener, 0);
    });
  }
});
