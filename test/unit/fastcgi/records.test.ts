import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  beginRequest,
  pair,
  paramsStream,
  RecordReader,
  STDIN_END,
  stdinRecords,
} from '../../../src/upstream/protocols/fastcgi/records.ts';
import {
  BEGIN,
  decodeParams,
  END,
  endRequest,
  type FcgiRecord,
  firstRecord,
  PARAMS,
  record,
  STDERR,
  STDIN,
  STDOUT,
} from '../../kit/fcgi-records.ts';
import { cuts } from './split.ts';

/** All records in `bytes`, and that nothing is left over. */
function decode(bytes: Buffer): FcgiRecord[] {
  const records: FcgiRecord[] = [];
  let rest = bytes;
  while (rest.length > 0) {
    const found = firstRecord(rest);
    assert.ok(found, 'an incomplete record');
    records.push(found.record);
    rest = rest.subarray(found.length);
  }
  return records;
}
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const joined = (pieces: readonly (string | Uint8Array)[]): Buffer =>
  Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? latin1(piece) : piece)));

describe('BEGIN_REQUEST', () => {
  for (const keep of [false, true]) {
    it(`asks a responder ${keep ? 'to keep' : 'to close'} the connection`, () => {
      const [only, ...more] = decode(latin1(beginRequest(keep)));
      assert.deepEqual(more, []);
      assert.equal(only?.type, BEGIN);
      assert.equal(only.id, 1);
      assert.deepEqual([...only.content], [0, 1, keep ? 1 : 0, 0, 0, 0, 0, 0]);
    });
  }
});

describe('PARAMS', () => {
  for (const length of [0, 1, 127, 128, 255, 256, 40_000]) {
    it(`carries names and values of ${length} bytes`, () => {
      const text = '\xe9'.repeat(length);
      const [first, last, ...more] = decode(latin1(paramsStream(pair('a', text) + pair(`b${text}`, 'c'))));
      assert.equal(first?.type, PARAMS);
      assert.equal(last?.content.length, length > 32_000 ? 14_485 : 0);
      const params = decodeParams(Buffer.concat([first.content, last?.content ?? Buffer.alloc(0)]));
      assert.deepEqual(
        [...params],
        [
          ['a', text],
          [`b${text}`, 'c'],
        ],
      );
      assert.equal(more.length, length > 32_000 ? 1 : 0);
    });
  }
  for (const length of [65_527, 65_528, 65_529, 65_535, 65_536, 200_000]) {
    it(`splits a stream of ${length} bytes`, () => {
      const wire = latin1(paramsStream('x'.repeat(length)));
      const records = decode(wire);
      assert.equal(wire.length % 8, 0);
      assert.equal(records.at(-1)?.content.length, 0);
      assert.ok(records.every(({ type, id }) => type === PARAMS && id === 1));
      assert.equal(Buffer.concat(records.map(({ content }) => content)).length, length);
    });
  }
  it('is only its end when there is nothing to say', () => {
    assert.deepEqual(decode(latin1(paramsStream(''))), [{ type: PARAMS, id: 1, content: Buffer.alloc(0) }]);
  });
});

describe('STDIN', () => {
  for (const [length, records] of [
    [1, 1],
    [8, 1],
    [32_768, 1],
    [32_769, 2],
    [100_001, 4],
  ] as const) {
    it(`carries ${length} bytes in ${records} records, padded to 8`, () => {
      const body = Buffer.alloc(length, 'body');
      const wire = joined(stdinRecords(body, true));
      assert.equal(wire.length % 8, 0);
      const all = decode(wire);
      assert.equal(all.length, records + 1);
      assert.ok(all.every(({ type }) => type === STDIN));
      assert.deepEqual(Buffer.concat(all.map(({ content }) => content)), body);
      assert.equal(all.at(-1)?.content.length, 0);
    });
  }
  it('says nothing for an empty piece, and the end for the last one', () => {
    assert.deepEqual(stdinRecords(Buffer.alloc(0), false), []);
    assert.deepEqual(stdinRecords(Buffer.alloc(0), true), [STDIN_END]);
  });
  it('does not copy what it sends', () => {
    const body = Buffer.from('12345678');
    assert.equal(stdinRecords(body, false)[1], body);
  });
});

