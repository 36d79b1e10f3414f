/** Frames and header blocks of a peer, in any pieces. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CONTINUATION, DATA, frameHead, HEADERS, PING, SETTINGS } from '../../../src/http/http2/frames.ts';
import { rawString, string } from '../../../src/http/http2/hpack-encoder.ts';
import {
  BLOCK_READ,
  BLOCK_REFUSED,
  BLOCK_WRONG,
  BlockReader,
} from '../../../src/upstream/protocols/http2/block-reader.ts';
import { FrameReader } from '../../../src/upstream/protocols/http2/frame-reader.ts';

const frame = (type: number, flags: number, id: number, payload: string): string =>
  frameHead(payload.length, type, flags, id) + payload;

/** Reads `text` in pieces that end at `cuts`; notes each frame, DATA byte by byte of what comes. */
const readFrames = (text: string, cuts: readonly number[]): string[] => {
  const reader = new FrameReader();
  const notes: string[] = [];
  const bytes = Buffer.from(text, 'latin1');
  let data = '';
  let start = 0;
  for (const end of [...cuts, bytes.length]) {
    let at = start;
    for (;;) {
      if (reader.rest < 0) {
        at = reader.readHead(bytes, at, end);
        if (reader.rest < 0) break;
        data = '';
      }
      if (reader.type === DATA) {
        const length = Math.min(reader.rest, end - at);
        data += bytes.toString('latin1', at, at + length);
        at += length;
        reader.rest -= length;
        if (reader.rest > 0) break;
        reader.rest = -1;
        notes.push(`data ${reader.stream} ${reader.flags} ${data}`);
        continue;
      }
      const { rest } = reader;
      const payload = reader.payload(bytes, at, end);
      if (!payload) break;
      at += Math.min(rest, end - at);
      notes.push(`${reader.type} ${reader.stream} ${reader.flags} ${payload.toString('latin1')}`);
    }
    start = end;
  }
  assert.equal(reader.between, true);
  return notes;
};

describe('frames', () => {
  const text =
    frame(SETTINGS, 0, 0, '') +
    frame(PING, 1, 0, '12345678') +
    frame(HEADERS, 4, 3, 'a longer block than a frame head is') +
    frame(CONTINUATION, 4, 3, 'x') +
    frame(DATA, 0, 3, 'abc') +
    frame(DATA, 1, 3, '');
  const notes = [
    `${SETTINGS} 0 0 `,
    `${PING} 0 1 12345678`,
    `${HEADERS} 3 4 a longer block than a frame head is`,
    `${CONTINUATION} 3 4 x`,
    'data 3 0 abc',
    'data 3 1 ',
  ];

  test('in one piece', () => assert.deepEqual(readFrames(text, []), notes));

  test('in two, cut anywhere', () => {
    for (let cut = 0; cut <= text.length; cut++)
      assert.deepEqual(readFrames(text, [cut]), notes, `at ${cut}`);
  });

  test('in three, cut anywhere', () => {
    for (let first = 0; first <= text.length; first++) {
      for (let second = first; second <= text.length; second++)
        assert.deepEqual(readFrames(text, [first, second]), notes, `at ${first} and ${second}`);
    }
  });

  test('byte by byte', () => {
    assert.deepEqual(
      readFrames(
        text,
        Array.from({ length: text.length }, (_, i) => i),
      ),
      notes,
    );
  });
});

describe('header blocks', () => {
  const LIMIT = 100;
  /** Fields, and what the block came to. */
  const readBlock = (text: string, cut: number): readonly [found: number, fields: string, reason: string] => {
    const reader = new BlockReader();
    const bytes = Buffer.from(text, 'latin1');
    const fields: string[] = [];
    const target = {
      field: (name: string, value: string): boolean => {
        fields.push(`${name}=${value}`);
        return name !== 'refused';
      },
    };
    reader.begin(LIMIT);
    let found = cut > 0 ? reader.read(bytes.subarray(0, cut), false, target) : BLOCK_READ;
    if (found === BLOCK_READ) found = reader.read(bytes.subarray(cut), true, target);
    return [found, fields.join(' '), found === BLOCK_WRONG ? reader.reason : ''];
  };

  const coded = string('www.example.com');
  const BLOCKS: readonly [name: string, text: string, found: number, fields: string, reason?: string][] = [
    ['nothing', '', BLOCK_READ, ''],
    ['indexed', '\x88\x8d', BLOCK_READ, ':status=200 :status=404'],
    ['a known name, with indexing', `\x48${rawString('201')}`, BLOCK_READ, ':status=201'],
    ['without', `\x08${rawString('201')}`, BLOCK_READ, ':status=201'],
    ['never', `\x18${rawString('201')}`, BLOCK_READ, ':status=201'],
    ['an index of two octets', `\x0f\x0d${rawString('5')}`, BLOCK_READ, 'content-length=5'],
    [
      'new names',
      `\0${rawString('a')}${rawString('b')}\x40${rawString('c')}${rawString('')}`,
      BLOCK_READ,
      'a=b c=',
    ],
    ['in code', `\0${string('custom-name')}${coded}`, BLOCK_READ, 'custom-name=www.example.com'],
    ['a table of nothing', '\x20\x88', BLOCK_READ, ':status=200'],
    ['high bytes', `\0${rawString('a')}${rawString('\xe4')}`, BLOCK_READ, 'a=\xe4'],
    ['up to the limit', `\0${rawString('a')}${rawString('b'.repeat(99))}`, BLOCK_READ, `a=${'b'.repeat(99)}`],
    ['a field that is refused', `\0${rawString('refused')}${rawString('')}\x88`, BLOCK_REFUSED, 'refused='],
    [
      'beyond the limit',
      `\0${rawString('a')}${rawString('b'.repeat(100))}`,
      BLOCK_WRONG,
      '',
      'upstream sent too large http2 header',
    ],
    [
      'a long string',
      `\0${rawString('a'.repeat(101))}`,
      BLOCK_WRONG,
      '',
      'upstream sent too large http2 header name length: 101',
    ],
    [
      'a length of five octets',
      '\0\x7f\x80\x80\x80\x01',
      BLOCK_WRONG,
      '',
      'upstream sent too large http2 header name length',
    ],
    ['index 0', '\x80', BLOCK_WRONG, '', 'upstream sent invalid http2 table index: 0'],
    ['a literal of index 62', '\x7e', BLOCK_WRONG, '', 'upstream sent invalid http2 table index: 62'],
    ['a far literal of index 62', '\x0f\x2f', BLOCK_WRONG, '', 'upstream sent invalid http2 table index: 62'],
    [
      'a colon in a name',
      `\0${rawString('a:b')}${rawString('c')}`,
      BLOCK_WRONG,
      '',
      'upstream sent invalid header: "a:b: c"',
    ],
    [
      'the middle of a field',
      '\x88\x08\x03',
      BLOCK_WRONG,
      ':status=200',
      'upstream sent truncated http2 header',
    ],
  ];
  for (const [name, text, found, fields, reason = ''] of BLOCKS) {
    test(name, () => {
      for (let cut = 0; cut <= text.length; cut++)
        assert.deepEqual(readBlock(text, cut), [found, fields, reason], `cut at ${cut}`);
    });
  }
});
