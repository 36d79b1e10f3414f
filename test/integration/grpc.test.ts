/** `grpc_pass`: what is sent, how calls stream both ways, and how they end. */
import assert from 'node:assert/strict';
import { createSecureServer, type IncomingHttpHeaders } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { DATA, END_HEADERS, END_STREAM, HEADERS, RST_STREAM } from '../../src/http/http2/frames.ts';
import { Certificates } from '../kit/certificates.ts';
import { block, frame, get, H2Client, type Pair } from '../kit/h2.ts';
import { fieldOf, type H2Request, head, startH2Backend, startH2Script } from '../kit/h2-backend.ts';
import { startProxy } from '../kit/proxy.ts';
import { rigFor } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const server = (pass: string, more = ''): string =>
  `server { listen 127.0.0.1:%port%; http2 on; location / { grpc_pass ${pass}; ${more} } }`;

const call = (more: readonly Pair[] = []): Pair[] => [
  ...get('/pkg.Service/Call', 'POST'),
  ['te', 'trailers'],
  ...more,
];

describe('requests', () => {
  const CASES: readonly [
    name: string,
    pairs: Pair[],
    more: string,
    fields: Record<string, string | undefined>,
  ][] = [
    [
      "the client's path, the address as authority, trailers asked for",
      call(),
      '',
      { ':method': 'POST', ':scheme': 'http', ':path': '/pkg.Service/Call', te: 'trailers', host: undefined },
    ],
    ['a Host of the configuration', call(), 'grpc_set_header Host $host;', { ':authority': 'localhost' }],
    ['no trailers where the client wants none', get('/', 'POST'), '', { te: undefined }],
    ['the length that the client gives', call([['content-length', '5']]), '', { 'content-length': '5' }],
    ['none where it gives none', call(), '', { 'content-length': undefined }],
    [
      'lines of the configuration',
      call([
        ['x-gone', '1'],
        ['x-mine', '2'],
      ]),
      'grpc_set_header X-Set $uri; grpc_set_header X-Gone "";',
      { 'x-set': '/pkg.Service/Call', 'x-gone': undefined, 'x-mine': '2' },
    ],
  ];
  for (const [name, pairs, more, fields] of CASES) {
    test(name, async (t) => {
      const rig = rigFor(t);
      const got: H2Request[] = [];
      const backend = await startH2Backend(rig, (received, peer) => {
        got.push(received);
        peer.answer(received.id, received.body);
      });
      const proxy = await startProxy(rig, { http: server(`grpc://127.0.0.1:${backend.port}`, more) });
      const client = await H2Client.connect(proxy);
      assert.equal((await client.ask(pairs, 'hello')).body, 'hello');
      const expected = { ':authority': `127.0.0.1:${backend.port}`, ...fields };
      for (const [field, value] of Object.entries(expected))
        assert.equal(fieldOf(got[0]?.fields ?? '', field), value, field);
      client.wire.close();
    });
  }

  test('an address of variables, without a scheme', async (t) => {
    const rig = rigFor(t);
    const backend = await startH2Backend(rig, ({ id, fields }, peer) => {
      peer.answer(id, fieldOf(fields, ':authority') ?? '');
    });
    const proxy = await startProxy(rig, { http: server('127.0.0.1:$arg_port') });
    const client = await H2Client.connect(proxy);
    const { body } = await client.ask(get(`/?port=${backend.port}`));
    assert.equal(body, `127.0.0.1:${backend.port}`);
    client.wire.close();
  });
});

