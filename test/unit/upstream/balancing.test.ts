import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Location, Server } from '../../../src/http/location.ts';
import { Request, type Stream } from '../../../src/http/request.ts';
import type { Template } from '../../../src/http/template.ts';
import { consistentHash } from '../../../src/upstream/consistent-hash.ts';
import { PEER_OK } from '../../../src/upstream/contract.ts';
import { crc32 } from '../../../src/upstream/crc32.ts';
import type { Balance } from '../../../src/upstream/group.ts';
import { hash } from '../../../src/upstream/hash.ts';
import { hashedBytes, ipHash } from '../../../src/upstream/ip-hash.ts';
import { leastConn } from '../../../src/upstream/least-conn.ts';
import { GroupPeer, Peers, PLAIN_SERVER } from '../../../src/upstream/peers.ts';

const server = new Server();
server.location = new Location('server', '', false, undefined, false);
const requestFrom = (remoteAddress: string): Request => {
  const stream: Stream = Object.assign(Object.create(null), { remoteAddress, unix: false });
  return new Request(stream, server, undefined, 0);
};
const peers = (...weights: readonly number[]): Peers =>
  new Peers(
    weights.map((weight, i) => new GroupPeer(`p${i}`, `10.0.0.${i}:80`, {}, { ...PLAIN_SERVER, weight })),
    weights.length === 1,
  );
const key = (text: string): Template => ({ source: text, constant: text, refs: [], text: () => text });
const chosen = (balance: Balance, group: Peers, address = '127.0.0.1'): string => {
  const source = balance(requestFrom(address), group, undefined);
  const peer = source.pick(requestFrom(address));
  if (peer) source.release(peer, PEER_OK);
  return peer?.name ?? '-';
};

describe('least_conn', () => {
  it('goes to the peer with the fewest requests for its weight', () => {
    const group = peers(1, 3);
    const names = Array.from({ length: 8 }, () => {
      const request = requestFrom('127.0.0.1');
      return leastConn(request, group, undefined).pick(request)?.name;
    });
    assert.equal(names.filter((name) => name === 'p0').length, 2);
  });
  it('takes turns among equals', () => {
    const group = peers(1, 1);
    assert.deepEqual([chosen(leastConn, group), chosen(leastConn, group)], ['p0', 'p1']);
  });
});

describe('ip_hash', () => {
  const cases: readonly (readonly [string, readonly number[]])[] = [
    ['192.168.7.9', [192, 168, 7]],
    ['::1', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
    ['2001:db8::ff00:42', [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0x42]],
  ];
  for (const [address, bytes] of cases) {
    it(`hashes ${address}`, () => assert.deepEqual(hashedBytes(address), bytes));
  }
  it('keeps a network at one peer', () => {
    const group = peers(1, 1, 1, 1);
    const first = chosen(ipHash, group, '10.1.2.3');
    for (let i = 0; i < 8; i++) assert.equal(chosen(ipHash, group, `10.1.2.${i}`), first);
  });
});

describe('hash', () => {
  it('counts CRC-32 as zlib does', () => assert.equal(crc32('123456789'), 0xcbf43926));
  it('keeps a key at one peer and spreads keys', () => {
    const group = peers(1, 1, 1);
    const seen = new Set<string>();
    for (let i = 0; i < 30; i++) {
      const name = chosen(hash(key(`k${i}`)), group);
      assert.equal(chosen(hash(key(`k${i}`)), group), name);
      seen.add(name);
    }
    assert.equal(seen.size, 3);
  });
  it('moves few keys when a server is added, with consistent', () => {
    const [small, large] = [peers(1, 1, 1, 1), peers(1, 1, 1, 1, 1)];
    let moved = 0;
    for (let i = 0; i < 200; i++) {
      const balance = consistentHash(key(`k${i}`));
      if (chosen(balance, small) !== chosen(balance, large)) moved++;
    }
    assert.ok(moved > 10 && moved < 80, `${moved} of 200 moved`);
  });
});
