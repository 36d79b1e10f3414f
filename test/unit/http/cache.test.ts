/** What the cache is made of: the file of a kept reply, how long a reply may be kept, which variant a request is for. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  bodyStart,
  decodeKept,
  encodeKept,
  encodeTimes,
  FIXED_BYTES,
  headText,
  parseHeadText,
  unknownReply,
} from '../../../src/http/cache/cache-file.ts';
import { validityOf } from '../../../src/http/cache/validity.ts';
import { IGNORE } from '../../../src/upstream/contract.ts';
import { ReplyHead } from '../../../src/upstream/reply-head.ts';

const headOf = (lines: readonly string[]): ReplyHead => {
  const head = new ReplyHead();
  head.status = 200;
  head.statusLine = '200 OK';
  for (const line of lines)
    head.add(line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim());
  return head;
};

describe('the file', () => {
  const reply = {
    ...unknownReply('http://host/uri?args\xff'),
    valid: 1_700_000_000,
    updating: 10,
    error: 20,
    date: 1_600_000_000,
    lastModified: 1_500_000_000,
    tag: '"tag"',
    vary: 'Accept',
    variant: Buffer.from('0123456789abcdef'),
    head: headText(headOf(['Content-Type: text/plain', 'X-Empty:', 'X-Text: a: b'])),
  };

  test('gives back what was written', () => {
    const bytes = encodeKept(reply);
    assert.equal(bodyStart(bytes.subarray(0, FIXED_BYTES)), bytes.length);
    assert.deepEqual(decodeKept(bytes), reply);
  });

  test('its times are written anew in place', () => {
    const bytes = encodeKept(reply);
    const times = encodeTimes({ ...reply, valid: 5, date: 6 });
    times.bytes.copy(bytes, times.at);
    assert.deepEqual(decodeKept(bytes), { ...reply, valid: 5, date: 6 });
  });

  test('is known by its first bytes, and not read when it is cut short', () => {
    assert.equal(bodyStart(Buffer.alloc(FIXED_BYTES)), undefined);
    assert.equal(bodyStart(Buffer.from('short')), undefined);
    assert.equal(decodeKept(encodeKept(reply).subarray(0, -1)), undefined);
  });

  test('the head comes back line for line', () => {
    const head = parseHeadText(reply.head);
    assert.ok(head);
    assert.deepEqual([head.status, head.statusLine], [200, '200 OK']);
    assert.deepEqual(
      head.names.map(({ text }, index) => `${text}=${head.values[index]}`),
      ['Content-Type=text/plain', 'X-Empty=', 'X-Text=a: b'],
    );
    assert.equal(parseHeadText('nothing'), undefined);
  });
});

describe('how long a reply may be kept', () => {
  const NOW = 1_700_000_000;
  const LATER = 'Expires: Thu, 31 Dec 2037 23:55:55 GMT';
  const cases: readonly [
    lines: readonly string[],
    valid: number | 'refused',
    more?: object,
    ignored?: number,
  ][] = [
    [[], 0],
    [['Cache-Control: max-age=10'], NOW + 10],
    [['Cache-Control: public, MAX-AGE=10;x'], NOW + 10],
    [['Cache-Control: max-age=10, s-maxage=20'], NOW + 20],
    [['Cache-Control: max-age=x'], 'refused'],
    [['Cache-Control: no-store'], 'refused'],
    [['Cache-Control: no-store'], 0, {}, IGNORE['Cache-Control']],
    [['Cache-Control: max-age=1', 'Cache-Control: no-cache'], 'refused'],
    [['Cache-Control: max-age=1, stale-while-revalidate=5'], NOW + 1, { updating: 5, error: 5 }],
    [
      ['Cache-Control: max-age=1, stale-while-revalidate=5, stale-if-error=9'],
      NOW + 1,
      { updating: 5, error: 9 },
    ],
    [['Cache-Control: stale-if-error=x'], 'refused'],
    [[LATER], 2_145_916_555],
    [['Expires: never'], 'refused'],
    [['Expires: never', 'Cache-Control: max-age=1'], NOW + 1],
    [[LATER, 'Cache-Control: max-age=1'], NOW + 1],
    [['Cache-Control: max-age=1', LATER], NOW + 1],
    [['X-Accel-Expires: 7'], NOW + 7],
    [['X-Accel-Expires: @7'], 7],
    [['X-Accel-Expires: 0'], 'refused'],
    [['X-Accel-Expires: off'], 0],
    [['Cache-Control: no-cache', 'X-Accel-Expires: 7'], NOW + 7],
    [['X-Accel-Expires: 7', 'Cache-Control: no-cache, stale-if-error=3'], NOW + 7, { error: 3 }],
    [['X-Accel-Expires: 7'], 0, {}, IGNORE['X-Accel-Expires']],
    [['Set-Cookie: a=b', 'Cache-Control: max-age=1'], 'refused'],
    [['Set-Cookie: a=b', 'Cache-Control: max-age=1'], NOW + 1, {}, IGNORE['Set-Cookie']],
    [['Vary: *'], 'refused'],
    [['Vary: *'], 0, { vary: '' }, IGNORE.Vary],
    [['Vary: A', 'Vary: B'], 0, { vary: 'A, B' }],
    [[`Vary: ${'a'.repeat(129)}`], 'refused'],
  ];
  for (const [lines, valid, more = {}, ignored = 0] of cases) {
    test(`${lines.join(' | ').slice(0, 80)}${ignored === 0 ? '' : ', ignored'}`, () => {
      const found = validityOf(headOf(lines), ignored, NOW);
      assert.equal(found.refused ? 'refused' : found.valid, valid);
      for (const [name, value] of Object.entries(more)) assert.equal(Reflect.get(found, name), value);
    });
  }
});