describe('calls', () => {
  test('trailers reach the client', async (t) => {
    const rig = rigFor(t);
    const backend = await startH2Backend(rig, ({ id, body }, peer) => {
      peer.send(head(id), frame(DATA, 0, id, body));
      peer.send(frame(HEADERS, END_HEADERS | END_STREAM, id, block([['grpc-status', '0']])));
    });
    const proxy = await startProxy(rig, { http: server(`127.0.0.1:${backend.port}`) });
    const client = await H2Client.connect(proxy);
    const answer = await client.ask(call(), 'x');
    assert.equal(answer.body, 'x');
    assert.equal(answer.trailers, 'grpc-status: 0\n');
    client.wire.close();
  });

  test("a head that ends the stream ends the client's", async (t) => {
    const rig = rigFor(t);
    const backend = await startH2Backend(rig, ({ id }, peer) => {
      peer.send(head(id, [['grpc-status', '5']], END_STREAM));
    });
    const proxy = await startProxy(rig, { http: server(`127.0.0.1:${backend.port}`) });
    const client = await H2Client.connect(proxy);
    const [id, frames] = client.request(call(), 'x');
    client.send(frames);
    const { fields, flags } = await client.until(HEADERS, id);
    assert.equal(fieldOf(fields, 'grpc-status'), '5');
    assert.equal(flags & END_STREAM, END_STREAM);
    client.wire.close();
  });

  test('messages go both ways, one after the other', async (t) => {
    const rig = rigFor(t);
    const backend = await startH2Script(rig, async (peer) => {
      peer.settings().acknowledge();
      const { id } = await peer.until(HEADERS);
      peer.send(head(id));
      for (;;) {
        const { payload, flags } = await peer.until(DATA, id);
        if ((flags & END_STREAM) !== 0) break;
        peer.send(frame(DATA, 0, id, payload.toUpperCase()));
      }
      peer.send(frame(HEADERS, END_HEADERS | END_STREAM, id, block([['grpc-status', '0']])));
      await peer.wire.waitFor(() => peer.wire.ended, 'end');
    });
    const proxy = await startProxy(rig, { http: server(`127.0.0.1:${backend.port}`) });
    const client = await H2Client.connect(proxy);
    client.send(frame(HEADERS, END_HEADERS, 1, block(call())));
    await client.until(HEADERS, 1);
    for (const message of ['one', 'two', 'three']) {
      client.send(frame(DATA, 0, 1, message));
      assert.equal((await client.until(DATA, 1)).payload, message.toUpperCase());
    }
    client.send(frame(DATA, END_STREAM, 1));
    assert.equal(fieldOf((await client.until(HEADERS, 1)).fields, 'grpc-status'), '0');
    client.wire.close();
  });

  test('a client that cancels ends the connection to the server', async (t) => {
    const rig = rigFor(t);
    const backend = await startH2Script(rig, async (peer) => {
      peer.settings().acknowledge();
      const { id } = await peer.until(HEADERS);
      peer.send(head(id));
      await peer.wire.waitFor(() => peer.wire.ended, 'end');
    });
    const proxy = await startProxy(rig, { http: server(`127.0.0.1:${backend.port}`) });
    const client = await H2Client.connect(proxy);
    client.send(frame(HEADERS, END_HEADERS, 1, block(call())));
    await client.until(HEADERS, 1);
    client.send(frame(RST_STREAM, 0, 1, '\0\0\0\x08'));
    const first = await backend.wire(1);
    await until(() => first.ended, 'the connection is closed');
    client.wire.close();
  });
});

test('grpcs: the server is offered h2', async (t) => {
  const rig = rigFor(t);
  const certificates = new Certificates(rig.dir);
  certificates.make('localhost');
  const seen: IncomingHttpHeaders[] = [];
  const backend = createSecureServer({
    key: certificates.read('localhost.key'),
    cert: certificates.read('localhost.pem'),
  });
  backend.on('stream', (stream, headers) => {
    seen.push(headers);
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.pipe(stream);
  });
  await new Promise<void>((done) => backend.listen(0, '127.0.0.1', done));
  rig.defer(() => void backend.close());
  const { port } = backend.address() as AddressInfo;
  const proxy = await startProxy(rig, { http: server(`grpcs://127.0.0.1:${port}`) });
  const client = await H2Client.connect(proxy);
  const answer = await client.ask(call(), 'over TLS');
  assert.equal(answer.body, 'over TLS');
  assert.equal(answer.trailers, 'grpc-status: 0\n');
  assert.equal(seen[0]?.[':scheme'], 'https');
  client.wire.close();
});
