/** Replies of HTTP/2 that are none: what the client gets, and what the log says, in nginx's words. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frameHead,
  GOAWAY,
  HEADERS,
  INITIAL_WINDOW_SIZE,
  PADDED,
  PING,
  PRIORITIZED,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  setting,
  uint32,
  WINDOW_UPDATE,
} from '../../src/http/http2/frames.ts';
import { rawString } from '../../src/http/http2/hpack-encoder.ts';
import { frame } from '../kit/h2.ts';
import { fieldOf, head, startH2Backend } from '../kit/h2-backend.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig, rigFor } from '../kit/rig.ts';

const blockFrame = (id: number, text: string, flags = END_HEADERS): string => frame(HEADERS, flags, id, text);
const literal = (name: string, value: string): string => `\0${rawString(name)}${rawString(value)}`;
const LARGEST = 2 ** 31 - 1;

type Frames = (id: number) => string;

/** Before the reply's head is complete: 502, and a line about the head. */
const HEADS: readonly [name: string, frames: Frames, logged: string][] = [
  ['too large a frame', () => '\0\x40\x01\0\0\0\0\0\0', 'upstream sent too large http2 frame: 16385'],
  ['DATA', (id) => frame(DATA, 0, id, 'x'), 'upstream sent unexpected http2 frame: 0'],
  ['CONTINUATION', (id) => frame(CONTINUATION, 0, id), 'upstream sent unexpected http2 frame: 9'],
  ['another stream', () => head(5), 'upstream sent frame for unknown stream 5'],
  [
    'a frame in a block',
    (id) => blockFrame(id, '', 0) + frame(PING, 0, 0, '12345678'),
    'upstream sent unexpected http2 frame: 6',
  ],
  ['RST_STREAM', (id) => frame(RST_STREAM, 0, id, uint32(7)), 'upstream rejected request with error 7'],
  [
    'a short RST_STREAM',
    (id) => frame(RST_STREAM, 0, id, '\0'),
    'upstream sent rst stream frame with invalid length: 1',
  ],
  [
    'GOAWAY before the stream',
    () => frame(GOAWAY, 0, 0, uint32(0) + uint32(2)),
    'upstream sent goaway with error 2',
  ],
  [
    'GOAWAY on a stream',
    (id) => frame(GOAWAY, 0, id, uint32(9) + uint32(0)),
    'upstream sent goaway frame with non-zero stream id: 1',
  ],
  [
    'a short GOAWAY',
    () => frame(GOAWAY, 0, 0, uint32(9)),
    'upstream sent goaway frame with invalid length: 4',
  ],
  [
    'PUSH_PROMISE',
    (id) => frame(PUSH_PROMISE, END_HEADERS, id, uint32(2)),
    'upstream sent unexpected push promise frame',
  ],
  ['a window of nothing', (id) => frame(WINDOW_UPDATE, 0, id, uint32(0)), 'upstream sent zero window update'],
  [
    'too large a window',
    (id) => frame(WINDOW_UPDATE, 0, id, uint32(LARGEST)),
    'upstream sent too large window update',
  ],
  [
    'a short WINDOW_UPDATE',
    (id) => frame(WINDOW_UPDATE, 0, id, '\0'),
    'upstream sent window update frame with invalid length: 1',
  ],
  [
    'SETTINGS on a stream',
    (id) => frame(SETTINGS, 0, id),
    'upstream sent settings frame with non-zero stream id: 1',
  ],
  ['SETTINGS cut', () => frame(SETTINGS, 0, 0, '\0'), 'upstream sent settings frame with invalid length: 1'],
  [
    'ACK with settings',
    () => frame(SETTINGS, ACK, 0, setting(1, 0)),
    'upstream sent settings frame with ack flag and non-zero length: 6',
  ],
  [
    'too large an initial window',
    () => frame(SETTINGS, 0, 0, setting(INITIAL_WINDOW_SIZE, 2 ** 31)),
    'upstream sent settings frame with too large initial window size: 2147483648',
  ],
  [
    'PING on a stream',
    (id) => frame(PING, 0, id, '12345678'),
    'upstream sent ping frame with non-zero stream id: 1',
  ],
  ['a short PING', () => frame(PING, 0, 0, '1'), 'upstream sent ping frame with invalid length: 1'],
  ['an answered PING', () => frame(PING, ACK, 0, '12345678'), 'upstream sent ping frame with ack flag'],
  [
    'HEADERS without their priority',
    (id) => blockFrame(id, 'abc', END_HEADERS | PRIORITIZED),
    'upstream sent headers frame with invalid length: 3',
  ],
  [
    'padding longer than HEADERS',
    (id) => blockFrame(id, '\x05\x88', END_HEADERS | PADDED),
    'upstream sent http2 frame with too long padding: 5 in frame 1',
  ],
  ['no status', (id) => blockFrame(id, literal('a', 'b')), 'upstream sent no :status header'],
  ['two of them', (id) => blockFrame(id, '\x88\x88'), 'upstream sent duplicate :status header'],
  [
    'a status that is none',
    (id) => blockFrame(id, literal(':status', '2x0')),
    'upstream sent invalid :status "2x0"',
  ],
  [
    'an interim status',
    (id) => blockFrame(id, literal(':status', '100')),
    'upstream sent unexpected :status "100"',
  ],
  ['another pseudo-header', (id) => blockFrame(id, '\x82'), 'upstream sent invalid header ":method: GET"'],
  [
    'early hints that end the stream',
    (id) => head(id, [], END_STREAM, '103'),
    'upstream prematurely closed stream',
  ],
  [
    'a name in upper case',
    (id) => blockFrame(id, `\x88${literal('Ab', 'c')}`),
    'upstream sent invalid header: "Ab: c"',
  ],
  [
    'a name with a space',
    (id) => blockFrame(id, `\x88${literal('a b', 'c')}`),
    'upstream sent invalid header: "a b: c"',
  ],
  [
    'a value with a line feed',
    (id) => blockFrame(id, `\x88${literal('a', 'b\nc')}`),
    'upstream sent invalid header: "a: b',
  ],
  ['a name of nothing', (id) => blockFrame(id, '\x88\0\0\0'), 'upstream sent zero http2 header name length'],
  [
    'an index beyond the table',
    (id) => blockFrame(id, '\x88\xbe'),
    'upstream sent invalid http2 table index: 62',
  ],
  [
    'a dynamic table',
    (id) => blockFrame(id, '\x21\x88'),
    'upstream sent invalid http2 dynamic table size update: 1',
  ],
  [
    'an endless index',
    (id) => blockFrame(id, '\x0f\x80'),
    'upstream sent http2 table index with continuation flag',
  ],
  ['a block that is cut', (id) => blockFrame(id, '\x88\0\x05a'), 'upstream sent truncated http2 header'],
  [
    'code that is none',
    (id) => blockFrame(id, '\x88\0\x01a\x84\xff\xff\xff\xff'),
    'upstream sent invalid encoded header',
  ],
  [
    'too large a value',
    (id) => blockFrame(id, `\x88${literal('a', 'b'.repeat(5000))}`),
    'upstream sent too large http2 header value length: 5000',
  ],
  [
    'too large a head',
    (id) => blockFrame(id, `\x88${literal('a', 'b'.repeat(2100)).repeat(2)}`),
    'upstream sent too large http2 header',
  ],
  [
    'too large a head in frames',
    (id) => blockFrame(id, literal('a', 'b'.repeat(5000)), 0),
    'upstream sent too large http2 header value length: 5000',
  ],
  [
    'two lengths',
    (id) =>
      head(id, [
        ['content-length', '1'],
        ['content-length', '1'],
      ]),
    'upstream sent duplicate header line: "content-length: 1"',
  ],
];

