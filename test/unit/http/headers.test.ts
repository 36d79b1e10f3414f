import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkBuffers } from '../../../src/http/http1/head-limits.ts';
import { type HeaderRules, headEnd, parseHeaders } from '../../../src/http/http1/header-lines.ts';
import { checkHeaders, type HostSink } from '../../../src/http/known-headers.ts';
import { refusal } from '../../../src/http/refusal.ts';
import type { Request } from '../../../src/http/request.ts';
import { bareRequest, LogLines } from './http-rig.ts';

const RULES: HeaderRules = { ignore_invalid_headers: true, underscores_in_headers: false, max_headers: 1000 };

/** A connection that counts how often it chooses a server. */
class Sink implements HostSink {
  lastHost = '';
  lastValidHost: HostSink['lastValidHost'] = undefined;
  lastNames: HostSink['lastNames'] = [];
  readonly chosen: string[] = [];
  answer = 0;

  chooseServer(_request: Request, host: string): number {
    this.chosen.push(host);
    return this.answer;
  }
}

interface Parsed {
  readonly request: Request;
  readonly status: number;
  readonly log: readonly string[];
}

const parse = (lines: string, rules: Partial<HeaderRules> = {}, sink = new Sink()): Parsed => {
  const log = new LogLines();
  const request = bareRequest(log);
  const status = parseHeaders(request, `${lines}\r\n`, 0, { ...RULES, ...rules }, sink);
  return { request, status, log: log.lines.map((line) => line.replace(/, client: .*/s, '')) };
};

/** `Name=value` of each line, or what it was refused with. */
const summary = (lines: string, rules?: Partial<HeaderRules>): string => {
  const { request, status } = parse(lines, rules);
  if (status !== 0) return `${status} ${refusal.replace(' while reading client request headers', '')}`;
  assert.ok(headEnd > 0);
  return request.headers.names.map(({ text }, at) => `${text}=${request.headers.values[at]}`).join('|');
};

const invalid = (text: string): string => `400 client sent invalid header line: "${text}..."`;

describe('header lines', () => {
  const cases: readonly (readonly [lines: string, meaning: string])[] = [
    ['', ''],
    ['X: a\r\n', 'X=a'],
    ['X:a\r\n', 'X=a'],
    ['X:\r\n', 'X='],
    ['X: \r\n', 'X='],
    ['X:   a b   \r\n', 'X=a b'],
    ['X:\ta\t\r\n', 'X=\ta\t'],
    ['X: a:b\r\n', 'X=a:b'],
    ['X\r\n', 'X='],
    ['X: a\n', 'X=a'],
    ['X\n', 'X='],
    ['X: a\r\r\n', 'X=a'],
    ['X:\r\r\n', 'X='],
    ['X: \x01\x7f\xff\r\n', 'X=\x01\x7f\xff'],
    ['1: a\r\n-: b\r\n', '1=a|-=b'],
    ['A: 1\r\nB: 2\nC: 3\r\n', 'A=1|B=2|C=3'],
    ['A: 1\r\nA: 2\r\n', 'A=1|A=2'],
    ['X : a\r\n', invalid('X\\x20')],
    [' X: a\r\n', invalid('\\x20')],
    ['\tX: a\r\n', invalid('\\x09')],
    [': a\r\n', invalid('\\x3a')],
    ['X \r\n', invalid('X\\x20')],
    ['X\x01: a\r\n', invalid('X\\x01')],
    ['X\x7f: a\r\n', invalid('X\\x7f')],
    ['X\0: a\r\n', invalid('X\\x00')],
    ['X: a\0b\r\n', invalid('X: a\\x00')],
    ['X: \0\r\n', invalid('X: \\x00')],
    ['X: a\rb\r\n', invalid('X: a\\x0d')],
    ['X: a \rb\r\n', invalid('X: a\\x20')],
    ['X:  \rb\r\n', invalid('X:  \\x0d')],
    ['X\r: a\r\n', invalid('X\\x0d')],
    ['\rX: a\r\n', invalid('\\x0d')],
    ['\r\r\n', invalid('\\x0d')],
    ['X.Y z: a\r\n', invalid('X.Y\\x20')],
    ['X.: \0\r\n', invalid('X.: \\x00')],
  ];
  for (const [lines, meaning] of cases) {
    it(JSON.stringify(lines), () => assert.equal(summary(lines), meaning));
  }

  it('end at the empty line, whatever is behind it', () => {
    assert.equal(parseHeaders(bareRequest(), 'A: b\r\n\r\nC: d\r\n\r\n', 0, RULES, new Sink()), 0);
    assert.equal(headEnd, 8);
    assert.equal(parseHeaders(bareRequest(), 'A: b\n\nC: d', 0, RULES, new Sink()), 0);
    assert.equal(headEnd, 6);
  });

  it('are remembered with where they stand, when written as they are passed on', () => {
    const { request } = parse('A: b\r\nB:c\r\nC: d \r\nD: e\nE: f\r\n');
    assert.deepEqual(request.headers.starts, [0, -1, -1, -1, 23]);
  });
});

