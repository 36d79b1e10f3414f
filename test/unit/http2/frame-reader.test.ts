/** Frames out of bytes that come in any pieces, and which of them end the connection. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FrameHandler } from '../../../src/http/http2/frame-handler.ts';
import { FrameReader } from '../../../src/http/http2/frame-reader.ts';
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  FRAME_SIZE_ERROR,
  frameHead,
  GOAWAY,
  HEADERS,
  INITIAL_WINDOW_SIZE,
  PADDED,
  PING,
  PREFACE,
  PRIORITIZED,
  PRIORITY,
  PROTOCOL_ERROR,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  setting,
  uint32,
  WINDOW_UPDATE,
} from '../../../src/http/http2/frames.ts';

const frame = (type: number, flags: number, id: number, payload = ''): string =>
  frameHead(payload.length, type, flags, id) + payload;

/** Notes what it is told; pieces of a body or block are joined. */
class Notes implements FrameHandler {
  readonly lines: string[] = [];
  #pieces = '';

  fail(code: number, reason: string): false {
    this.lines.push(`! ${code} ${reason}`);
    return false;
  }
  note(reason: string): void {
    this.lines.push(reason);
  }
  data(id: number, flags: number, size: number): boolean {
    this.lines.push(`data ${id} ${flags} ${size}`);
    return true;
  }
  #piece(bytes: Buffer, start: number, end: number, last: boolean): boolean {
    this.#pieces += bytes.toString('latin1', start, end);
    if (last) {
      this.lines.push(`<${this.#pieces}>`);
      this.#pieces = '';
    }
    return true;
  }
  bodyBytes(bytes: Buffer, start: number, end: number, last: boolean): boolean {
    return this.#piece(bytes, start, end, last);
  }
  headers(
    id: number,
    flags: number,
    length: number,
    weight: number,
    depend: number,
    exclusive: boolean,
  ): boolean {
    this.lines.push(`headers ${id} ${flags} ${length} ${weight} ${depend} ${exclusive}`);
    return true;
  }
  moreHeaders(length: number): void {
    this.lines.push(`more ${length}`);
  }
  blockBytes(bytes: Buffer, start: number, end: number, last: boolean): boolean {
    return this.#piece(bytes, start, end, last);
  }
  priority(id: number, weight: number, depend: number, exclusive: boolean): boolean {
    this.lines.push(`priority ${id} ${weight} ${depend} ${exclusive}`);
    return true;
  }
  reset(id: number, code: number): void {
    this.lines.push(`reset ${id} ${code}`);
  }
  setting(id: number, value: number): boolean {
    this.lines.push(`setting ${id} ${value}`);
    return true;
  }
  settingsEnd(): void {
    this.lines.push('settings');
  }
  settingsAcknowledged(): void {
    this.lines.push('acknowledged');
  }
  ping(payload: string): boolean {
    this.lines.push(`ping ${payload}`);
    return true;
  }
  windowUpdate(id: number, increment: number): boolean {
    this.lines.push(`window ${id} ${increment}`);
    return true;
  }
}

const readAll = (pieces: readonly string[]): string[] => {
  const notes = new Notes();
  const reader = new FrameReader(notes);
  for (const piece of pieces) {
    const bytes = Buffer.from(piece, 'latin1');
    if (!reader.read(bytes, bytes.length)) break;
  }
  return notes.lines;
};

const weighed = (depend: number, weight: number): string => uint32(depend) + String.fromCharCode(weight);

