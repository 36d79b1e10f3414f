import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LEVELS } from '../../../src/log/levels.ts';
import { FastcgiReply, type ReplyTarget } from '../../../src/upstream/protocols/fastcgi/reply.ts';
import { LINE_INVALID, ReplyHead } from '../../../src/upstream/reply-head.ts';
import { answer, endRequest, record, STDERR, STDOUT } from '../../kit/fcgi-records.ts';
import { cuts } from './split.ts';

const spare = (): void => {};

class Target implements ReplyTarget {
  readonly head = new ReplyHead();
  readonly seen: string[] = [];
  readonly conf = { bufferSize: 4096 };
  readonly request = { method: 'GET' };
  /** Wants no body: another peer will be asked. */
  refuseHead = false;
  joinMessages = false;
  #body = '';

  #flush(): void {
    if (this.#body !== '') this.seen.push(`body ${this.#body}`);
    this.#body = '';
  }
  addLine(name: string, value: string): boolean {
    if (this.head.add(name, value) !== LINE_INVALID) return true;
    this.seen.push(`invalid: ${this.head.reason}`);
    return false;
  }
  onReplyHead(): boolean {
    const { status, statusLine, names, values } = this.head;
    this.seen.push(
      `${status} [${statusLine}] ${names.map(({ text }, i) => `${text}=${values[i]}`).join('|')}`,
    );
    return !this.refuseHead;
  }
  onReplyBody(bytes: Uint8Array): boolean {
    this.#body += Buffer.from(bytes).toString('latin1');
    return true;
  }
  onReplyEnd(keep: boolean): void {
    this.#flush();
    this.seen.push(keep ? 'end, keep' : 'end');
  }
  onReplyCut(message: string): void {
    this.onReplyInvalid(message);
  }

  onReplyInvalid(message: string): boolean {
    this.#flush();
    this.seen.push(`invalid: ${message}`);
    return false;
  }
  log(level: number, message: string): void {
    const line = `${LEVELS[level]}: ${message}`;
    const last = this.seen.at(-1);
    // A message comes in the pieces it is cut into: put together again, for comparison.
    if (this.joinMessages && last?.startsWith(MESSAGE) && line.startsWith(MESSAGE)) {
      this.seen[this.seen.length - 1] = last.slice(0, -1) + line.slice(MESSAGE.length);
    } else this.seen.push(line);
  }
}
const MESSAGE = 'error: FastCGI sent in stderr: "';

interface Case {
  readonly name: string;
  readonly bytes: Buffer;
  readonly seen: readonly string[];
  readonly keep?: boolean;
  readonly method?: string;
  readonly refuseHead?: boolean;
  readonly catchStderr?: readonly string[];
  /** The peer closes when all has come. */
  readonly closed?: boolean;
}

const HEAD = 'Content-Type: text/plain\r\n\r\n';
const OK = '200 [200 OK] Content-Type=text/plain';
const out = (...parts: string[]): Buffer => Buffer.concat(parts.map((part) => record(STDOUT, part)));
const ended = (...parts: Buffer[]): Buffer => Buffer.concat([...parts, record(STDOUT), endRequest()]);
const length = (n: number): string => `Content-Length: ${n}\r\n\r\n`;