describe('lines with names that are not valid', () => {
  const lines = 'A: 1\r\nB_C: 2 x \r\nD.E: 3\r\nF: 4\r\n';
  const cases: readonly (readonly [
    rules: Partial<HeaderRules>,
    names: string,
    ignored: readonly string[],
  ])[] = [
    [{}, 'A=1|F=4', ['B_C: 2 x', 'D.E: 3']],
    [{ underscores_in_headers: true }, 'A=1|B_C=2 x|F=4', ['D.E: 3']],
    [{ ignore_invalid_headers: false }, 'A=1|B_C=2 x|D.E=3|F=4', []],
  ];
  for (const [rules, names, ignored] of cases) {
    it(JSON.stringify(rules), () => {
      assert.equal(summary(lines, rules), names);
      assert.deepEqual(
        parse(lines, rules).log,
        ignored.map(
          (line) => `client sent invalid header line: "${line}" while reading client request headers`,
        ),
      );
    });
  }
  it('do not count as known headers', () => {
    assert.equal(summary('Ho_st: a\r\n', { underscores_in_headers: true }), 'Ho_st=a');
    assert.equal(summary('X_Y\r\n'), '');
  });
});

describe('the names of the request before', () => {
  it('are only a guess', () => {
    const sink = new Sink();
    const rounds = [
      'A: 1\r\nBc: 2\r\n',
      'A: 3\r\nB: 4\r\nC: 5\r\n',
      'a: 6\r\n',
      'AB: 7\r\nBc: 8\r\n',
      '\r\n',
    ];
    const seen = rounds.map((lines) => {
      const { request } = parse(lines, {}, sink);
      return request.headers.names.map(({ text }, at) => `${text}=${request.headers.values[at]}`).join(' ');
    });
    assert.deepEqual(seen, ['A=1 Bc=2', 'A=3 B=4 C=5', 'a=6', 'AB=7 Bc=8', '']);
  });
  it('do not let a line through that is none', () => {
    const sink = new Sink();
    parse('A: 1\r\nBc: 2\r\n', {}, sink);
    assert.equal(parse('A: 1\r\nBc : 2\r\n', {}, sink).status, 400);
    assert.equal(parse('A: 1\r\nBc: 2\0\r\n', {}, sink).status, 400);
  });
});

describe('headers that may come once', () => {
  const once = [
    'If-Modified-Since',
    'If-Unmodified-Since',
    'If-Match',
    'If-None-Match',
    'If-Range',
    'Content-Range',
    'Expect',
    'Authorization',
    'Proxy-Authorization',
  ];
  const often = [
    'Range',
    'User-Agent',
    'Referer',
    'Content-Type',
    'Accept-Encoding',
    'Via',
    'Upgrade',
    'TE',
  ].concat(['Keep-Alive', 'Cookie', 'X-Forwarded-For', 'Connection', 'X-Anything']);
  for (const name of once) {
    it(name, () =>
      assert.equal(
        summary(`${name}: a\r\n${name.toLowerCase()}: b\r\n`),
        `400 client sent duplicate header line: "${name.toLowerCase()}: b", previous value: "${name}: a"`,
      ),
    );
  }
  for (const name of often) {
    it(`but not ${name}`, () => assert.equal(summary(`${name}: a\r\n${name}: b\r\n`), `${name}=a|${name}=b`));
  }
});

