/** HPACK: the examples of RFC 7541 appendix C, and what is refused. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  COMPRESSION_ERROR,
  ENHANCE_YOUR_CALM,
  FRAME_SIZE_ERROR,
  PROTOCOL_ERROR,
} from '../../../src/http/http2/frames.ts';
import { HpackDecoder } from '../../../src/http/http2/hpack-decoder.ts';
import {
  dateField,
  field,
  integer,
  lengthField,
  locationField,
  modifiedField,
  serverField,
  statusField,
  typeField,
  varyField,
} from '../../../src/http/http2/hpack-encoder.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

const decoderOf = (
  fieldLimit = 8192,
  headLimit = 32768,
): { readonly decoder: HpackDecoder; decode(bytes: Buffer): string[] } => {
  const decoder = new HpackDecoder(fieldLimit, headLimit);
  const decode = (bytes: Buffer): string[] => {
    const lines: string[] = [];
    decoder.begin();
    const sink = {
      field: (one: { name: { text: string }; value: string }) => lines.push(`${one.name.text}: ${one.value}`),
    };
    const end = decoder.decode(bytes, 0, bytes.length, true, sink);
    return end === bytes.length ? lines : [...lines, `! ${decoder.code} ${decoder.reason}`];
  };
  return { decoder, decode };
};

const FIRST = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'];
const SECOND = [...FIRST, 'cache-control: no-cache'];
const THIRD = [
  ':method: GET',
  ':scheme: https',
  ':path: /index.html',
  ':authority: www.example.com',
  'custom-key: custom-value',
];
const COOKIE = 'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';
const at = (second: number): string => `date: Mon, 21 Oct 2013 20:13:${second} GMT`;
const REPLIES = [
  [':status: 302', 'cache-control: private', at(21), 'location: https://www.example.com'],
  [':status: 307', 'cache-control: private', at(21), 'location: https://www.example.com'],
  [
    ':status: 200',
    'cache-control: private',
    at(22),
    'location: https://www.example.com',
    'content-encoding: gzip',
    COOKIE,
  ],
];

/** `3fe101` makes the table 256 bytes, as the examples of replies have it, where entries are pushed out. */
const EXAMPLES: Readonly<Record<string, readonly (readonly [block: string, fields: readonly string[]])[]>> = {
  'C.2.1': [['400a637573746f6d2d6b65790d637573746f6d2d686561646572', ['custom-key: custom-header']]],
  'C.2.2': [['040c2f73616d706c652f70617468', [':path: /sample/path']]],
  'C.2.3': [['100870617373776f726406736563726574', ['password: secret']]],
  'C.2.4': [['82', [':method: GET']]],
  'C.3': [
    ['828684410f7777772e6578616d706c652e636f6d', FIRST],
    ['828684be58086e6f2d6361636865', SECOND],
    ['828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565', THIRD],
  ],
  'C.4': [
    ['828684418cf1e3c2e5f23a6ba0ab90f4ff', FIRST],
    ['828684be5886a8eb10649cbf', SECOND],
    ['828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf', THIRD],
  ],
  'C.5': [
    [
      '3fe101 4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d',
      REPLIES[0] ?? [],
    ],
    ['4803333037c1c0bf', REPLIES[1] ?? []],
    [
      '88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31',
      REPLIES[2] ?? [],
    ],
  ],
  'C.6': [
    [
      '3fe101 488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3',
      REPLIES[0] ?? [],
    ],
    ['4883640effc1c0bf', REPLIES[1] ?? []],
    [
      '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
      REPLIES[2] ?? [],
    ],
  ],
};