const cases: Case[] = [
  { name: 'a reply', bytes: answer(`${HEAD}hello`), seen: [OK, 'body hello', 'end'] },
  {
    name: 'a reply that is kept',
    keep: true,
    bytes: answer(`${HEAD}hello`),
    seen: [OK, 'body hello', 'end, keep'],
  },
  { name: 'a reply without a body', keep: true, bytes: answer(HEAD), seen: [OK, 'end, keep'] },
  { name: 'a reply with no line at all', bytes: answer('\n'), seen: ['200 [200 OK] ', 'end'] },
  { name: 'no line at all, with CR', bytes: answer('\r\nx'), seen: ['200 [200 OK] ', 'body x', 'end'] },
  {
    name: 'lines that end in LF',
    bytes: answer('A: b\nC:d\n\nx'),
    seen: ['200 [200 OK] A=b|C=d', 'body x', 'end'],
  },
  {
    name: 'lines with several CRs',
    bytes: answer('A: b\r\r\n\nx'),
    seen: ['200 [200 OK] A=b', 'body x', 'end'],
  },
  {
    name: 'spaces around a value',
    bytes: answer('A:   b c  \r\nB: \n\n'),
    seen: ['200 [200 OK] A=b c|B=', 'end'],
  },
  {
    name: 'a name without a value',
    bytes: answer('Nothing\r\n\r\n'),
    seen: ['200 [200 OK] Nothing=', 'end'],
  },
  {
    name: 'a repeated status line',
    bytes: answer('HTTP/1.1 404 x\r\nA: b\n\n'),
    seen: ['200 [200 OK] A=b', 'end'],
  },
  {
    name: 'Status',
    bytes: answer('Status: 404 Not Here\n\n'),
    seen: ['404 [404 Not Here] Status=404 Not Here', 'end'],
  },
  { name: 'Status without a reason', bytes: answer('status: 404\n\n'), seen: ['404 [] status=404', 'end'] },
  {
    name: 'Location',
    bytes: answer('Location: /x\n\n'),
    seen: ['302 [302 Moved Temporarily] Location=/x', 'end'],
  },
  {
    name: 'Status with Location',
    bytes: answer('Location: /x\nStatus: 201 Made\n\n'),
    seen: ['201 [201 Made] Location=/x|Status=201 Made', 'end'],
  },
  {
    name: 'a Status that is none',
    bytes: answer('Status: fine\n\n'),
    seen: ['invalid: upstream sent invalid status "fine"'],
  },
  {
    name: 'an empty Status',
    bytes: answer('Status:\n\n'),
    seen: ['invalid: upstream sent invalid status ""'],
  },
  {
    name: 'a head over several records',
    keep: true,
    bytes: ended(out('Content-', 'Type: text/', 'plain\r', '\n', '\r', '\n', 'a', 'b')),
    seen: [OK, 'body ab', 'end, keep'],
  },
  {
    name: 'messages before, within and behind the head',
    bytes: Buffer.concat([
      record(STDERR, 'one. \n'),
      out('Content-Type: te'),
      record(STDERR, 'two'),
      ended(out('xt/plain\r\n\r\na'), record(STDERR, 'three'), out('b')),
    ]),
    seen: [
      'error: FastCGI sent in stderr: "one"',
      'error: FastCGI sent in stderr: "two"',
      OK,
      'error: FastCGI sent in stderr: "three"',
      'body ab',
      'end',
    ],
  },
  {
    name: 'a message that is caught',
    catchStderr: ['nothing', 'PHP Fatal'],
    bytes: Buffer.concat([record(STDERR, 'PHP Fatal error'), answer(HEAD)]),
    seen: ['error: FastCGI sent in stderr: "PHP Fatal error"', 'invalid: '],
  },
  {
    name: 'a name with a space',
    bytes: answer('Bad name: x\r\n\r\n'),
    seen: ['invalid: upstream sent invalid header: "Bad\\x20..."'],
  },
  {
    name: 'a line that begins with a colon',
    bytes: answer('A: b\r\n: x\r\n\r\n'),
    seen: ['invalid: upstream sent invalid header: "\\x3a..."'],
  },
  {
    name: 'a CR within a value',
    bytes: answer('A: b\rc\r\n\r\n'),
    seen: ['invalid: upstream sent invalid header: "A: b\\x0d..."'],
  },
  {
    name: 'a NUL',
    bytes: answer('A: b\0c\r\n\r\n'),
    seen: ['invalid: upstream sent invalid header: "A: b\\x00..."'],
  },
  {
    name: 'an incomplete line that can only be wrong',
    bytes: out('<html> '),
    seen: ['invalid: upstream sent invalid header: "<html>\\x20..."'],
  },
  {
    name: 'two lengths',
    bytes: answer('Content-Length: 1\nContent-Length: 2\n\n'),
    seen: [
      'invalid: upstream sent duplicate header line: "Content-Length: 2", previous value: "Content-Length: 1"',
    ],
  },
  {
    name: 'the length that was said',
    keep: true,
    bytes: answer(`${length(5)}hello`),
    seen: ['200 [200 OK] Content-Length=5', 'body hello', 'end, keep'],
  },
  {
    name: 'more than was said',
    keep: true,
    bytes: answer(`${length(3)}hello`),
    seen: [
      '200 [200 OK] Content-Length=3',
      'warn: upstream sent more data than specified in "Content-Length" header',
      'body hel',
      'end',
    ],
  },
  {
    name: 'a record more than was said',
    bytes: ended(out(`${length(3)}hel`, 'lo')),
    seen: [
      '200 [200 OK] Content-Length=3',
      'warn: upstream sent more data than specified in "Content-Length" header',
      'body hel',
      'end',
    ],
  },
  {
    name: 'less than was said',
    bytes: answer(`${length(9)}hello`),
    seen: [
      '200 [200 OK] Content-Length=9',
      'body hello',
      'invalid: upstream prematurely closed FastCGI stdout',
    ],
  },
  {
    name: 'less than was said, without an end of STDOUT',
    keep: true,
    bytes: Buffer.concat([out(`${length(9)}hello`), endRequest()]),
    seen: [
      '200 [200 OK] Content-Length=9',
      'body hello',
      'invalid: upstream prematurely closed FastCGI request',
    ],
  },
  {
    name: 'the length of a body that HEAD does not get',
    method: 'HEAD',
    keep: true,
    bytes: answer(length(9)),
    seen: ['200 [200 OK] Content-Length=9', 'end, keep'],
  },
  {
    name: 'a body where there is none',
    bytes: answer('Status: 304 Not Modified\n\nx'),
    seen: [
      '304 [304 Not Modified] Status=304 Not Modified',
      'warn: upstream sent more data than specified in "Content-Length" header',
      'end',
    ],
  },
  {
    name: 'an end before the head',
    bytes: endRequest(),
    seen: ['invalid: upstream sent unexpected FastCGI record: 3'],
  },
  {
    name: 'an end of STDOUT before the head',
    bytes: Buffer.concat([out('A: b\n'), record(STDOUT)]),
    seen: ['invalid: upstream prematurely closed FastCGI stdout'],
  },
  {
    name: 'a protocol status other than complete',
    keep: true,
    bytes: Buffer.concat([out(`${HEAD}x`), record(STDOUT), endRequest(0, 2)]),
    seen: [OK, 'body x', 'end'],
  },
  {
    name: 'a close in place of the end',
    closed: true,
    bytes: out(`${HEAD}x`),
    seen: [OK, 'body x', 'end'],
  },
  { name: 'a close within a head: the engine reports it', closed: true, bytes: out('A: b\n'), seen: [] },
  {
    name: 'a reply of no more interest',
    refuseHead: true,
    closed: true,
    bytes: answer(`${HEAD}x`),
    seen: [OK],
  },
];

