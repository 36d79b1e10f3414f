import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { internName } from '../../../src/http/header-names.ts';
import type { Request } from '../../../src/http/request.ts';
import { HeadMemory } from '../../../src/upstream/protocols/http/head-memory.ts';
import { HttpReply, type ReplyTarget } from '../../../src/upstream/protocols/http/reply.ts';
import { LINE_INVALID, ReplyHead } from '../../../src/upstream/reply-head.ts';
import { makeRequest } from './conf-rig.ts';

/** What the engine would have seen, with body pieces joined. */
class Recorder implements ReplyTarget {
  readonly request: Request;
  head = new ReplyHead();
  trailers: readonly string[] | undefined = undefined;
  keep = false;
  readonly seen: string[] = [];
  body = '';
  takesText = false;
  over = false;

  constructor(request: Request) {
    this.request = request;
  }

  addLine(name: string, value: string): boolean {
    if (this.head.add(name, value) !== LINE_INVALID) return true;
    this.seen.push(`invalid: ${this.head.reason}`);
    this.over = true;
    return false;
  }
  onInterim(status: number, lines: readonly string[]): boolean {
    this.seen.push(`interim ${status} ${lines.join('|')}`);
    return true;
  }
  onReplyHead(): boolean {
    const { status, statusLine, names, values } = this.head;
    this.seen.push(`${status} "${statusLine}"`);
    for (const [i, name] of names.entries()) this.seen.push(`${name.text}=${values[i]}`);
    if (this.head.upgrade) this.seen.push('upgrade');
    return true;
  }
  onReplyBody(bytes: Uint8Array): boolean {
    this.body += Buffer.from(bytes).toString('latin1');
    return true;
  }
  onReplyText(text: string, keep: boolean): boolean {
    if (!this.takesText) return false;
    this.body += text;
    this.onReplyEnd(keep);
    return true;
  }
  onReplyEnd(keep: boolean): void {
    const { trailers } = this;
    if (trailers) this.seen.push(`trailers ${trailers.join('|')}`);
    this.seen.push(`body "${this.body}" ${keep ? 'kept' : 'closed'}`);
    this.over = true;
  }
  onReplyInvalid(message: string): boolean {
    this.seen.push(`invalid: ${message}`);
    this.over = true;
    return false;
  }
  log(_level: number, message: string): void {
    this.seen.push(`log: ${message}`);
  }
}

const requestWith = (lines: readonly (readonly [string, string])[]): Request => {
  const request = makeRequest();
  for (const [name, value] of lines) {
    request.headers.names.push(internName(name));
    request.headers.values.push(value);
  }
  return request;
};

interface Case {
  readonly name: string;
  readonly wire: string;
  readonly head?: boolean;
  readonly upgrade?: boolean;
  readonly trailers?: boolean;
  readonly bufferSize?: number;
  readonly expected: readonly string[];
}

/** Feeds the pieces, each at an odd place of a larger buffer, then the close. */
const read = (
  kase: Case,
  pieces: readonly Buffer[],
  memory = new HeadMemory(),
  takesText = false,
): readonly string[] => {
  const options = {
    bufferSize: kase.bufferSize ?? 4096,
    passTrailers: kase.trailers ?? false,
    passesServer: false,
    passesDate: false,
    memory,
  };
  const request = requestWith(kase.upgrade ? [['Upgrade', 'websocket']] : []);
  const recorder = new Recorder(request);
  recorder.takesText = takesText;
  const reply = new HttpReply(options);
  reply.begin(recorder, kase.head ?? false);
  for (const piece of pieces) {
    if (recorder.over) break;
    const shared = Buffer.alloc(piece.length + 7, 0x58);
    piece.copy(shared, 3);
    reply.feed(shared, 3, 3 + piece.length);
    shared.fill(0x59);
  }
  if (!recorder.over) {
    recorder.seen.push('close');
    reply.end();
  }
  return recorder.seen;
};

