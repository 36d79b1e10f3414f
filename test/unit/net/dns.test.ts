/** The packets of DNS: queries as bytes, replies from whatever bytes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeAnswers, decodeReply, Malformed } from '../../../src/net/dns-decode.ts';
import { encodeQuery, RECORD } from '../../../src/net/dns-encode.ts';
import { nameBytes, replyBytes } from '../../kit/name-server.ts';

const QUERY = { id: 7, name: 'a.test', type: 'A' };
/** Where the first record of a reply to QUERY begins. */
const FIRST = 12 + 8 + 4;

const answersOf = (bytes: Buffer): readonly (readonly [number, string])[] =>
  decodeAnswers(bytes, decodeReply(bytes, false)).map(({ type, value }) => [type, value] as const);

/** Writes a word into a copy. */
const word =
  (at: number, value: number) =>
  (bytes: Buffer): Buffer => {
    const copy = Buffer.from(bytes);
    copy.writeUInt16BE(value, at);
    return copy;
  };

describe('a DNS query', () => {
  it('is a head, the labels, type and class', () => {
    assert.equal(
      encodeQuery(0x1234, 'www.test', RECORD.AAAA)?.toString('latin1'),
      '\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x04test\0\0\x1c\0\x01',
    );
  });

  for (const [what, name] of [
    ['nothing', ''],
    ['an empty label', 'a..test'],
    ['a dot in front', '.test'],
    ['a label of 64 bytes', `${'a'.repeat(64)}.test`],
    ['a name of 254 bytes', `${'abcdefghi.'.repeat(25)}test`],
  ] as const) {
    it(`is not made for ${what}`, () => assert.equal(encodeQuery(1, name, RECORD.A), undefined));
  }

  it('is made for the longest label and name', () => {
    assert.ok(encodeQuery(1, `${'a'.repeat(63)}.test`, RECORD.A));
    assert.equal(encodeQuery(1, `${'abcdefghi.'.repeat(24)}abcdefghi.abc`, RECORD.A)?.length, 12 + 255 + 4);
  });
});

describe('a DNS reply', () => {
  it('gives what was asked, in lower case', () => {
    const reply = decodeReply(replyBytes({ id: 513, name: 'WWW.Test', type: 'SRV' }, { code: 3 }), false);
    assert.deepEqual(
      [reply.id, reply.code, reply.name, reply.type, reply.count],
      [513, 3, 'www.test', RECORD.SRV, 0],
    );
  });

  for (const [type, record, text] of [
    ['A', 'A 192.0.2.1', '192.0.2.1'],
    ['AAAA', 'AAAA 2001:db8::1', '2001:db8::1'],
    ['AAAA', 'AAAA 1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['AAAA', 'AAAA 0:0:0:0:0:0:0:0', '::'],
    ['AAAA', 'AAAA 1:2:3:4:5:6:7:0', '1:2:3:4:5:6:7:0'],
    ['AAAA', 'AAAA 0:0:0:0:0:ffff:c000:0201', '::ffff:192.0.2.1'],
    ['AAAA', 'AAAA ::1', '::1'],
    ['A', 'CNAME Other.Test', 'other.test'],
    ['A', 'TXT hello', ''],
    ['SRV', 'SRV 1 2 3 Host.Test', 'host.test'],
  ] as const) {
    it(`has the record ${record}`, () => {
      const bytes = replyBytes({ id: 1, name: 'a.test', type }, { records: [record] });
      assert.equal(answersOf(bytes)[0]?.[1], text);
    });
  }

  it('has the numbers of SRV, and the ttl', () => {
    const bytes = replyBytes(
      { id: 1, name: 'a.test', type: 'SRV' },
      { records: ['77 SRV 10 20 8080 h.test'] },
    );
    const [answer] = decodeAnswers(bytes, decodeReply(bytes, false));
    assert.deepEqual(answer, {
      type: RECORD.SRV,
      ttl: 77,
      value: 'h.test',
      priority: 10,
      weight: 20,
      port: 8080,
    });
  });

  it('takes a ttl with the highest bit for 0', () => {
    const bytes = word(FIRST + 6, 0xffff)(replyBytes(QUERY, { records: ['A 192.0.2.1'] }));
    assert.equal(decodeAnswers(bytes, decodeReply(bytes, false))[0]?.ttl, 0);
  });

  const ONE = replyBytes(QUERY, { records: ['A 192.0.2.1'] });
  const NAMED = replyBytes(QUERY, { records: ['CNAME b.test'] });
  const malformed: readonly (readonly [string, Buffer, string])[] = [
    ['less than a head', ONE.subarray(0, 11), 'short DNS response'],
    ['a query', word(2, 0x0100)(ONE), 'invalid UDP DNS response 7 fl:0100'],
    ['no question', word(4, 0)(ONE), 'invalid number of questions in DNS response'],
    ['a pointer in the question', word(12, 0xc00c)(ONE), 'unexpected compression pointer in DNS response'],
    [
      'an empty question',
      Buffer.concat([ONE.subarray(0, 12), Buffer.alloc(40)]),
      'zero-length domain name in DNS response',
    ],
    ['another class', word(FIRST - 2, 3)(ONE), 'unknown query class 3 in DNS response'],
    ['a record of another class', word(FIRST + 4, 3)(ONE), 'unexpected RR class 3 in DNS response'],
    ['an address of 5 bytes', word(FIRST + 10, 5)(ONE), 'invalid A record in DNS response'],
    [
      'AAAA where A was asked',
      replyBytes(QUERY, { records: ['AAAA ::1'] }),
      'unexpected AAAA record in DNS response',
    ],
    ['more records than it says', word(6, 3)(ONE), 'short DNS response'],
    [
      'a pointer to itself',
      word(FIRST + 12, 0xc000 + FIRST + 12)(NAMED),
      'compression pointers loop in DNS response',
    ],
    ['a pointer out of it', word(FIRST + 12, 0xffff)(NAMED), 'name is out of DNS response'],
    ['a label of another kind', word(FIRST + 12, 0x4001)(NAMED), 'invalid label type in DNS response'],
    [
      'a line break in a name',
      replyBytes(QUERY, { records: ['CNAME b\n[alert].test'] }),
      'invalid name in DNS response',
    ],
  ];
  for (const [what, bytes, message] of malformed) {
    it(`is refused with ${what}`, () => {
      assert.throws(() => answersOf(bytes), new Malformed(message));
    });
  }

  it('may be truncated over UDP only', () => {
    const bytes = replyBytes(QUERY, { truncated: true });
    assert.equal(decodeReply(bytes, false).truncated, true);
    assert.throws(() => decodeReply(bytes, true), new Malformed('invalid TCP DNS response 7 fl:8380'));
  });

  it('never breaks what reads it, wherever it is cut or changed', () => {
    const whole = Buffer.concat([
      replyBytes(QUERY, { records: ['CNAME b.test', 'A 192.0.2.1', 'TXT x'] }),
      nameBytes('more.test'),
    ]);
    let refused = 0;
    const read = (bytes: Buffer): void => {
      try {
        answersOf(bytes);
      } catch (error) {
        assert.ok(error instanceof Malformed, String(error));
        refused++;
      }
    };
    for (let end = 0; end < whole.length; end++) read(whole.subarray(0, end));
    for (let at = 0; at < whole.length; at++) {
      for (const value of [0, 1, 0x3f, 0x40, 0x80, 0xc0, 0xff]) {
        const copy = Buffer.from(whole);
        copy[at] = value;
        read(copy);
      }
    }
    assert.ok(refused > 100);
  });
});
