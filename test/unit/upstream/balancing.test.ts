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
import { GroupPeer, type PeerSettings, Peers, PLAIN_SERVER } from '../../../src/upstream/peers.ts';
import { random } from '../../../src/upstream/random.ts';

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
  const peer = source.pick();
  if (peer) source.release(peer, PEER_OK);
  return peer?.name ?? '-';
};

describe('least_conn', () => {
  it('goes to the peer with the fewest requests for its weight', () => {
    const group = peers(1, 3);
    const names = Array.from({ length: 8 }, () => {
      const request = requestFrom('127.0.0.1');
      return leastConn(request, group, undefined).pick()?.name;
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

describe('random', () => {
  /** Peers with so many requests at them; the lots that are drawn, in the order of drawing; who is chosen. */
  interface Case {
    readonly name: string;
    readonly two?: boolean;
    readonly peers: readonly (Partial<PeerSettings> & { readonly busy?: number })[];
    readonly lots: readonly number[];
    readonly chosen: string;
  }
  const cases: readonly Case[] = [
    { name: 'the lot decides', peers: [{}, {}, {}, {}], lots: [0, 0.3, 0.5, 0.99], chosen: 'p0 p1 p2 p3' },
    { name: 'by weight', peers: [{ weight: 3 }, {}], lots: [0.5, 0.74, 0.75], chosen: 'p0 p0 p1' },
    { name: 'what is down is drawn again', peers: [{ down: true }, {}], lots: [0, 0, 0.5], chosen: 'p1' },
    { name: 'nor a full one', peers: [{ maxConns: 1, busy: 1 }, {}], lots: [0.1, 0.9], chosen: 'p1' },
    {
      name: 'by turns after too many lots',
      peers: [{ down: true }, {}, {}],
      lots: Array(21).fill(0),
      chosen: 'p1',
    },
    { name: 'one server needs no lot', peers: [{}], lots: [], chosen: 'p0 p0' },
    { name: 'nobody is left', peers: [{ down: true }, { down: true }], lots: Array(21).fill(0), chosen: '-' },
    {
      name: 'two: the less busy',
      two: true,
      peers: [{ busy: 2 }, { busy: 1 }],
      lots: [0, 0.9],
      chosen: 'p1',
    },
    {
      name: 'two: for its weight',
      two: true,
      peers: [{ weight: 4, busy: 3 }, { busy: 1 }],
      lots: [0, 0.9],
      chosen: 'p0',
    },
    {
      name: 'two: the second of equals',
      two: true,
      peers: [{}, {}],
      lots: [0, 0.9, 0.9, 0],
      chosen: 'p1 p0',
    },
    {
      name: 'two: not the same twice',
      two: true,
      peers: [{}, { busy: 1 }],
      lots: [0.9, 0.9, 0],
      chosen: 'p0',
    },
  ];
  for (const { name, two = false, peers: wanted, lots, chosen: expected } of cases) {
    it(name, () => {
      const list = wanted.map((one, i) => new GroupPeer(`p${i}`, '', {}, { ...PLAIN_SERVER, ...one }));
      wanted.forEach(({ busy = 0 }, i) => {
        const peer = list[i];
        if (peer) peer.conns = busy;
      });
      const rest = [...lots];
      const balance = random(two, () => rest.shift() ?? assert.fail('no lot is left'));
      const group = new Peers(list, list.length === 1);
      assert.equal(
        expected
          .split(' ')
          .map(() => chosen(balance, group))
          .join(' '),
        expected,
      );
      assert.equal(rest.length, 0);
    });
  }
  it('does not go to a peer that failed the request', () => {
    const lots = [0, 0.1, 0.2, 0.3];
    const source = random(false, () => lots.shift() ?? 0.9)(requestFrom(''), peers(1, 1), undefined);
    assert.deepEqual([source.pick()?.name, source.pick()?.name], ['p0', 'p1']);
    assert.equal(lots.length, 0);
  });
  it('spreads by weight', () => {
    const group = peers(1, 9);
    let first = 0;
    for (let i = 0; i < 2000; i++) if (chosen(random(false), group) === 'p0') first++;
    assert.ok(first > 100 && first < 320, `${first} of 2000`);
  });
});