const CASES: readonly Case[] = [
  {
    name: 'a body by length',
    wire: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  two words \r\n\r\nhello',
    expected: ['200 "200 OK"', 'Content-Length=5', 'X-A=two words', 'body "hello" kept'],
  },
  {
    name: 'bare line feeds and a status without a reason',
    wire: 'HTTP/1.1 204\nX-A: b\nX-Empty\n\n',
    expected: ['204 "204"', 'X-A=b', 'X-Empty=', 'body "" kept'],
  },
  {
    name: 'an HTTP/1.0 body until the server closes',
    wire: 'HTTP/1.0 200 OK\r\n\r\nall of it',
    expected: ['200 "200 OK"', 'close', 'body "all of it" closed'],
  },
  {
    name: 'HTTP/1.0 with keep-alive is not kept',
    wire: 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi',
    expected: ['200 "200 OK"', 'Connection=keep-alive', 'Content-Length=2', 'body "hi" closed'],
  },
  {
    name: 'HTTP/1.0 without keep-alive is not',
    wire: 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi',
    expected: ['200 "200 OK"', 'Content-Length=2', 'body "hi" closed'],
  },
  {
    name: 'Connection: close',
    wire: 'HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n',
    expected: ['200 "200 OK"', 'Connection=Close', 'Content-Length=0', 'body "" closed'],
  },
  {
    name: 'chunks with extensions and trailers that are skipped',
    wire: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\nA \r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n',
    expected: ['200 "200 OK"', 'Transfer-Encoding=Chunked', 'body "abc0123456789" kept'],
  },
  {
    name: 'trailers that are passed on',
    trailers: true,
    wire: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-T: 1\r\nX-U: 2\r\n\r\n',
    expected: ['200 "200 OK"', 'Transfer-Encoding=chunked', 'trailers X-T|1|X-U|2', 'body "a" kept'],
  },
  {
    name: 'an invalid trailer',
    trailers: true,
    wire: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX T: 1\r\n\r\n',
    expected: [
      '200 "200 OK"',
      'Transfer-Encoding=chunked',
      'invalid: upstream sent invalid trailer: "X\\x20..."',
    ],
  },
  {
    name: 'a chunk size that is none',
    wire: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n',
    expected: [
      '200 "200 OK"',
      'Transfer-Encoding=chunked',
      'invalid: upstream sent invalid chunked response',
    ],
  },
  {
    name: 'an unfinished chunked body',
    wire: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab',
    expected: ['200 "200 OK"', 'Transfer-Encoding=chunked', 'close'],
  },
  {
    name: 'no body after HEAD',
    head: true,
    wire: 'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n',
    expected: ['200 "200 OK"', 'Content-Length=500', 'body "" kept'],
  },
  {
    name: 'no body with 304',
    wire: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\nETag: "x"\r\n\r\n',
    expected: ['304 "304 Not Modified"', 'Content-Length=500', 'ETag="x"', 'body "" kept'],
  },
  {
    name: 'a tunnel that the client asked for',
    upgrade: true,
    wire: 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nraw',
    expected: ['101 "101 Switching Protocols"', 'Upgrade=websocket', 'upgrade', 'close', 'body "raw" closed'],
  },
  {
    name: 'a tunnel that nobody asked for',
    wire: 'HTTP/1.1 101 Switching Protocols\r\n\r\nraw',
    expected: ['101 "101 Switching Protocols"', 'close', 'body "raw" closed'],
  },
  {
    name: 'interim replies',
    wire:
      'HTTP/1.1 100 Continue\r\nX-No: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\nLink: <b>\r\n\r\n' +
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!',
    expected: ['interim 103 Link|<a>|Link|<b>', '200 "200 OK"', 'Content-Length=1', 'body "!" kept'],
  },
  {
    name: 'early hints of HTTP/1.0',
    wire: 'HTTP/1.0 103 Early Hints\r\nLink: <a>\r\n\r\n',
    expected: ['invalid: upstream sent HTTP/1.0 response with early hints'],
  },
  {
    name: 'early hints that are too big, one by one or together',
    bufferSize: 64,
    wire:
      'HTTP/1.1 103 Early\r\nLink: <aaaaaaaa>\r\n\r\nHTTP/1.1 103 Early\r\nLink: <bbbbbbbb>\r\n\r\n' +
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    expected: [
      'interim 103 Link|<aaaaaaaa>',
      'log: upstream sent too big early hints',
      '200 "200 OK"',
      'Content-Length=0',
      'body "" kept',
    ],
  },
  {
    name: 'HTTP/0.9',
    wire: 'just bytes\r\nand more',
    expected: [
      'log: upstream sent no valid HTTP/1.0 header',
      '200 ""',
      'close',
      'body "just bytes\r\nand more" closed',
    ],
  },
  {
    name: 'a status line that goes wrong late',
    wire: 'HTTP/1.1 20x\r\n\r\n',
    expected: [
      'log: upstream sent no valid HTTP/1.0 header',
      '200 ""',
      'close',
      'body "HTTP/1.1 20x\r\n\r\n" closed',
    ],
  },
  {
    name: 'a space in a name',
    wire: 'HTTP/1.1 200 OK\r\nX Bad: 1\r\n\r\n',
    expected: ['invalid: upstream sent invalid header: "X\\x20..."'],
  },
  {
    name: 'a line without a name',
    wire: 'HTTP/1.1 200 OK\r\n: 1\r\n\r\n',
    expected: ['invalid: upstream sent invalid header: "\\x3a..."'],
  },
  {
    name: 'NUL in a value',
    wire: 'HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n',
    expected: ['invalid: upstream sent invalid header: "X: a\\x00..."'],
  },
  {
    name: 'a carriage return in a value',
    wire: 'HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n',
    expected: ['invalid: upstream sent invalid header: "X: a\\x0d..."'],
  },
  {
    name: 'a second status line among the headers',
    wire: 'HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    expected: ['200 "200 OK"', 'Content-Length=0', 'body "" kept'],
  },
  {
    name: 'a status of IIS',
    wire: 'HTTP/1.1 403.1 Nope\r\nContent-Length: 0\r\n\r\n',
    expected: ['403 "403.1 Nope"', 'Content-Length=0', 'body "" kept'],
  },
  {
    name: 'both Content-Length and Transfer-Encoding',
    wire: 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    expected: ['invalid: upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time'],
  },
  {
    name: 'a head that is too big',
    bufferSize: 40,
    wire: 'HTTP/1.1 200 OK\r\nX-Long: 0123456789012345678901234567890\r\n\r\n',
    expected: ['invalid: upstream sent too big header'],
  },
  {
    name: 'a head that just fits, and a large body',
    bufferSize: 45,
    wire: 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n'.padEnd(40 + 100, 'x'),
    expected: ['200 "200 OK"', 'Content-Length=100', `body "${'x'.repeat(100)}" kept`],
  },
];

