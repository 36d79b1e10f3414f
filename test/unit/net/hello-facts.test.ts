/** What a TLS hello says, however it is cut. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HELLO_READ, HELLO_SHORT, HelloFacts, NO_HELLO } from '../../../src/net/hello-facts.ts';
import { helloOf, inRecords } from '../../kit/hello.ts';

const read = (bytes: Buffer): readonly [verdict: number, facts: HelloFacts] => {
  const facts = new HelloFacts();
  return [facts.read(bytes), facts];
};

/** A hello of TLS 1.2 with these extensions. */
const withExtensions = (...extensions: readonly (readonly [type: number, body: readonly number[]])[]) => {
  const list = extensions.flatMap(([type, body]) => [0, type, 0, body.length, ...body]);
  const body = [3, 3, ...new Array<number>(32).fill(7), 0, 0, 2, 0x13, 1, 1, 0, 0, list.length, ...list];
  return Buffer.from([22, 3, 1, 0, body.length + 4, 1, 0, 0, body.length, ...body]);
};
const text = (name: string): readonly number[] => [...Buffer.from(name)];
const serverName = (name: string, type = 0): readonly [number, readonly number[]] => [
  0,
  [0, name.length + 3, type, 0, name.length, ...text(name)],
];
const alpn = (...names: readonly string[]): readonly [number, readonly number[]] => {
  const list = names.flatMap((name) => [name.length, ...text(name)]);
  return [16, [0, list.length, ...list]];
};

describe('facts of a hello', () => {
  test('of a client of today, at once and in pieces', async () => {
    const hello = await helloOf('a.test', { ALPNProtocols: ['h2', 'x'] });
    for (const bytes of [hello, inRecords(hello, 7), inRecords(hello, 1)]) {
      const [verdict, facts] = read(bytes);
      assert.equal(verdict, HELLO_READ);
      assert.deepEqual([facts.protocol, facts.name, facts.protocols], ['TLSv1.3', 'a.test', 'h2,x']);
    }
    for (let length = 0; length < hello.length; length++)
      assert.equal(read(hello.subarray(0, length))[0], HELLO_SHORT, `${length} bytes`);
    const split = inRecords(hello, 100);
    for (let length = 0; length < 105 * Math.floor(hello.length / 100); length++)
      assert.equal(read(split.subarray(0, length))[0], HELLO_SHORT, `${length} bytes of records`);
  });

  test('what stands behind the hello does not matter', () => {
    const [verdict, facts] = read(
      Buffer.concat([withExtensions(serverName('x')), Buffer.from('more bytes')]),
    );
    assert.deepEqual([verdict, facts.name, facts.protocol], [HELLO_READ, 'x', 'TLSv1.2']);
  });

  test('the first of each extension counts', () => {
    const [verdict, facts] = read(
      withExtensions(serverName('x'), alpn('a', 'b'), serverName('y'), alpn('c')),
    );
    assert.deepEqual([verdict, facts.name, facts.protocols], [HELLO_READ, 'x', 'a,b']);
  });

  test('a hello of SSLv2', () => {
    const [verdict, facts] = read(Buffer.from([0x80, 0x2e, 1, 3, 1, 0]));
    assert.deepEqual([verdict, facts.protocol, facts.name], [HELLO_READ, 'TLSv1', '']);
  });

  test('what is none', () => {
    const whole = withExtensions(serverName('x'));
    const longer = Buffer.from(whole);
    longer[8] = (longer[8] ?? 0) - 1;
    const finished = Buffer.from(whole);
    finished[5] = 20;
    for (const [what, bytes] of [
      ['text', Buffer.from('GET / HTTP/1.1')],
      ['another version', Buffer.from([22, 2, 0, 0, 5, 1])],
      ['another message', finished],
      ['extensions behind the end', longer],
      ['another type of name', withExtensions(serverName('x', 1))],
      ['a list of names that is too short', withExtensions([0, [0, 3, 0, 0, 1, 1]])],
      ['an empty protocol', withExtensions(alpn(''))],
      ['no protocols', withExtensions([16, [0, 0, 5]])],
      ['a list of protocols that is too short', withExtensions([16, [0, 2, 5, 1, 1, 1, 1, 1]])],
    ] as const)
      assert.equal(read(bytes)[0], NO_HELLO, what);
  });
});