describe('the Host header', () => {
  it('chooses the server once, with the host in lower case', () => {
    const sink = new Sink();
    const { request } = parse('Host: A.b.:8080\r\nX: y\r\n', {}, sink);
    assert.deepEqual(sink.chosen, ['a.b']);
    assert.deepEqual(
      [request.headers.host, request.headers.port, request.headers.hostIndex],
      ['a.b', 8080, 0],
    );
  });
  it('does not choose when the request line has named a host', () => {
    const sink = new Sink();
    const request = bareRequest();
    request.headers.host = 'line';
    assert.equal(parseHeaders(request, 'Host: b\r\n\r\n', 0, RULES, sink), 0);
    assert.deepEqual([sink.chosen, request.headers.host], [[], 'line']);
  });
  it('is checked all the same', () => {
    const request = bareRequest();
    request.headers.host = 'line';
    assert.equal(parseHeaders(request, 'Host: b/\r\n\r\n', 0, RULES, new Sink()), 400);
  });
  it('ends the head where no server will have it', () => {
    const sink = new Sink();
    sink.answer = 421;
    assert.equal(parse('Host: a\r\n', {}, sink).status, 421);
  });
  const refused: readonly (readonly [lines: string, reason: string])[] = [
    ['Host: a b\r\n', 'client sent invalid host header'],
    ['Host: \r\n', 'client sent invalid host header'],
    ['Host: a\r\nhost: B\r\n', 'client sent duplicate host header: "host: B", previous value: "Host: a"'],
  ];
  for (const [lines, reason] of refused) {
    it(JSON.stringify(lines), () => assert.equal(summary(lines), `400 ${reason}`));
  }
  it('is remembered from one request to the next', () => {
    const sink = new Sink();
    for (const host of ['a', 'a', 'b', 'a']) parse(`Host: ${host}\r\n`, {}, sink);
    assert.deepEqual(sink.chosen, ['a', 'a', 'b', 'a']);
  });
});

describe('Content-Length', () => {
  const cases: readonly (readonly [value: string, length: number | undefined])[] = [
    ['0', 0],
    ['10', 10],
    ['00000000000000000010', 10],
    ['999999999999999', 999_999_999_999_999],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['9223372036854775807', 2 ** 63],
    ['9223372036854775808', undefined],
    ['', undefined],
    ['-1', undefined],
    ['+1', undefined],
    ['1x', undefined],
    ['0x1', undefined],
    ['1 1', undefined],
    ['1,1', undefined],
    ['1e1', undefined],
  ];
  for (const [value, length] of cases) {
    it(value === '' ? 'empty' : value, () => {
      const { request, status } = parse(`Content-Length: ${value}\r\n`);
      assert.equal(status, length === undefined ? 400 : 0);
      assert.equal(request.headers.contentLength, length ?? -1);
      if (status !== 0)
        assert.equal(
          refusal,
          'client sent invalid "Content-Length" header while reading client request headers',
        );
    });
  }
});

describe('what other headers say', () => {
  const cases: readonly (readonly [lines: string, close: boolean, keep: boolean, expect: boolean])[] = [
    ['', false, false, false],
    ['Connection: close\r\n', true, false, false],
    ['Connection: Keep-Alive\r\n', false, true, false],
    ['Connection: Upgrade, CLOSE\r\n', true, false, false],
    ['Connection: x\r\n', false, false, false],
    ['Connection: close\r\nConnection: keep-alive\r\n', false, true, false],
    ['Connection: keep-alive\r\nConnection: close\r\n', true, false, false],
    ['Expect: 100-Continue\r\n', false, false, true],
    ['Expect: x\r\n', false, false, false],
  ];
  for (const [lines, close, keep, expect] of cases) {
    it(JSON.stringify(lines), () => {
      const { headers } = parse(lines).request;
      assert.deepEqual(
        [headers.connectionClose, headers.connectionKeepAlive, headers.expectContinue],
        [close, keep, expect],
      );
    });
  }
});

describe('the number of lines', () => {
  for (const [count, status] of [
    [4, 0],
    [5, 0],
    [6, 494],
  ] as const) {
    it(`${count} of 5`, () => {
      assert.equal(parse('A: b\r\n'.repeat(count), { max_headers: 5 }).status, status);
      if (status !== 0)
        assert.equal(refusal, 'client sent too many header lines while reading client request headers');
    });
  }
  it('leaves ignored lines out', () =>
    assert.equal(parse('A_B: c\r\n'.repeat(9) + 'A: b\r\n'.repeat(5), { max_headers: 5 }).status, 0));
});