describe('examples of RFC 7541', () => {
  for (const [name, blocks] of Object.entries(EXAMPLES)) {
    test(name, () => {
      const { decode } = decoderOf();
      for (const [block, fields] of blocks) assert.deepEqual(decode(hex(block)), fields);
    });
    test(`${name}, cut anywhere`, () => {
      for (const [block] of blocks.slice(0, 1)) {
        const bytes = hex(block);
        for (let cut = 0; cut <= bytes.length; cut++) {
          const decoder = new HpackDecoder(8192, 32768);
          const lines: string[] = [];
          const sink = {
            field: (one: { name: { text: string }; value: string }) =>
              lines.push(`${one.name.text}: ${one.value}`),
          };
          decoder.begin();
          const stop = decoder.decode(bytes, 0, cut, false, sink);
          assert.ok(stop >= 0 && stop <= cut);
          assert.equal(decoder.decode(bytes, stop, bytes.length, true, sink), bytes.length);
          assert.deepEqual(lines, blocks[0]?.[1]);
        }
      }
    });
  }
});

const REFUSED: readonly (readonly [what: string, block: string, code: number, reason: string])[] = [
  ['index 0', '80', COMPRESSION_ERROR, 'client sent invalid hpack table index 0'],
  ['an index beyond both tables', 'be', COMPRESSION_ERROR, 'client sent out of bound hpack table index: 0'],
  [
    'a name beyond both tables',
    '7f00 0161',
    COMPRESSION_ERROR,
    'client sent out of bound hpack table index: 1',
  ],
  [
    'an index of five octets',
    'ffffffffff',
    COMPRESSION_ERROR,
    'client sent header block with too long header index value',
  ],
  [
    'a size of five octets',
    '3fffffffff',
    COMPRESSION_ERROR,
    'client sent header block with too long size update value',
  ],
  ['a table larger than ours', '3fe21f', COMPRESSION_ERROR, 'client sent invalid table size update: 4097'],
  [
    'a length of five octets',
    '047fffffffff',
    COMPRESSION_ERROR,
    'client sent header field with too long length value',
  ],
  ['a field that is too long', '047f824000', ENHANCE_YOUR_CALM, 'client sent too large header field'],
  [
    'a length of four octets that goes on where the block ends',
    '047fffffff',
    FRAME_SIZE_ERROR,
    'client sent header block with incorrect length',
  ],
  [
    'an index of four octets that goes on where the block ends',
    'ffffffff',
    FRAME_SIZE_ERROR,
    'client sent header block with incorrect length',
  ],
  ['a block of no bytes', '', FRAME_SIZE_ERROR, 'client sent header block with incorrect length'],
  [
    'a block that ends before a value',
    '04',
    FRAME_SIZE_ERROR,
    'client sent header block with incorrect length',
  ],
  [
    'a block that ends in a length',
    '047f',
    FRAME_SIZE_ERROR,
    'client sent header block with incorrect length',
  ],
  [
    'a block that ends in a value',
    '04032f61',
    FRAME_SIZE_ERROR,
    'client sent header field with incorrect length',
  ],
  ['no name', '00000161', PROTOCOL_ERROR, 'client sent zero header name length'],
  [
    'the code for the end of strings',
    '0484ffffffff',
    COMPRESSION_ERROR,
    'client sent invalid encoded header field',
  ],
  ['padding that is not all ones', '048160', COMPRESSION_ERROR, 'client sent invalid encoded header field'],
];

describe('refused', () => {
  for (const [what, block, code, reason] of REFUSED) {
    test(what, () => assert.deepEqual(decoderOf().decode(hex(block)), [`! ${code} ${reason}`]));
  }

  test('a head of more bytes than all buffers', () => {
    const { decode } = decoderOf(100, 30);
    const one = Buffer.from('\x00\x04name\x06value1', 'latin1');
    assert.deepEqual(decode(Buffer.concat([one, one, one])), [
      'name: value1',
      'name: value1',
      'name: value1',
    ]);
    const more = decode(Buffer.concat([one, one, one, one]));
    assert.equal(more[3], `! ${ENHANCE_YOUR_CALM} client sent too large header`);
  });
});

