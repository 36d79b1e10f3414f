import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  COMBINED,
  compileLogFormat,
  escapeDefault,
  escapeJson,
  type LogFormat,
  parseLogFormat,
} from '../../../src/log/log-format.ts';

const fail = (reason: string): never => {
  throw new Error(reason);
};

const bytes = (from: number, to: number): string =>
  String.fromCharCode(...Array.from({ length: to - from + 1 }, (_, i) => from + i));
const hexed = (text: string): string =>
  [...text].map((c) => `\\x${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`).join('');

describe('escaping', () => {
  it('escape=default writes what is not printable ASCII, quote and backslash as \\xHH', () => {
    assert.equal(
      escapeDefault(bytes(0x20, 0x7e)),
      bytes(0x20, 0x7e).replace('\\', '\\x5C').replace('"', '\\x22'),
    );
    assert.equal(escapeDefault(bytes(0, 0x1f)), hexed(bytes(0, 0x1f)));
    assert.equal(escapeDefault(bytes(0x7f, 0xff)), hexed(bytes(0x7f, 0xff)));
  });

  it('escape=json writes control characters, quote and backslash as JSON does', () => {
    assert.equal(escapeJson('\b\t\n\f\r"\\'), '\\b\\t\\n\\f\\r\\"\\\\');
    assert.equal(escapeJson('\x00\x0b\x1f'), '\\u0000\\u000B\\u001F');
    assert.equal(escapeJson(bytes(0x7f, 0xff)), bytes(0x7f, 0xff));
    const all = bytes(0, 0xff);
    assert.equal(JSON.parse(`"${escapeJson(all)}"`), all);
  });
});

const parsed: readonly (readonly [words: readonly string[], format: LogFormat])[] = [
  [['plain'], { escape: 'default', parts: ['plain'] }],
  [
    ['a$b-${c}d', '$e'],
    { escape: 'default', parts: ['a', { variable: 'b' }, '-', { variable: 'c' }, 'd', { variable: 'e' }] },
  ],
  [['$a$b_1}'], { escape: 'default', parts: [{ variable: 'a' }, { variable: 'b_1' }, '}'] }],
  [['escape=json', '{"a":"$a"}'], { escape: 'json', parts: ['{"a":"', { variable: 'a' }, '"}'] }],
  [['escape=none', ''], { escape: 'none', parts: [] }],
  [['escape=default', '$x'], { escape: 'default', parts: [{ variable: 'x' }] }],
  [['$a', 'escape=json'], { escape: 'default', parts: [{ variable: 'a' }, 'escape=json'] }],
];
const refused: readonly (readonly [word: string, message: string])[] = [
  ['escape=xml', 'unknown log format escaping "xml"'],
  ['a$', 'invalid parameter "$"'],
  ['a${', 'invalid parameter "${"'],
  ['a$-b', 'invalid parameter "$-b"'],
  ['${a', 'the closing bracket in "a" variable is missing'],
  ['${a-b}', 'the closing bracket in "a" variable is missing'],
  ['${}', 'invalid parameter "${}"'],
];

describe('log_format', () => {
  for (const [words, format] of parsed) {
    it(`reads ${JSON.stringify(words)}`, () => assert.deepEqual(parseLogFormat(words, fail), format));
  }
  for (const [word, message] of refused) {
    it(`refuses ${word}`, () => assert.throws(() => parseLogFormat([word], fail), { message }));
  }

  const line = (format: LogFormat, values: Record<string, string>): string =>
    compileLogFormat<Record<string, string>>(format, (name) => ({
      get: (all) => all[name],
      safe: name === 'status',
    }))(values);

  it('writes a missing value as - by default, as nothing otherwise', () => {
    const parts = ['<', { variable: 'a' }, '|', { variable: 'status' }, '>'];
    assert.equal(line({ escape: 'default', parts }, {}), '<-|->');
    assert.equal(line({ escape: 'default', parts }, { a: '' }), '<|->');
    assert.equal(line({ escape: 'json', parts }, {}), '<|>');
    assert.equal(line({ escape: 'none', parts }, {}), '<|>');
  });

  it('escapes as the format says', () => {
    const parts = [{ variable: 'a' }];
    assert.equal(line({ escape: 'default', parts }, { a: 'x"\n\xe9' }), 'x\\x22\\x0A\\xE9');
    assert.equal(line({ escape: 'json', parts }, { a: 'x"\n\xe9' }), 'x\\"\\n\xe9');
    assert.equal(line({ escape: 'none', parts }, { a: 'x"\n\xe9' }), 'x"\n\xe9');
  });

  it("has nginx's combined format", () => {
    const values = {
      remote_addr: '127.0.0.1',
      time_local: '31/Jan/2026:12:00:00 +0000',
      request: 'GET / HTTP/1.1',
      status: '200',
      body_bytes_sent: '5',
      http_user_agent: 'curl',
    };
    assert.equal(
      line({ escape: 'default', parts: COMBINED }, values),
      '127.0.0.1 - - [31/Jan/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "curl"',
    );
  });
});