describe('the head as a whole', () => {
  const check = (lines: string, method: string, version: number, allowConnect = false): string => {
    const { request, status } = parse(lines);
    assert.equal(status, 0);
    request.method = method;
    request.version = version;
    const checked = checkHeaders(request, allowConnect);
    const reason = refusal.replace(' while reading client request headers', '');
    return checked === 0 ? `chunked ${request.headers.chunked}` : `${checked} ${reason}`;
  };
  const H = 'Host: a\r\n';
  const TE = 'Transfer-Encoding: chunked\r\n';
  const cases: readonly (readonly [lines: string, method: string, version: number, meaning: string])[] = [
    [H, 'GET', 1001, 'chunked false'],
    ['', 'GET', 1000, 'chunked false'],
    ['', 'GET', 1001, '400 client sent HTTP/1.1 request without "Host" header'],
    ['', 'GET', 1002, '400 client sent HTTP/1.1 request without "Host" header'],
    [H + TE, 'POST', 1001, 'chunked true'],
    [`${H}Transfer-Encoding: CHUNKED\r\n`, 'POST', 1001, 'chunked true'],
    [TE, 'POST', 1000, '400 client sent HTTP/1.0 request with "Transfer-Encoding" header'],
    [
      `${H}Transfer-Encoding: gzip, chunked\r\n`,
      'POST',
      1001,
      '501 client sent unknown "Transfer-Encoding": "gzip, chunked"',
    ],
    [
      `${H}Transfer-Encoding: identity\r\n`,
      'POST',
      1001,
      '501 client sent unknown "Transfer-Encoding": "identity"',
    ],
    [`${H}Transfer-Encoding:\r\n`, 'POST', 1001, '501 client sent unknown "Transfer-Encoding": ""'],
    [
      `${H + TE}Content-Length: 0\r\n`,
      'POST',
      1001,
      '400 client sent "Content-Length" and "Transfer-Encoding" headers at the same time',
    ],
    [H, 'TRACE', 1001, '405 client sent TRACE method'],
    ['', 'TRACE', 1000, '405 client sent TRACE method'],
    [H, 'CONNECT', 1001, '405 client sent CONNECT method'],
    [H, 'POST', 1001, 'chunked false'],
  ];
  for (const [lines, method, version, meaning] of cases) {
    it(`${method} ${version} ${JSON.stringify(lines)}`, () =>
      assert.equal(check(lines, method, version), meaning));
  }
  it('CONNECT where it is allowed', () => {
    assert.equal(check(H, 'CONNECT', 1001, true), 'chunked false');
    assert.equal(check(H, 'CONNECT', 1000, true), '405 client sent CONNECT method');
    assert.equal(check(`${H}Content-Length: 0\r\n`, 'CONNECT', 1001, true), 'chunked false');
    for (const body of ['Content-Length: 1\r\n', TE])
      assert.equal(check(H + body, 'CONNECT', 1001, true), '400 client sent CONNECT request with body');
  });
});

describe('buffers', () => {
  const LARGE = { count: 2, size: 512 };
  const check = (text: string): string => {
    const status = checkBuffers(text, 0, text.length, 100, LARGE);
    return status === 0 ? 'fits' : `${status} ${refusal}`;
  };
  /** `GET /aaa HTTP/1.1` of that many bytes with its CRLF. */
  const line = (length: number): string => `GET /${'a'.repeat(length - 16)} HTTP/1.1\r\n`;
  /** `X: bbb` of that many bytes with its CRLF. */
  const header = (length: number): string => `X: ${'b'.repeat(length - 5)}\r\n`;
  const URI = '414 client sent too long URI while reading client request line';
  const long = (room: number): string =>
    `494 client sent too long header line: "${header(600).slice(0, room)}..." while reading client request headers`;
  const cases: readonly (readonly [name: string, text: string, verdict: string])[] = [
    ['a head of the first buffer', `${line(98)}\r\n`, 'fits'],
    ['a request line that needs a large one', `${line(101)}\r\n`, 'fits'],
    ['a request line as large as a large one', `${line(512)}\r\n`, 'fits'],
    ['a request line that is larger', `${line(513)}\r\n`, URI],
    ['a request line that is larger and has not ended', line(600).slice(0, 520), URI],
    ['header lines in all buffers', `${line(90)}${header(512)}${header(512)}\r\n`, 'fits'],
    [
      'a header line that no buffer is left for',
      `${line(90)}${header(512)}${header(502)}${header(600)}`,
      long(10),
    ],
    ['a header line that is larger than a buffer', `${line(90)}${header(600)}\r\n`, long(512)],
    [
      'a header line right behind full buffers',
      `${line(90)}${header(512)}${header(512)}${header(20)}\r\n`,
      '494 client sent too large request while reading client request headers',
    ],
    ['a body, which no buffer has to hold', `${line(98)}\r\n${'x'.repeat(5000)}`, 'fits'],
    ['a body behind LF alone', `${line(98)}\n${'x'.repeat(5000)}`, 'fits'],
  ];
  for (const [name, text, verdict] of cases) it(name, () => assert.equal(check(text), verdict));

  it('a line of the log holds no more than 1748 bytes of a line', () => {
    const text = `${line(90)}${header(9000)}`;
    assert.equal(checkBuffers(text, 0, text.length, 100, { count: 1, size: 8192 }), 494);
    assert.equal(/"(.*)\.\.\."/.exec(refusal)?.[1]?.length, 1748);
  });
});