/** Refused before their payload comes. */
const BEGUN: readonly [name: string, frames: Frames, logged: string][] = [
  [
    'a frame whose length is wrong',
    () => frameHead(11_776, SETTINGS, 0, 0),
    'upstream sent settings frame with invalid length: 11776',
  ],
  [
    'padding longer than HEADERS, and a line about the head behind it',
    (id) => frame(HEADERS, END_HEADERS | PADDED, id, '\x05\x88'),
    'upstream sent invalid header while reading response header from upstream',
  ],
];

/** Behind the head: the client's connection is cut. */
const BODIES: readonly [name: string, frames: Frames, logged: string][] = [
  ['another stream', () => frame(DATA, 0, 5, 'x'), 'upstream sent data frame for unknown stream 5'],
  [
    'HEADERS that do not end the stream',
    (id) => blockFrame(id, literal('a', 'b')),
    'upstream sent trailer without end stream flag',
  ],
  [
    'a status among trailers',
    (id) => blockFrame(id, '\x88', END_HEADERS | END_STREAM),
    'upstream sent invalid trailer ":status: 200"',
  ],
  [
    'a trailer that is wrong',
    (id) => blockFrame(id, literal('A', 'b'), END_HEADERS | END_STREAM),
    'upstream sent invalid header: "A: b"',
  ],
  [
    'padding longer than DATA',
    (id) => frame(DATA, PADDED, id, '\x05a'),
    'upstream sent http2 frame with too long padding: 5 in frame 1',
  ],
  ['padding without a length', (id) => frame(DATA, PADDED, id), 'upstream sent too short http2 frame'],
  ['RST_STREAM', (id) => frame(RST_STREAM, 0, id, uint32(2)), 'upstream rejected request with error 2'],
  [
    'a frame behind the end',
    (id) => frame(DATA, END_STREAM, id) + frame(DATA, 0, id, 'x'),
    'upstream sent frame for closed stream 1',
  ],
  [
    'more than was announced',
    (id) => frame(DATA, 0, id, 'abcd'),
    'upstream sent response body larger than indicated content length',
  ],
  ['less than that', (id) => frame(DATA, END_STREAM, id, 'ab'), 'upstream prematurely closed stream'],
];