const GOOD: readonly (readonly [what: string, frames: string, told: readonly string[]])[] = [
  ['settings', frame(SETTINGS, 0, 0), ['settings']],
  [
    'settings with parameters',
    frame(SETTINGS, 0, 0, setting(INITIAL_WINDOW_SIZE, 70000) + setting(99, 2 ** 32 - 1)),
    ['setting 4 70000', 'setting 99 4294967295', 'settings'],
  ],
  ['acknowledged settings', frame(SETTINGS, ACK, 0), ['acknowledged']],
  ['a body', frame(DATA, END_STREAM, 3, 'body'), ['data 3 1 4', '<body>']],
  ['a body of no bytes', frame(DATA, END_STREAM, 3), ['data 3 1 0', '<>']],
  ['a padded body', frame(DATA, PADDED, 3, '\x03body\0\0\0'), ['data 3 8 8', '<body>']],
  ['a body of padding', frame(DATA, PADDED, 3, '\x03\0\0\0'), ['data 3 8 4', '<>']],
  ['a block', frame(HEADERS, END_HEADERS, 1, 'block'), ['headers 1 4 5 0 0 false', '<block>']],
  [
    'a padded block with priority',
    frame(HEADERS, END_HEADERS | PADDED | PRIORITIZED, 5, `\x02${weighed(0x80000003, 15)}block\0\0`),
    ['headers 5 44 5 16 3 true', '<block>'],
  ],
  [
    'a block in three frames, one of them empty',
    frame(HEADERS, PADDED, 1, '\x02bl\0\0') +
      frame(CONTINUATION, 0, 1) +
      frame(CONTINUATION, END_HEADERS, 1, 'ock'),
    ['headers 1 8 2 0 0 false', 'more 0', 'more 3', '<block>'],
  ],
  ['priority', frame(PRIORITY, 0, 7, weighed(5, 255)), ['priority 7 256 5 false']],
  ['a reset', frame(RST_STREAM, 0, 7, uint32(8)), ['reset 7 8']],
  ['a ping', frame(PING, 0, 0, '12345678'), ['ping 12345678']],
  ['the answer to a ping', frame(PING, ACK, 0, '12345678'), []],
  ['going away, with words', frame(GOAWAY, 0, 0, `${uint32(0)}${uint32(0)}words`), []],
  ['a window', frame(WINDOW_UPDATE, 0, 9, uint32(0x80000001)), ['window 9 1']],
  ['an unknown frame', frame(0x20, 0xff, 9, 'whatever'), ['client sent frame with unknown type 32']],
];

describe('frames', () => {
  for (const [what, frames, told] of GOOD) {
    const text = PREFACE + frames + frame(PING, 0, 0, 'lastping');
    const all = [...told, 'ping lastping'];
    test(what, () => assert.deepEqual(readAll([text]), all));
    test(`${what}, byte by byte`, () => assert.deepEqual(readAll([...text]), all));
    test(`${what}, cut anywhere`, () => {
      for (let cut = 0; cut < text.length; cut++)
        assert.deepEqual(readAll([text.slice(0, cut), text.slice(cut)]), all);
    });
  }
});

