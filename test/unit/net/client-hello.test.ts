/** The name in the first bytes of a TLS client, however they are cut. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { beginsTls, HelloReader, serverName } from '../../../src/net/client-hello.ts';
import { helloOf, inRecords } from '../../kit/hello.ts';

const nameOf = (bytes: Buffer): string | undefined =>
  serverName(bytes, bytes.length) ?? new HelloReader().read(bytes, bytes.length);

describe('the name in a hello', () => {
  let named: Buffer;
  let unnamed: Buffer;
  before(async () => {
    named = await helloOf('Some.Name.test');
    unnamed = await helloOf('');
  });

  it('is found, or is not there', () => {
    assert.equal(nameOf(named), 'Some.Name.test');
    assert.equal(nameOf(unnamed), '');
    assert.equal(beginsTls(named[0] ?? 0), true);
    assert.equal(beginsTls('G'.charCodeAt(0)), false);
  });

  it('needs all of the hello, at every cut', () => {
    for (let length = 0; length < named.length; length++) {
      const reader = new HelloReader();
      assert.equal(serverName(named, length), undefined, `${length}`);
      assert.equal(reader.read(named, length), undefined, `${length}`);
      assert.equal(reader.read(named.subarray(length), named.length - length), 'Some.Name.test', `${length}`);
      assert.deepEqual(reader.bytes, named);
    }
  });

  it('is found over several records', () => {
    for (const size of [1, 7, 100]) assert.equal(nameOf(inRecords(named, size)), 'Some.Name.test');
  });

  it('is found in a hello that comes byte by byte, with what is behind it', () => {
    const records = Buffer.concat([inRecords(named, 3), Buffer.from('behind')]);
    const reader = new HelloReader();
    let name: string | undefined;
    let at = 0;
    while (name === undefined) name = reader.read(records.subarray(at, ++at), 1);
    assert.equal(name, 'Some.Name.test');
    assert.equal(at, records.length - 'behind'.length);
    assert.deepEqual(reader.bytes, records.subarray(0, at));
  });

  it('costs the more the longer the hello is, but no more than that', () => {
    // 60000 bytes are announced, and come one in a record.
    const records = inRecords(
      Buffer.concat([Buffer.from('00000000000100ea60', 'hex'), Buffer.alloc(60_000)]),
      1,
    );
    const reader = new HelloReader();
    const before = process.cpuUsage();
    for (let at = 0; at < records.length; at += 6) reader.read(records.subarray(at, at + 6), 6);
    const { user } = process.cpuUsage(before);
    assert.ok(user < 1_000_000, `${user} us`);
    assert.equal(reader.bytes.length, records.length);
  });

  it('is not waited for behind a record without content', () => {
    assert.equal(nameOf(Buffer.from('1603010000', 'hex')), '');
    assert.equal(nameOf(Buffer.from('16030100020100' + '1603010000', 'hex')), '');
  });

  it('is empty for what makes no sense, which OpenSSL refuses then', () => {
    for (let at = 5; at < named.length; at++) {
      const broken = Buffer.from(named);
      broken[at] = (broken[at] ?? 0) ^ 0xff;
      const name = nameOf(broken);
      assert.ok(name === undefined || typeof name === 'string');
    }
    assert.equal(nameOf(Buffer.from('1603010005' + '0200000100', 'hex')), '');
    // A record that is too long, or of no version: none of it is waited for.
    assert.equal(nameOf(Buffer.from('16030140010100', 'hex')), '');
    assert.equal(nameOf(Buffer.from('16050100050100', 'hex')), '');
    assert.equal(nameOf(Buffer.from('16030140000100', 'hex')), undefined);
  });
});