describe('a FastCGI reply', () => {
  for (const {
    name,
    bytes,
    seen,
    keep = false,
    method = 'GET',
    refuseHead = false,
    catchStderr = [],
    closed,
  } of cases) {
    it(`knows ${name}, wherever it is cut`, () => {
      for (const cut of bytes.includes(STDERR_HEAD) ? [...cuts(bytes)].slice(0, 1) : cuts(bytes)) {
        const target = new Target();
        target.request.method = method;
        target.refuseHead = refuseHead;
        const reply = new FastcgiReply(target, { keep, catchStderr, spare });
        for (const piece of cut.pieces) reply.feed(piece, 0, piece.length);
        if (closed) reply.end();
        assert.deepEqual(sorted(target.seen), sorted(seen), cut.name);
      }
    });
  }

  it('is kept only when nothing is left over behind it', () => {
    const target = new Target();
    const bytes = Buffer.concat([answer(HEAD), Buffer.from('x')]);
    new FastcgiReply(target, { keep: true, catchStderr: [], spare }).feed(bytes, 0, bytes.length);
    assert.deepEqual(target.seen, [OK, 'end']);
  });

  it('is not complete without END_REQUEST when the connection is to be kept', () => {
    const target = new Target();
    const bytes = Buffer.concat([out(`${HEAD}x`), record(STDOUT)]);
    const reply = new FastcgiReply(target, { keep: true, catchStderr: [], spare });
    reply.feed(bytes, 0, bytes.length);
    reply.end();
    assert.deepEqual(target.seen, [OK]);
  });

  it('gives the whole body of one read in one piece that is not a copy', () => {
    const pieces: Uint8Array[] = [];
    const target = new Target();
    target.onReplyBody = (bytes) => pieces.push(bytes) > 0;
    const bytes = answer(HEAD + 'x'.repeat(20_000));
    new FastcgiReply(target, { keep: true, catchStderr: [], spare }).feed(bytes, 0, bytes.length);
    assert.equal(pieces.length, 1);
    assert.equal(pieces[0]?.length, 20_000);
    assert.equal(pieces[0]?.buffer, bytes.buffer);
  });

  it('reads one reply after another with the same object', () => {
    const first = new Target();
    const reply = new FastcgiReply(first, { keep: true, catchStderr: [], spare });
    const cut = out(`${HEAD}half`);
    reply.feed(cut, 0, cut.length);
    for (let round = 0; round < 2; round++) {
      const target = new Target();
      reply.restart(target);
      const bytes = answer(`Status: 404\n\nhello`);
      reply.feed(bytes, 0, bytes.length);
      assert.deepEqual(target.seen, ['404 [] Status=404', 'body hello', 'end, keep']);
    }
    for (const head of [HEAD, HEAD, 'Location: /x\n\n', HEAD, `${HEAD.slice(0, -2)}X: y\r\n\r\n`, HEAD]) {
      const [target, fresh] = [new Target(), new Target()];
      const bytes = answer(`${head}hello`);
      new FastcgiReply(fresh, { keep: true, catchStderr: [], spare }).feed(bytes, 0, bytes.length);
      reply.restart(target);
      reply.feed(bytes, 0, bytes.length);
      assert.deepEqual(target.seen, fresh.seen);
    }
  });

  it('serves again only when nothing of it is running', () => {
    const spares: FastcgiReply[] = [];
    const target = new Target();
    const reply = new FastcgiReply(target, {
      keep: true,
      catchStderr: [],
      spare: (one) => spares.push(one),
    });
    target.onReplyEnd = () => {
      reply.retire();
      assert.deepEqual(spares, []);
    };
    const bytes = answer(HEAD);
    reply.feed(bytes, 0, bytes.length);
    assert.deepEqual(spares, [reply]);
    reply.restart(target);
    reply.retire();
    assert.deepEqual(spares, [reply, reply]);
  });

  describe('with a head beyond the buffer', () => {
    const tooBig = ['invalid: upstream sent too big header'];
    const big: { name: string; bytes: Buffer; seen: string[] }[] = [
      { name: 'refuses it in one read', bytes: answer(`A: ${'x'.repeat(5000)}\n\n`), seen: tooBig },
      {
        name: 'refuses what only just does not fit',
        bytes: answer(`A: ${'x'.repeat(4084)}\n\n`),
        seen: tooBig,
      },
      {
        name: 'takes what only just fits',
        bytes: answer(`A: ${'x'.repeat(4083)}\n\n`),
        seen: [`200 [200 OK] A=${'x'.repeat(4083)}`, 'end'],
      },
      {
        name: 'refuses it over many records',
        bytes: Buffer.concat(Array.from({ length: 500 }, () => out('A: b\n'))),
        seen: tooBig,
      },
    ];
    for (const { name, bytes, seen } of big) {
      for (const size of [bytes.length, 1, 7, 1000]) {
        it(`${name}, by ${size} bytes a read`, () => {
          const target = new Target();
          const reply = new FastcgiReply(target, { keep: false, catchStderr: [], spare });
          for (let at = 0; at < bytes.length; at += size)
            reply.feed(bytes, at, Math.min(at + size, bytes.length));
          assert.deepEqual(target.seen, seen);
        });
      }
    }
    for (const size of [100_000, 1000, 4096]) {
      it(`takes messages of any length before the reply, by ${size} bytes a read`, () => {
        const target = new Target();
        target.joinMessages = true;
        const reply = new FastcgiReply(target, { keep: false, catchStderr: [], spare });
        const bytes = Buffer.concat([record(STDERR, 'm'.repeat(9_216)), answer(`${HEAD}x`)]);
        for (let at = 0; at < bytes.length; at += size)
          reply.feed(bytes, at, Math.min(at + size, bytes.length));
        assert.deepEqual(target.seen, [
          `error: FastCGI sent in stderr: "${'m'.repeat(9_216)}"`,
          OK,
          'body x',
          'end',
        ]);
      });
    }
  });
});

/** A message is logged as it comes, so how it is cut shows. */
const STDERR_HEAD = record(STDERR).subarray(0, 4);

/** Where the log stands among the pieces of the body depends on the cut. */
function sorted(seen: readonly string[]): readonly string[] {
  return [
    ...seen.filter((line) => /^(error|warn):/.test(line)),
    ...seen.filter((line) => !/^(error|warn):/.test(line)),
  ];
}