describe('the dynamic table', () => {
  const literal = (name: string, value: string): Buffer =>
    Buffer.from(
      `\x40${String.fromCharCode(name.length)}${name}${String.fromCharCode(value.length)}${value}`,
      'latin1',
    );

  test('takes 4096 bytes and no more, however many fields come', () => {
    const { decode } = decoderOf();
    for (let i = 0; i < 5000; i++) decode(literal('name', `${i}`.padStart(60, '0')));
    // Each counts 96 bytes: 42 fit.
    assert.deepEqual(decode(Buffer.from([0x80 | 62])), [`name: ${'4999'.padStart(60, '0')}`]);
    assert.deepEqual(decode(Buffer.from([0x80 | (61 + 42)])), [`name: ${'4958'.padStart(60, '0')}`]);
    assert.deepEqual(decode(Buffer.from([0x80 | (61 + 43)])), [
      `! ${COMPRESSION_ERROR} client sent out of bound hpack table index: 42`,
    ]);
  });

  test('is empty after a field that is larger than it', () => {
    const { decode } = decoderOf();
    decode(literal('name', 'value'));
    decode(Buffer.concat([Buffer.from('3fe101', 'hex'), literal('large', 'x'.repeat(120))]));
    decode(Buffer.concat([Buffer.from('\x40\x05large\x7f\xa9\x01', 'latin1'), Buffer.alloc(296, 'x')]));
    assert.deepEqual(decode(hex('be')), [
      `! ${COMPRESSION_ERROR} client sent out of bound hpack table index: 0`,
    ]);
  });

  test('is emptied by a size of 0', () => {
    const { decode } = decoderOf();
    decode(literal('name', 'value'));
    assert.deepEqual(decode(hex('20be')), [
      `! ${COMPRESSION_ERROR} client sent out of bound hpack table index: 0`,
    ]);
  });
});

describe('encoder', () => {
  const round = (block: string): string[] => decoderOf().decode(Buffer.from(block, 'latin1'));

  test('integers', () => {
    const bytes = (text: string): string => Buffer.from(text, 'latin1').toString('hex');
    assert.equal(bytes(integer(10, 0x1f, 0)), '0a');
    assert.equal(bytes(integer(1337, 0x1f, 0)), '1f9a0a');
    assert.equal(bytes(integer(42, 0xff, 0)), '2a');
    assert.equal(bytes(integer(31, 0x1f, 0)), '1f00');
  });

  test('statuses', () => {
    for (const status of [100, 103, 200, 204, 206, 304, 400, 404, 418, 500, 503])
      assert.deepEqual(round(statusField(status)), [`:status: ${status}`]);
  });

  test('fields come back in lower case, with any value', () => {
    const all = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('');
    for (const value of ['', 'a', 'gzip', 'x'.repeat(500), all])
      for (const name of ['Content-Type', 'X-Own', 'ETag'])
        assert.deepEqual(round(field(name, value)), [`${name.toLowerCase()}: ${value}`]);
  });

  test('only letters of ASCII have a lower case', () => {
    const name = Buffer.from('X-ÄÖ').latin1Slice();
    assert.deepEqual(round(field(name, 'v')), [`x${name.slice(1)}: v`]);
  });

  test('what most replies have is named by its index, and offered for the table; all else is spelled out', () => {
    const begins = (block: string, hex: string): void =>
      assert.equal(Buffer.from(block, 'latin1').toString('hex').slice(0, hex.length), hex);
    begins(statusField(418), '4803343138');
    begins(serverField('s'), '76');
    begins(dateField('d'), '61');
    begins(typeField('text/plain'), '5f');
    begins(modifiedField('m'), '6c');
    begins(locationField('/'), '6e');
    begins(varyField('Accept-Encoding'), '7b8b84842d695b05443c86aa6f');
    begins(lengthField(12), '5c023132');
    begins(field('ETag', 'e'), '0083');
    begins(field('Server', 's'), '0085');
  });

  test('a value that changes each time, and one that comes again', () => {
    for (let i = 0; i < 30; i++) assert.deepEqual(round(field('X-Changing', `v${i}`)), [`x-changing: v${i}`]);
    for (let i = 0; i < 3; i++) assert.deepEqual(round(field('X-Same', 'same')), ['x-same: same']);
  });

  test('lengths', () =>
    assert.deepEqual(round(lengthField(1234567890123)), ['content-length: 1234567890123']));
});
