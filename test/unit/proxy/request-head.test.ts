import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resolve } from '../../../src/config/contract.ts';
import { internName } from '../../../src/http/header-names.ts';
import type { Request } from '../../../src/http/request.ts';
import { HttpProtocol, HttpSettings } from '../../../src/upstream/protocols/http/protocol.ts';
import { requestUri, targetOf } from '../../../src/upstream/protocols/http/target.ts';
import { parseUpstreamUrl } from '../../../src/upstream/protocols/http/upstream-url.ts';
import { ConfRig, makeRequest, proxy } from './conf-rig.ts';

const URLS: readonly (readonly [url: string, expected: string])[] = [
  ['127.0.0.1:8080/a?b', '127.0.0.1:8080 8080 127.0.0.1:8080 8080 /a?b'],
  ['backend', 'backend 80 backend 80 '],
  ['backend:80', 'backend:80 80 backend 80 '],
  ['backend?a=1', 'backend 80 backend 80 ?a=1'],
  ['backend/p:1', 'backend 80 backend 80 /p:1'],
  ['[::1]', '[::1] 80 [::1] 80 '],
  ['[::1]:81/x:2', '[::1]:81 81 [::1]:81 81 /x:2'],
  ['unix:/tmp/s.sock', 'unix:/tmp/s.sock 0 localhost  '],
  ['unix:/tmp/s.sock:/uri', 'unix:/tmp/s.sock 0 localhost  /uri'],
  ['', 'no host'],
  [':80', 'no host'],
  ['x:0', 'invalid port'],
  ['x:', 'invalid port'],
  ['[::1', 'invalid host'],
  ['[::1]x', 'invalid host'],
  ['[::g]', 'invalid IPv6 address'],
  ['unix::/x', 'no path in the unix domain socket'],
];

describe('addresses behind http://', () => {
  for (const [text, expected] of URLS) {
    it(text, () => {
      const url = parseUpstreamUrl(text, 80);
      const seen =
        typeof url === 'string'
          ? url
          : `${url.address} ${url.port} ${url.hostHeader} ${url.portText} ${url.uri}`;
      assert.equal(seen, expected);
    });
  }
});

interface UriCase {
  readonly pass: string;
  readonly location: string;
  readonly target: string;
  readonly uri: string;
  readonly args?: string;
  readonly rewritten?: boolean;
  readonly complex?: boolean;
  readonly expected: string;
}

const URIS: readonly UriCase[] = [
  { pass: 'u', location: '/', target: '/a%2fb?c', uri: '/a/b', args: 'c', expected: '/a%2fb?c' },
  { pass: 'u/', location: '/x/', target: '/x/a', uri: '/x/a', expected: '/a' },
  { pass: 'u/y/', location: '/x/', target: '/x/a?b', uri: '/x/a', args: 'b', expected: '/y/a?b' },
  { pass: 'u/y', location: '/x/', target: '/x/', uri: '/x/', expected: '/y' },
  { pass: 'u/y/', location: '/x/', target: '/x/%20', uri: '/x/ ', complex: true, expected: '/y/%20' },
  {
    pass: 'u',
    location: '/',
    target: '/old',
    uri: '/n w',
    args: 'q',
    rewritten: true,
    complex: true,
    expected: '/n%20w?q',
  },
  { pass: 'u?always=1', location: '/x', target: '/x', uri: '/x', expected: '?always=1' },
];

describe('the URI that is asked for', () => {
  for (const kase of URIS) {
    it(`${kase.target} in ${kase.location} to ${kase.pass}`, () => {
      const url = parseUpstreamUrl(kase.pass, 80);
      assert.ok(typeof url !== 'string');
      const request = makeRequest({ target: kase.target, uri: kase.uri, args: kase.args ?? '' });
      request.validTarget = !kase.rewritten;
      request.complexTarget = kase.complex ?? false;
      assert.equal(requestUri(request, targetOf(url, kase.location.length)), kase.expected);
    });
  }
});

type Sent = { hasBody: boolean; bodyLength: number };
type Lines = readonly (readonly [string, string])[];

const give = (request: Request, lines: Lines): void => {
  for (const [name, value] of lines) {
    request.headers.names.push(internName(name));
    request.headers.values.push(value);
  }
};

interface HeadCase {
  readonly name: string;
  readonly statements?: readonly (readonly [string, ...string[]])[];
  readonly lines?: Lines;
  readonly prepare?: (request: Request, sent: Sent) => void;
  readonly expected: readonly string[];
}

const CLIENT: Lines = [
  ['Host', 'front'],
  ['Accept', '*/*'],
  ['Connection', 'keep-alive'],
  ['Keep-Alive', '5'],
  ['TE', 'trailers'],
  ['Upgrade', 'x'],
  ['Expect', '100-continue'],
  ['Proxy-Connection', 'y'],
  ['X-Own', '1'],
  ['x-own', '2'],
];

