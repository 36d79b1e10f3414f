import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HeadersIn } from '../../../src/http/headers.ts';
import {
  COMPLETE,
  HeadIntake,
  type IntakeOwner,
  MORE,
  REFUSED,
} from '../../../src/http/http1/head-intake.ts';
import { Request } from '../../../src/http/request.ts';
import { ServerNames } from '../../../src/http/server-names.ts';
import { loadHttp, requestTo, serverAt } from './http-rig.ts';

const build = loadHttp(
  'server { listen 80; location / { return 200; } } server { listen 80; server_name b.test; }',
);
const server = serverAt(build).runtime;
const other = serverAt(build, 1).runtime;

class Owner implements IntakeOwner {
  readonly names = new ServerNames(server, [[{ text: 'b.test', regex: undefined }, other]], () => {});
  readonly sniHost = '';
  readonly intake = new HeadIntake(this);

  newRequest(headers: HeadersIn): Request {
    return new Request(requestTo(server).stream, server, undefined, 0, headers);
  }

  /** One request, which comes in these pieces; what is read of it. */
  read(...pieces: readonly string[]): Request {
    const { intake } = this;
    intake.reset();
    let found = MORE;
    let text = '';
    for (const piece of pieces) {
      text = intake.rest + piece;
      intake.rest = '';
      found = intake.read(text);
    }
    assert.equal(found, COMPLETE);
    assert.equal(text.slice(intake.end), '');
    const { request } = intake;
    assert.ok(request);
    return request;
  }
}

/** Without where the lines stand in the text, but with what stands there. */
const lines = ({ names, starts, text, ...rest }: HeadersIn): unknown => ({
  ...rest,
  names: names.map(({ text }) => text),
  starts: starts.map((start) => text.slice(start).split('\r\n', 1)[0]),
});

const told = ({ method, uri, args, version, headers, server, requestLength }: Request): unknown => ({
  line: `${method} ${uri}?${args} ${version}`,
  headers: lines(headers),
  second: server === other,
  requestLength,
});

const A = 'Host: a.test\r\nAccept: */*\r\n\r\n';
const B = 'Host: b.test\r\nAccept: */*\r\n\r\n';

/** Requests that come over one connection. */
const SEQUENCES: readonly (readonly [string, readonly string[]])[] = [
  ['the same request', [`GET / HTTP/1.1\r\n${A}`, `GET / HTTP/1.1\r\n${A}`, `GET / HTTP/1.1\r\n${A}`]],
  [
    'the same lines for another path',
    [`GET /w HTTP/1.1\r\n${A}`, `GET /x HTTP/1.1\r\n${A}`, `POST /yyy?z HTTP/1.1\r\n${A}`],
  ],
  [
    'another host and back',
    [`GET / HTTP/1.1\r\n${A}`, `GET / HTTP/1.1\r\n${A}`, `GET / HTTP/1.1\r\n${B}`, `GET / HTTP/1.1\r\n${A}`],
  ],
  [
    'a host that the line gives',
    [
      `GET / HTTP/1.1\r\n${A}`,
      `GET / HTTP/1.1\r\n${A}`,
      `GET http://b.test/ HTTP/1.1\r\n${A}`,
      `GET / HTTP/1.1\r\n${A}`,
    ],
  ],
  [
    'a body',
    [
      `PUT / HTTP/1.1\r\nContent-Length: 3\r\n${A}`,
      `PUT / HTTP/1.1\r\nContent-Length: 3\r\n${A}`,
      `PUT / HTTP/1.1\r\nContent-Length: 3\r\n${A}`,
    ],
  ],
  [
    'no lines at all',
    ['GET / HTTP/1.0\r\n\r\n', 'GET / HTTP/1.0\r\n\r\n', 'GET / HTTP/1.0\r\n\r\n', `GET / HTTP/1.1\r\n${A}`],
  ],
];

describe('the header lines of a connection', () => {
  for (const [name, requests] of SEQUENCES) {
    for (const cut of [0, 1, 10]) {
      it(`${name}: are read as they would be alone${cut === 0 ? '' : `, cut ${cut} from the end`}`, () => {
        const owner = new Owner();
        for (const text of requests) {
          const pieces = cut === 0 ? [text] : [text.slice(0, -cut), text.slice(-cut)];
          assert.deepEqual(told(owner.read(...pieces)), told(new Owner().read(text)));
        }
      });
    }
  }

  it('are shared by requests that repeat them, and by no others', () => {
    const owner = new Owner();
    const alone = owner.read(`GET /0 HTTP/1.1\r\n${A}`).headers;
    const first = owner.read(`GET / HTTP/1.1\r\n${A}`).headers;
    assert.notEqual(first, alone, 'nothing is kept for a client that asks once');
    assert.equal(owner.read(`GET /2 HTTP/1.1\r\n${A}`).headers, first);
    assert.notEqual(owner.read(`GET /3 HTTP/1.1\r\n${B}`).headers, first);
    assert.equal(first.host, 'a.test');
  });

  it('are read again where the log was told about one of them', () => {
    const owner = new Owner();
    const text = `GET / HTTP/1.1\r\nbad_name: 1\r\n${A}`;
    owner.read(text);
    const { headers } = owner.read(text);
    assert.equal(headers.names.length, 2);
    assert.notEqual(owner.read(text).headers, headers);
  });

  it('are checked against each request line', () => {
    const owner = new Owner();
    for (let i = 0; i < 3; i++) owner.read('GET / HTTP/1.0\r\n\r\n');
    owner.intake.reset();
    assert.equal(owner.intake.read('GET / HTTP/1.1\r\n\r\n'), REFUSED);
    assert.equal(owner.intake.status, 400);
  });
});
