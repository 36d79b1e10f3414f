import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseRequestLine, plausibleStart } from '../../../src/http/http1/request-line.ts';
import { refusal } from '../../../src/http/refusal.ts';
import { bareRequest } from './http-rig.ts';

const INVALID = 'client sent invalid request while reading client request line';
const METHOD = 'client sent invalid method while reading client request line';
const VERSION = 'client sent invalid version while reading client request line';
const HOST = 'client sent invalid host in request line while reading client request line';

const parse = (line: string, { ending = '\r\n', before = '', mergeSlashes = true } = {}) => {
  const request = bareRequest();
  const text = `${before}${line}${ending}`;
  const status = parseRequestLine(request, text, before.length, text.length - 1, mergeSlashes);
  return { request, status };
};

/** `METHOD uri ?args version`, with `@host:port` where the line names one; or `STATUS reason`. */
const summary = (line: string, options?: Parameters<typeof parse>[1]): string => {
  const { request, status } = parse(line, options);
  if (status !== 0) return `${status} ${refusal}`;
  const { host, port } = request.headers;
  const args = request.args === '' ? '' : ` ?${request.args}`;
  const at = host === '' ? '' : ` @${host}${port > 0 ? `:${port}` : ''}`;
  return `${request.method} ${request.uri}${args} ${request.version}${at}`;
};

const accepted: readonly (readonly [line: string, meaning: string])[] = [
  ['GET / HTTP/1.1', 'GET / 1001'],
  ['GET / HTTP/1.0', 'GET / 1000'],
  ['GET /a?b=c HTTP/1.1', 'GET /a ?b=c 1001'],
  ['GET /a?b?c HTTP/1.1', 'GET /a ?b?c 1001'],
  ['GET /? HTTP/1.1', 'GET / 1001'],
  ['GET /?? HTTP/1.1', 'GET / ?? 1001'],
  ['G_T-X / HTTP/1.1', 'G_T-X / 1001'],
  ['_ / HTTP/1.1', '_ / 1001'],
  ['GET   / HTTP/1.1', 'GET / 1001'],
  ['GET /   HTTP/1.1', 'GET / 1001'],
  ['GET / HTTP/1.1  ', 'GET / 1001'],
  ['GET / HTTP/1.2', 'GET / 1002'],
  ['GET / HTTP/1.10', 'GET / 1010'],
  ['GET / HTTP/1.01', 'GET / 1001'],
  ['GET / HTTP/1.999', 'GET / 1999'],
  ['GET /', 'GET / 9'],
  ['GET / ', 'GET / 9'],
  ['GET http://a ', 'GET / 9 @a'],
  ['GET /a\x80\xff HTTP/1.1', 'GET /a\x80\xff 1001'],
  ['GET /a"<>`\\ HTTP/1.1', 'GET /a"<>`\\ 1001'],
  ['GET /?\xff%zz HTTP/1.1', 'GET / ?\xff%zz 1001'],
  ['GET /a+b HTTP/1.1', 'GET /a+b 1001'],
  ['GET /a#b?c HTTP/1.1', 'GET /a 1001'],
  ['GET /a?b#c HTTP/1.1', 'GET /a ?b 1001'],
  ['GET http://a/ HTTP/1.1', 'GET / 1001 @a'],
  ['GET http://a HTTP/1.1', 'GET / 1001 @a'],
  ['GET http://a?x=1 HTTP/1.1', 'GET / ?x=1 1001 @a'],
  ['GET http://a:8080?x HTTP/1.1', 'GET / ?x 1001 @a:8080'],
  ['GET http://a:80/b HTTP/1.1', 'GET /b 1001 @a:80'],
  ['GET http://a:/b HTTP/1.1', 'GET /b 1001 @a'],
  ['GET HTTP://A.B/c?d HTTP/1.1', 'GET /c ?d 1001 @a.b'],
  ['GET http://a./ HTTP/1.1', 'GET / 1001 @a'],
  ['GET ht+t.p-1://a/ HTTP/1.1', 'GET / 1001 @a'],
  ['GET http://[::1]:80/ HTTP/1.1', 'GET / 1001 @[::1]:80'],
  ['GET http://[]/ HTTP/1.1', 'GET / 1001 @[]'],
  ['GET http://a//b/../c HTTP/1.1', 'GET /c 1001 @a'],
  ['CONNECT a:80 HTTP/1.1', 'CONNECT / 1001 @a:80'],
  ['CONNECT  [::1]:80 HTTP/1.1', 'CONNECT / 1001 @[::1]:80'],
  ['CONNECT a:80 HTTP/1.0', 'CONNECT / 1000 @a:80'],
];