const rig = new Rig();
let proxy: Subject;
/** Resolves when the client has the head of its reply. */
const passed = { next: Promise.resolve(), tell: (): void => {} };

before(async () => {
  const backend = await startH2Backend(rig, async ({ id, fields }, peer) => {
    const [, group = '', index = ''] =
      /^\/(head|begun|body)\/(\d+)/.exec(fieldOf(fields, ':path') ?? '') ?? [];
    const [, frames] = { head: HEADS, begun: BEGUN, body: BODIES }[group]?.[Number(index)] ?? [];
    if (group === 'body') {
      peer.send(head(id, [['content-length', '3']]));
      await passed.next;
    }
    peer.send(frames?.(id) ?? '');
  });
  proxy = await startProxy(rig, {
    http: `server { listen 127.0.0.1:%port%;
      location / { proxy_pass http://127.0.0.1:${backend.port}; proxy_http_version 2; proxy_buffering off; } }`,
  });
});
after(() => rig.close());

describe('instead of a head', () => {
  for (const [index, [name, , logged]] of HEADS.entries()) {
    test(name, async () => {
      const from = proxy.log.length;
      assert.equal((await proxy.get(`/head/${index}`)).status, 502);
      const log = await proxy.logged({ includes: logged, from });
      assert.match(log, /while reading response header from upstream/);
    });
  }
});

describe('as soon as it is known', () => {
  for (const [index, [name, , logged]] of BEGUN.entries()) {
    test(name, async () => {
      const from = proxy.log.length;
      assert.equal((await proxy.get(`/begun/${index}`)).status, 502);
      await proxy.logged({ includes: logged, from });
    });
  }
});

test('what stands behind a head that ends the stream is looked at', async (t) => {
  const own = rigFor(t);
  const backend = await startH2Backend(own, ({ id }, peer) => {
    peer.send(head(id, [], END_STREAM), frame(DATA, 0, id, 'x'));
  });
  const subject = await startProxy(own, {
    http: `server { listen 127.0.0.1:%port%;
      location / { proxy_pass http://127.0.0.1:${backend.port}; proxy_http_version 2; } }`,
  });
  const client = await subject.connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.readToEnd();
  await subject.logged(/upstream sent frame for closed stream 1 while reading upstream/);
  client.close();
});

describe('instead of a body', () => {
  for (const [index, [name, , logged]] of BODIES.entries()) {
    test(name, async () => {
      const from = proxy.log.length;
      passed.next = new Promise((done) => {
        passed.tell = done;
      });
      const client = await proxy.connect();
      client.send(`GET /body/${index} HTTP/1.1\r\nHost: a\r\n\r\n`);
      assert.match(await client.readHead(), /^HTTP\/1\.1 200 OK/);
      passed.tell();
      assert.ok((await client.readToEnd()).length <= 3);
      await proxy.logged({ includes: logged, from });
      client.close();
    });
  }
});