class Spy extends RecordReader {
  readonly seen: string[] = [];
  #piece(kind: string, bytes: Buffer, start: number, end: number): void {
    assert.ok(start < end, 'an empty piece');
    const text = bytes.toString('latin1', start, end);
    const last = this.seen.at(-1);
    if (last?.startsWith(`${kind}:`)) this.seen[this.seen.length - 1] = last + text;
    else this.seen.push(`${kind}:${text}`);
  }
  protected onStdout(bytes: Buffer, start: number, end: number): void {
    this.#piece('out', bytes, start, end);
  }
  protected onStdoutEnd(): void {
    this.seen.push('out end');
  }
  protected onStderr(bytes: Buffer, start: number, end: number): void {
    this.#piece('err', bytes, start, end);
  }
  protected onEndRequest(): void {
    this.seen.push('end');
  }
  protected onFinish(protocolStatus: number, exact: boolean): void {
    this.seen.push(`finish ${protocolStatus}${exact ? '' : ' with more behind'}`);
    this.stopped = true;
  }
  protected onInvalid(reason: string): void {
    this.seen.push(reason);
  }
  feed(bytes: Buffer, start: number, end: number): void {
    this.read(bytes, start, end);
  }
}

describe('reading records', () => {
  const wrong = (index: number, value: number): Buffer => {
    const bytes = record(STDOUT, 'x');
    bytes[index] = value;
    return bytes;
  };
  const cases: { name: string; bytes: Buffer; seen: string[] }[] = [
    {
      name: 'a reply in one record',
      bytes: Buffer.concat([record(STDOUT, 'abc'), record(STDOUT), endRequest()]),
      seen: ['out:abc', 'out end', 'end', 'finish 0'],
    },
    {
      name: 'padding of every kind of record',
      bytes: Buffer.concat([
        record(STDOUT, 'abc', 5),
        record(STDERR, '', 255),
        record(STDERR, 'oops', 4),
        record(STDOUT, 'def', 1),
        record(STDOUT, '', 7),
        record(END, Buffer.alloc(8), 8),
      ]),
      seen: ['out:abc', 'err:oops', 'out:def', 'out end', 'end', 'finish 0'],
    },
    {
      name: 'streams that take turns',
      bytes: Buffer.concat([
        record(STDERR, '1'),
        record(STDOUT, '2'),
        record(STDERR, '3'),
        record(STDOUT, '4'),
      ]),
      seen: ['err:1', 'out:2', 'err:3', 'out:4'],
    },
    { name: 'the protocol status', bytes: endRequest(7, 2), seen: ['end', 'finish 2'] },
    { name: 'END_REQUEST without content', bytes: record(END), seen: ['end', 'finish 0'] },
    {
      name: 'a wrong version',
      bytes: wrong(0, 2),
      seen: ['upstream sent unsupported FastCGI protocol version: 2'],
    },
    { name: 'an unknown type', bytes: wrong(1, 11), seen: ['upstream sent invalid FastCGI record type: 11'] },
    {
      name: 'a wrong high byte of the id',
      bytes: wrong(2, 1),
      seen: ['upstream sent unexpected FastCGI request id high byte: 1'],
    },
    {
      name: 'a wrong low byte of the id',
      bytes: wrong(3, 0),
      seen: ['upstream sent unexpected FastCGI request id low byte: 0'],
    },
    {
      name: 'what HTTP would be',
      bytes: Buffer.from('HTTP/1.1 200 OK\r\n\r\n'),
      seen: ['upstream sent unsupported FastCGI protocol version: 72'],
    },
  ];
  for (const { name, bytes, seen } of cases) {
    it(`finds ${name}, wherever it is cut`, () => {
      for (const cut of cuts(bytes)) {
        const spy = new Spy();
        for (const piece of cut.pieces) spy.feed(piece, 0, piece.length);
        assert.deepEqual(spy.seen, seen, cut.name);
      }
    });
  }
  it('sees what is left over behind END_REQUEST', () => {
    const spy = new Spy();
    const bytes = Buffer.concat([endRequest(), Buffer.from('x')]);
    spy.feed(bytes, 0, bytes.length);
    assert.deepEqual(spy.seen, ['end', 'finish 0 with more behind']);
  });
  it('reads from the middle of a buffer', () => {
    const bytes = Buffer.concat([Buffer.from('junk'), record(STDOUT, 'abc'), record(STDERR, 'x')]);
    const spy = new Spy();
    spy.feed(bytes, 4, 4 + 11);
    assert.deepEqual(spy.seen, ['out:abc']);
  });
});