const refused: readonly (readonly [status: string, lines: readonly string[]])[] = [
  [
    `400 ${METHOD}`,
    ['GET', 'get / HTTP/1.1', 'GE1 / HTTP/1.1', ' GET / HTTP/1.1', 'GET\t/ HTTP/1.1', 'G\0T / HTTP/1.1'],
  ],
  [
    `400 ${INVALID}`,
    [
      'GET ',
      'GET * HTTP/1.1',
      'OPTIONS * HTTP/1.1',
      'GET a HTTP/1.1',
      'GET ?a HTTP/1.1',
      'GET #a HTTP/1.1',
      'GET / HTTP/1',
      'GET / HTTP/1.',
      'GET / HTTP/1.a',
      'GET / HTTP/1.9999',
      'GET / HTTP/01.1',
      'GET / HTTP/0.9',
      'GET / HTTP/1.1 x',
      'GET / http/1.1',
      'GET / HTTPS/1.1',
      'GET / foo',
      'GET /a b HTTP/1.1',
      'GET /?a b HTTP/1.1',
      'GET /a\tb HTTP/1.1',
      'GET /a\0b HTTP/1.1',
      'GET /a\x7fb HTTP/1.1',
      'GET /?a\x01 HTTP/1.1',
      'GET /a#\x01 HTTP/1.1',
      'GET /a\rb HTTP/1.1',
      'GET / HTTP/1.1\r',
      'GET /% HTTP/1.1',
      'GET /%1 HTTP/1.1',
      'GET /%zz HTTP/1.1',
      'GET /%00 HTTP/1.1',
      'GET /.. HTTP/1.1',
      'GET /a/../.. HTTP/1.1',
      'GET http://a',
      'GET http:/a HTTP/1.1',
      'GET http:a HTTP/1.1',
      'GET http HTTP/1.1',
      'GET 1http://a/ HTTP/1.1',
      'GET ht_tp://a/ HTTP/1.1',
      'GET http://a#x HTTP/1.1',
      'GET http://[::1]x/ HTTP/1.1',
      'GET http://[::1/ HTTP/1.1',
      'GET http://[a%]/ HTTP/1.1',
      'GET http://a_b/ HTTP/1.1',
      'GET http://u@a/ HTTP/1.1',
      'GET http://a:80x/ HTTP/1.1',
      'GET http://a%20/ HTTP/1.1',
      'CONNECT a HTTP/1.1',
      'CONNECT a: HTTP/1.1',
      'CONNECT / HTTP/1.1',
      'CONNECT a:80/ HTTP/1.1',
      'CONNECT a:80',
    ],
  ],
  [`505 ${VERSION}`, ['GET / HTTP/2.0', 'GET / HTTP/9', 'GET / HTTP/11.1', 'CONNECT a:80 HTTP/3.0']],
  [
    `400 ${HOST}`,
    [
      'GET http:///x HTTP/1.1',
      'GET http://?x HTTP/1.1',
      'GET http:// HTTP/1.1',
      'GET http://a..b/ HTTP/1.1',
      'GET http://./ HTTP/1.1',
      'GET http://a:65536/ HTTP/1.1',
      'CONNECT :80 HTTP/1.1',
      'CONNECT a:99999 HTTP/1.1',
    ],
  ],
];

describe('a request line that is accepted', () => {
  for (const [line, meaning] of accepted)
    it(JSON.stringify(line), () => assert.equal(summary(line), meaning));

  it('may end in LF alone', () => assert.equal(summary('GET /a HTTP/1.0', { ending: '\n' }), 'GET /a 1000'));
  it('may stand behind others', () =>
    assert.equal(summary('GET /a?b HTTP/1.1', { before: 'GET /x HTTP/1.1\r\n\r\n' }), 'GET /a ?b 1001'));
  it('keeps doubled slashes where they are not merged', () =>
    assert.equal(summary('GET //a//b HTTP/1.1', { mergeSlashes: false }), 'GET //a//b 1001'));
});

describe('a request line that is refused', () => {
  for (const [status, lines] of refused) {
    for (const line of lines) it(JSON.stringify(line), () => assert.equal(summary(line), status));
  }
});

describe('what is kept of the line', () => {
  const cases: readonly (readonly [line: string, target: string, care: boolean, valid: boolean])[] = [
    ['GET /a?b HTTP/1.1', '/a?b', false, true],
    ['GET /a%20b HTTP/1.1', '/a%20b', true, true],
    ['GET /a//b HTTP/1.1', '/a//b', true, true],
    ['GET /.a HTTP/1.1', '/.a', true, true],
    ['GET http://h/x%41?y HTTP/1.1', '/x%41?y', true, true],
    ['GET http://h?y HTTP/1.1', '?y', true, false],
  ];
  for (const [line, target, care, valid] of cases) {
    it(line, () => {
      const { request } = parse(line);
      assert.equal(request.requestLine, line);
      assert.equal(request.target, target);
      assert.equal(request.complexTarget, care);
      assert.equal(request.validTarget, valid);
    });
  }
  it('is the line of a refused request too', () =>
    assert.equal(parse('get / HTTP/1.1').request.requestLine, 'get / HTTP/1.1'));
});

describe('the start of a line that has not ended', () => {
  const cases: readonly (readonly [text: string, plausible: boolean])[] = [
    ['', true],
    ['G', true],
    ['GET', true],
    ['GET ', true],
    ['GET \x01', true],
    ['\r', true],
    ['\n', true],
    [' ', false],
    ['g', false],
    ['GEt', false],
    ['GE\r', false],
    ['\x16\x03\x01', false],
    ['X'.repeat(100), true],
  ];
  for (const [text, plausible] of cases) {
    it(JSON.stringify(text), () => assert.equal(plausibleStart(`--${text}`, 2), plausible));
  }
});