const BAD: readonly (readonly [what: string, frames: string, code: number, reason: string])[] = [
  [
    'a body of no stream',
    frame(DATA, 0, 0, 'x'),
    PROTOCOL_ERROR,
    'client sent DATA frame with incorrect identifier',
  ],
  [
    'padding without a length',
    frame(DATA, PADDED, 1),
    FRAME_SIZE_ERROR,
    'client sent padded DATA frame with incorrect length: 0',
  ],
  [
    'more padding than body',
    frame(DATA, PADDED, 1, '\x04abc'),
    PROTOCOL_ERROR,
    'client sent padded DATA frame with incorrect length: 4, padding: 4',
  ],
  [
    'a block of no bytes',
    frame(HEADERS, END_HEADERS, 1),
    FRAME_SIZE_ERROR,
    'client sent HEADERS frame with empty header block',
  ],
  [
    'a block shorter than its priority',
    frame(HEADERS, END_HEADERS | PRIORITIZED, 1, 'abcd'),
    FRAME_SIZE_ERROR,
    'client sent HEADERS frame with incorrect length 4',
  ],
  [
    'more padding than block',
    frame(HEADERS, END_HEADERS | PADDED, 1, '\x05abc'),
    PROTOCOL_ERROR,
    'client sent padded HEADERS frame with incorrect length: 3, padding: 5',
  ],
  [
    'another frame within a block',
    frame(HEADERS, 0, 1, 'a') + frame(PING, 0, 0, '12345678'),
    PROTOCOL_ERROR,
    'client sent inappropriate frame while CONTINUATION was expected',
  ],
  [
    "another stream's CONTINUATION",
    frame(HEADERS, 0, 1, 'a') + frame(CONTINUATION, 0, 3, 'b'),
    PROTOCOL_ERROR,
    'client sent CONTINUATION frame with incorrect identifier',
  ],
  [
    'CONTINUATION of nothing',
    frame(CONTINUATION, 0, 1, 'a'),
    PROTOCOL_ERROR,
    'client sent unexpected CONTINUATION frame',
  ],
  ['a promise', frame(PUSH_PROMISE, 0, 1, 'abcd'), PROTOCOL_ERROR, 'client sent PUSH_PROMISE frame'],
  [
    'settings of a stream',
    frame(SETTINGS, 0, 1),
    PROTOCOL_ERROR,
    'client sent SETTINGS frame with incorrect identifier',
  ],
  [
    'settings of odd length',
    frame(SETTINGS, 0, 0, 'abcde'),
    FRAME_SIZE_ERROR,
    'client sent SETTINGS frame with incorrect length 5',
  ],
  [
    'acknowledged settings with content',
    frame(SETTINGS, ACK, 0, 'abcdef'),
    FRAME_SIZE_ERROR,
    'client sent SETTINGS frame with the ACK flag and nonzero length',
  ],
  [
    'a ping of a stream',
    frame(PING, 0, 1, '12345678'),
    PROTOCOL_ERROR,
    'client sent PING frame with incorrect identifier',
  ],
  [
    'a short ping',
    frame(PING, 0, 0, '1234567'),
    FRAME_SIZE_ERROR,
    'client sent PING frame with incorrect length 7',
  ],
  [
    'a reset of no stream',
    frame(RST_STREAM, 0, 0, 'abcd'),
    PROTOCOL_ERROR,
    'client sent RST_STREAM frame with incorrect identifier',
  ],
  [
    'a long reset',
    frame(RST_STREAM, 0, 1, 'abcde'),
    FRAME_SIZE_ERROR,
    'client sent RST_STREAM frame with incorrect length 5',
  ],
  [
    'priority of no stream',
    frame(PRIORITY, 0, 0, 'abcde'),
    PROTOCOL_ERROR,
    'client sent PRIORITY frame with incorrect identifier',
  ],
  [
    'a short priority',
    frame(PRIORITY, 0, 1, 'abcd'),
    FRAME_SIZE_ERROR,
    'client sent PRIORITY frame with incorrect length 4',
  ],
  [
    'a short goodbye',
    frame(GOAWAY, 0, 0, 'abcd'),
    FRAME_SIZE_ERROR,
    'client sent GOAWAY frame with incorrect length 4',
  ],
  [
    'a goodbye of a stream',
    frame(GOAWAY, 0, 1, 'abcdefgh'),
    PROTOCOL_ERROR,
    'client sent GOAWAY frame with incorrect identifier',
  ],
  [
    'a short window',
    frame(WINDOW_UPDATE, 0, 0, 'abc'),
    FRAME_SIZE_ERROR,
    'client sent WINDOW_UPDATE frame with incorrect length 3',
  ],
  [
    'a window of nothing',
    frame(WINDOW_UPDATE, 0, 0, uint32(0x80000000)),
    PROTOCOL_ERROR,
    'client sent WINDOW_UPDATE frame with incorrect window increment 0',
  ],
];

describe('refused', () => {
  for (const [what, frames, code, reason] of BAD) {
    test(what, () => assert.equal(readAll([PREFACE + frames]).at(-1), `! ${code} ${reason}`));
    test(`${what}, byte by byte`, () =>
      assert.equal(readAll([...PREFACE, ...frames]).at(-1), `! ${code} ${reason}`));
  }
  for (const other of [
    'PRI * HTTP/2.1\r\n',
    'GET / HTTP/1.1\r\nHost: a',
    `${PREFACE.slice(0, 16)}\r\nSM\r\n\n\r`,
  ])
    test(`another preface: ${JSON.stringify(other)}`, () => {
      assert.deepEqual(readAll([other]), [`! ${PROTOCOL_ERROR} invalid connection preface`]);
      assert.deepEqual(readAll([...other]), [`! ${PROTOCOL_ERROR} invalid connection preface`]);
    });
  test('no line of the preface before it is whole', () => {
    assert.deepEqual(readAll(['GET / HTTP/1.1\r']), []);
    assert.deepEqual(readAll([`${PREFACE.slice(0, 16)}SM SM`]), []);
  });
});