const HEADS: readonly HeadCase[] = [
  {
    name: 'defaults: no Connection, hop-by-hop lines dropped, order and duplicates kept',
    lines: CLIENT,
    expected: ['GET /u HTTP/1.1', 'Host: backend:8080', 'Accept: */*', 'X-Own: 1', 'x-own: 2'],
  },
  {
    name: 'set headers come first, replace the client’s, and drop them where empty',
    statements: [
      ['proxy_set_header', 'X-OWN', 'set'],
      ['proxy_set_header', 'Connection', ''],
      ['proxy_set_header', 'X-A', '$a'],
      ['proxy_set_header', 'X-Nothing', '$nothing'],
      ['proxy_set_header', 'Accept', ''],
      ['proxy_set_header', 'host', '$host'],
    ],
    lines: CLIENT,
    expected: ['GET /u HTTP/1.1', 'Host: front.example', 'X-OWN: set', 'X-A: value of a'],
  },
  {
    name: 'an empty Host is the default with 1.1',
    statements: [['proxy_set_header', 'Host', '$nothing']],
    expected: ['GET /u HTTP/1.1', 'Host: backend:8080'],
  },
  {
    name: 'and left out with 1.0',
    statements: [
      ['proxy_set_header', 'Host', '$nothing'],
      ['proxy_http_version', '1.0'],
    ],
    expected: ['GET /u HTTP/1.0'],
  },
  {
    name: 'a body of known length',
    lines: [['Content-Length', '5']],
    prepare: (request) => {
      request.headers.contentLength = 5;
    },
    expected: ['GET /u HTTP/1.1', 'Host: backend:8080', 'Content-Length: 5'],
  },
  {
    name: 'a streamed body of unknown length',
    lines: [['Transfer-Encoding', 'chunked']],
    prepare: (request, sent) => {
      request.headers.chunked = true;
      sent.hasBody = true;
      sent.bodyLength = -1;
    },
    expected: ['GET /u HTTP/1.1', 'Host: backend:8080', 'Transfer-Encoding: chunked'],
  },
  {
    name: 'a chunked body that has been read',
    prepare: (request, sent) => {
      request.headers.chunked = true;
      sent.hasBody = true;
      sent.bodyLength = 12;
    },
    expected: ['GET /u HTTP/1.1', 'Host: backend:8080', 'Content-Length: 12'],
  },
  {
    name: 'another method and body',
    statements: [
      ['proxy_method', 'POST'],
      ['proxy_set_body', 'a=$a'],
      ['proxy_pass_request_headers', 'off'],
    ],
    lines: CLIENT,
    expected: ['POST /u HTTP/1.1', 'Host: backend:8080', 'Content-Length: 12', '', 'a=value of a'],
  },
];

describe('heads of requests', () => {
  for (const kase of HEADS) {
    it(kase.name, () => {
      const rig = new ConfRig({ a: 'value of a', nothing: '', host: 'front.example' });
      const scope = rig.location('prefix', '/');
      rig.set(proxy, scope, 'proxy_pass', 'http://backend:8080');
      for (const [name, ...words] of kase.statements ?? []) rig.set(proxy, scope, name, ...words);
      rig.build.variables.bind();
      const { settings, proxy_pass: pass } = resolve(proxy, [rig.http, scope]);
      assert.ok(pass?.fixed && settings instanceof HttpSettings);
      const request = makeRequest({ target: '/u', uri: '/u' });
      const protocol = new HttpProtocol(settings, pass.fixed.target);
      const sent = { hasBody: false, bodyLength: 0 };
      give(request, kase.lines ?? []);
      kase.prepare?.(request, sent);
      const lines = kase.expected.includes('') ? kase.expected : [...kase.expected, '', ''];
      assert.equal(protocol.head(request, sent), lines.join('\r\n'));
    });
  }
});

describe('pieces of a request body', () => {
  const PIECES: readonly (readonly [length: number, text: string, last: boolean, wire: string])[] = [
    [-1, 'hello world!!!!!', false, '10\r\nhello world!!!!!\r\n'],
    [-1, 'end', true, '3\r\nend\r\n0\r\n\r\n'],
    [-1, '', true, '0\r\n\r\n'],
    [-1, '', false, ''],
    [3, 'abc', true, 'abc'],
  ];
  for (const [length, text, last, wire] of PIECES) {
    it(`"${text}" of ${length}${last ? ', the last' : ''}`, () => {
      const rig = new ConfRig();
      rig.set(proxy, rig.http, 'proxy_request_buffering', 'off');
      const scope = rig.location('prefix', '/');
      rig.set(proxy, scope, 'proxy_pass', 'http://b');
      const { settings, proxy_pass: pass } = resolve(proxy, [rig.http, scope]);
      assert.ok(pass?.fixed && settings instanceof HttpSettings);
      const protocol = new HttpProtocol(settings, pass.fixed.target);
      const sent = { hasBody: false, bodyLength: 0 };
      sent.hasBody = true;
      sent.bodyLength = length;
      const pieces = protocol.bodyPiece(sent, Buffer.from(text), last);
      assert.equal(pieces.map((piece) => Buffer.from(piece).toString()).join(''), wire);
      assert.equal(protocol.plainBody, false);
    });
  }
});