describe('replies of HTTP/1 servers', () => {
  for (const kase of CASES) {
    it(kase.name, () => {
      const wire = Buffer.from(kase.wire, 'latin1');
      assert.deepEqual(read(kase, [wire]), kase.expected, 'in one piece');
      for (let at = 1; at < wire.length; at++) {
        const pieces = [wire.subarray(0, at), wire.subarray(at)];
        assert.deepEqual(read(kase, pieces), kase.expected, `split at ${at}`);
      }
      const bytes = Array.from(wire, (_, i) => wire.subarray(i, i + 1));
      assert.deepEqual(read(kase, bytes), kase.expected, 'byte by byte');
    });
    it(`${kase.name}, the same head again`, () => {
      const memory = new HeadMemory();
      for (const takesText of [false, true, true])
        assert.deepEqual(read(kase, [Buffer.from(kase.wire, 'latin1')], memory, takesText), kase.expected);
    });
  }
});

const SURPLUS: readonly Case[] = [
  {
    name: 'more than Content-Length',
    wire: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi there',
    expected: [
      '200 "200 OK"',
      'Content-Length=2',
      'log: upstream sent more data than specified in "Content-Length" header',
      'body "hi" closed',
    ],
  },
  {
    name: 'a body after HEAD',
    head: true,
    wire: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi',
    expected: [
      '200 "200 OK"',
      'Content-Length=2',
      'log: upstream sent more data than specified in "Content-Length" header',
      'body "" closed',
    ],
  },
  {
    name: 'data after the final chunk',
    wire: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nHTTP',
    expected: [
      '200 "200 OK"',
      'Transfer-Encoding=chunked',
      'log: upstream sent data after final chunk',
      'body "a" closed',
    ],
  },
  {
    name: 'data after trailers',
    trailers: true,
    wire: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\nHTTP',
    expected: [
      '200 "200 OK"',
      'Transfer-Encoding=chunked',
      'log: upstream sent data after trailers',
      'trailers X|y',
      'body "a" closed',
    ],
  },
];

describe('bytes behind a reply', () => {
  for (const kase of SURPLUS) {
    it(`${kase.name} forbids to keep the connection`, () => {
      const memory = new HeadMemory();
      for (const takesText of [false, true])
        assert.deepEqual(read(kase, [Buffer.from(kase.wire, 'latin1')], memory, takesText), kase.expected);
    });
  }
});

describe('a head that is remembered', () => {
  const memory = new HeadMemory();
  const wire = 'HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nhi';
  const expected = ['200 "200 OK"', 'X-A=1', 'Content-Length=2', 'body "hi" kept'];
  const kase: Case = { name: '', wire, expected };
  const feed = (text: string, at = text.length): readonly string[] =>
    read(kase, [Buffer.from(text.slice(0, at)), Buffer.from(text.slice(at))], memory);

  it('is found again in a piece that goes on behind it', () => {
    assert.deepEqual(feed(wire), expected);
    assert.notEqual(memory.find(`${wire}!`), undefined);
    assert.deepEqual(feed(wire, wire.length - 1), expected);
  });
  it('is not taken for one with another line', () => {
    assert.deepEqual(feed(wire.replace('1\r', '2\r')), expected.with(1, 'X-A=2'));
    assert.equal(memory.find(wire), undefined);
    assert.deepEqual(feed(wire), expected);
  });
  it('is not taken for its own lines without the first', () => {
    // A cut behind the status line: what follows is no head of its own.
    assert.deepEqual(feed(wire, wire.indexOf('\n') + 1), expected);
    assert.equal(memory.find(wire.slice(wire.indexOf('\n') + 1)), undefined);
  });
  it('is read again where the log was told about a line', () => {
    const odd = wire.replace('X-A: 1\r\n', 'Date: 1\r\nDate: 2\r\n');
    feed(odd);
    assert.equal(memory.find(odd), undefined);
  });
});
