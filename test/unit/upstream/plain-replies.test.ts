/** Replies of SCGI, uwsgi and memcached servers: the same whatever pieces they come in. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LEVELS } from '../../../src/log/levels.ts';
import type { Reply } from '../../../src/upstream/contract.ts';
import { CgiReply } from '../../../src/upstream/protocols/cgi/reply.ts';
import { MemcachedReply } from '../../../src/upstream/protocols/memcached/reply.ts';
import { LINE_INVALID, ReplyHead } from '../../../src/upstream/reply-head.ts';

/** Notes what a reply says. */
class Target {
  head = new ReplyHead();
  keep = false;
  readonly conf = { bufferSize: 64 };
  readonly seen: string[] = [];
  #body = '';

  addLine(name: string, value: string): boolean {
    return this.head.add(name, value) !== LINE_INVALID;
  }
  onReplyHead(): boolean {
    const { status, statusLine, contentLength, names, values } = this.head;
    const lines = names.map(({ text }, i) => `${text}=${values[i]}`).join('|');
    this.seen.push(`${status} [${statusLine}] ${contentLength} ${lines}${this.keep ? ' keep' : ''}`);
    return true;
  }
  onReplyBody(bytes: Uint8Array): boolean {
    this.#body += Buffer.from(bytes).toString('latin1');
    return true;
  }
  onReplyEnd(keep: boolean): void {
    this.seen.push(`body ${this.#body}`, keep ? 'end, keep' : 'end');
  }
  onReplyInvalid(message: string): boolean {
    this.seen.push(`invalid: ${message}`);
    return false;
  }
  log(level: number, message: string): void {
    this.seen.push(`${LEVELS[level]}: ${message}`);
  }
}

type Make = (target: Target) => Reply;

/** What is said of bytes that come in the given pieces. */
const read = (make: Make, pieces: readonly Buffer[], ends: boolean): readonly string[] => {
  const target = new Target();
  const reply = make(target);
  for (const piece of pieces) reply.feed(piece, 0, piece.length);
  if (ends) reply.end();
  return target.seen;
};

const cgi =
  (method = 'GET'): Make =>
  (target) =>
    new CgiReply({ method, headers: { get: () => undefined } }, target);
const memcached =
  (flag = 0): Make =>
  (target) =>
    new MemcachedReply(target, 'key', flag);

const CASES: readonly (readonly [name: string, make: Make, bytes: string, seen: readonly string[]])[] = [
  ['a head without a status', cgi(), 'A: 1\r\n\r\nbody', ['200 [200 OK] -1 A=1', 'body body', 'end']],
  ['a Status line', cgi(), 'Status: 404 No\n\nbody', ['404 [404 No] -1 Status=404 No', 'body body', 'end']],
  [
    'a status line of HTTP',
    cgi(),
    'HTTP/1.0 201 Made so\r\nA: 1\r\n\r\nb',
    ['201 [201 Made so] -1 A=1', 'body b', 'end'],
  ],
  ['one without a reason', cgi(), 'HTTP/1.1 200\nA: 1\n\nb', ['200 [200] -1 A=1', 'body b', 'end']],
  ['a name that begins like one', cgi(), 'HTTPS: on\r\n\r\n', ['200 [200 OK] -1 HTTPS=on', 'body ', 'end']],
  ['a length', cgi(), 'Content-Length: 2\r\n\r\nok', ['200 [200 OK] 2 Content-Length=2', 'body ok', 'end']],
  ['204', cgi(), 'Status: 204\r\n\r\n', ['204 [] -1 Status=204', 'body ', 'end']],
  ['HEAD', cgi('HEAD'), 'Content-Length: 2\r\n\r\n', ['200 [200 OK] 2 Content-Length=2', 'body ', 'end']],
  ['a value', memcached(), 'VALUE key 0 2\r\nok\r\nEND\r\n', ['200 [] 2 ', 'body ok', 'end, keep']],
  [
    'a packed value',
    memcached(2),
    'VALUE key 6 2\r\nok\r\nEND\r\n',
    ['200 [] 2 Content-Encoding=gzip', 'body ok', 'end, keep'],
  ],
  ['an empty value', memcached(), 'VALUE key 0 0\r\n\r\nEND\r\n', ['200 [] 0 ', 'body ', 'end, keep']],
  ['no value', memcached(), 'END\r\n', ['info: key: "key" was not found by memcached', '404 [] 0  keep']],
  [
    'another key',
    memcached(),
    'VALUE kex 0 2\r\n',
    ['invalid: memcached sent invalid key in response "VALUE kex 0 2" for key "key"'],
  ],
  [
    'a longer key',
    memcached(),
    'VALUE keys 0 2\r\n',
    ['invalid: memcached sent invalid response: "VALUE keys 0 2"'],
  ],
];

describe('plain replies', () => {
  for (const [name, make, bytes, seen] of CASES) {
    it(`are read in any pieces: ${name}`, () => {
      const whole = Buffer.from(bytes, 'latin1');
      assert.deepEqual(read(make, [whole], true), seen);
      for (let cut = 1; cut < whole.length; cut++) {
        assert.deepEqual(
          read(make, [whole.subarray(0, cut), whole.subarray(cut)], true),
          seen,
          `cut at ${cut}`,
        );
      }
      const single = [...whole].map((_, i) => whole.subarray(i, i + 1));
      assert.deepEqual(read(make, single, true), seen, 'byte by byte');
    });
  }

  const BIG: readonly (readonly [name: string, make: Make, bytes: string])[] = [
    ['a status line', cgi(), `HTTP/1.1 200 ${'x'.repeat(100)}`],
    ['a head', cgi(), `A: ${'x'.repeat(100)}`],
    ['a line of memcached', memcached(), 'V'.repeat(100)],
  ];
  for (const [name, make, bytes] of BIG) {
    it(`are refused where a buffer is too small: ${name}`, () => {
      const whole = Buffer.from(bytes, 'latin1');
      const seen = ['invalid: upstream sent too big header'];
      assert.deepEqual(read(make, [whole], false), seen);
      assert.deepEqual(read(make, [whole.subarray(0, 40), whole.subarray(40)], false), seen);
    });
  }

  it('of a server that leaves too early do not end', () => {
    for (const bytes of ['HTTP/1.1 2', 'A: 1\r\n', 'Content-Length: 3\r\n\r\nok']) {
      assert.ok(!read(cgi(), [Buffer.from(bytes)], true).includes('end'));
    }
    assert.deepEqual(read(memcached(), [Buffer.from('VALUE key 0 2\r\nok\r\nE')], true), ['200 [] 2 ']);
  });

  it('with more than there should be are cut', () => {
    const more = 'warn: upstream sent more data than specified in "Content-Length" header';
    const longer = Buffer.from('Content-Length: 2\r\n\r\nokmore');
    assert.deepEqual(read(cgi(), [longer], true), [
      '200 [200 OK] 2 Content-Length=2',
      more,
      'body ok',
      'end',
    ]);
    const trailer = 'error: memcached sent invalid trailer';
    for (const behind of ['\r\nENX\r\n', '\r\nEND\r\nx', 'x\r\nEND\r\n']) {
      const bytes = Buffer.from(`VALUE key 0 2\r\nok${behind}`);
      assert.deepEqual(read(memcached(), [bytes], true), ['200 [] 2 ', trailer, 'body ok', 'end']);
    }
  });
});
