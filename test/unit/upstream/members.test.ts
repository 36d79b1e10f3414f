/** The servers that DNS gives a group: what stays, what goes, and what the workers see of it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Location, Server } from '../../../src/http/location.ts';
import { Request, type Stream } from '../../../src/http/request.ts';
import type { Resolved } from '../../../src/net/lookup.ts';
import { consistentHash } from '../../../src/upstream/consistent-hash.ts';
import { PEER_FAILED, PEER_OK } from '../../../src/upstream/contract.ts';
import { type Balance, roundRobin } from '../../../src/upstream/group.ts';
import { ipHash } from '../../../src/upstream/ip-hash.ts';
import { leastConn } from '../../../src/upstream/least-conn.ts';
import { MemberGroup } from '../../../src/upstream/member-group.ts';
import { MemberTable } from '../../../src/upstream/member-table.ts';
import type { HostServer } from '../../../src/upstream/members.ts';
import { GroupPeer, PLAIN_SERVER } from '../../../src/upstream/peers.ts';

const server = new Server();
server.location = new Location('server', '', false, undefined, false);
const stream: Stream = Object.assign(Object.create(null), { remoteAddress: '127.0.0.1', unix: false });
const request = new Request(stream, server, undefined, 0);

const line = (changes: Partial<HostServer> = {}): HostServer => ({
  text: 'a.test:8080',
  host: 'a.test',
  port: 8080,
  service: '',
  settings: PLAIN_SERVER,
  backup: false,
  ...changes,
});
const plain = (...hosts: readonly string[]): Resolved[] =>
  hosts.map((host) => ({ host, port: 0, priority: 0, weight: 0, name: '' }));
const srv = (host: string, port: number, priority = 1, weight = 1, name = 'h.test'): Resolved => ({
  host,
  port,
  priority,
  weight,
  name,
});

interface GroupOptions {
  readonly lines?: readonly HostServer[];
  readonly fixed?: readonly string[];
  readonly balance?: Balance;
  readonly backups?: boolean;
}

const groupOf = ({
  lines = [line()],
  fixed = [],
  balance = roundRobin,
  backups = true,
}: GroupOptions = {}): MemberGroup => {
  const primary = fixed.map((name) => new GroupPeer(name, name, {}, PLAIN_SERVER));
  return new MemberGroup('u', { primary, backup: [], lines, backups }, balance, undefined);
};

const BYTES = 16384;
const tableIn = (memory: ArrayBuffer, group: MemberGroup): MemberTable =>
  MemberTable.at(memory, memory.byteLength, group.fixed);

const opened = (options: GroupOptions = {}, memory = new ArrayBuffer(BYTES)): MemberGroup => {
  const group = groupOf(options);
  group.open(tableIn(memory, group), 0, () => undefined);
  return group;
};

/** The peers that a request tries, one after the other. */
const tried = (group: MemberGroup): string => {
  const source = group.source(request);
  const names: string[] = [];
  while (source.tries > 0) {
    const peer = source.pick();
    if (!(peer instanceof GroupPeer)) break;
    names.push(`${peer.name}${peer.weight > 1 ? `*${peer.weight}` : ''}`);
    source.release(peer, PEER_OK);
  }
  return names.join(' ');
};

const LATER = Math.floor(Date.now() / 1000) + 100;

describe('a group with names', () => {
  it('has nobody until a name is resolved, and then its addresses', () => {
    const group = opened();
    assert.equal(tried(group), '');
    assert.equal(group.resolved(0, plain('127.0.0.2', '::1'), LATER), true);
    assert.equal(tried(group), '127.0.0.2:8080 [::1]:8080');
    assert.equal(group.validOf(0), LATER);
    group.resolved(0, [], LATER);
    assert.equal(tried(group), '');
  });

  it('has them beside its fixed servers and those of other names', () => {
    const group = opened({
      fixed: ['10.0.0.1:80'],
      lines: [line(), line({ host: 'b.test', text: 'b.test:9090', port: 9090 })],
    });
    group.resolved(1, plain('127.0.0.3'), LATER);
    group.resolved(0, plain('127.0.0.2'), LATER);
    assert.equal(tried(group), '10.0.0.1:80 127.0.0.3:9090 127.0.0.2:8080');
    group.resolved(1, plain(), LATER);
    assert.equal(tried(group).split(' ').sort().join(' '), '10.0.0.1:80 127.0.0.2:8080');
  });

  it('keeps an address twice where DNS has it twice', () => {
    const group = opened();
    group.resolved(0, plain('127.0.0.2', '127.0.0.2'), LATER);
    assert.equal(tried(group), '127.0.0.2:8080 127.0.0.2:8080');
    group.resolved(0, plain('127.0.0.2'), LATER);
    assert.equal(tried(group), '127.0.0.2:8080');
  });

  it('keeps the counters of those that stay', () => {
    const group = opened();
    group.resolved(0, plain('127.0.0.2', '127.0.0.3'), LATER);
    const source = group.source(request);
    const first = source.pick();
    assert.ok(first);
    source.release(first, PEER_FAILED);
    group.resolved(0, plain('127.0.0.4', '127.0.0.3', '127.0.0.2'), LATER);
    assert.equal(tried(group).includes(first.name), false);
    group.resolved(0, plain('127.0.0.3', '127.0.0.4'), LATER);
    group.resolved(0, plain('127.0.0.2', '127.0.0.3', '127.0.0.4'), LATER);
    // It went and came again: its failure is forgotten.
    assert.equal(tried(group).includes(first.name), true);
  });

  it('lets a request that is under way end at a server that is gone', () => {
    const group = opened();
    group.resolved(0, plain('127.0.0.2'), LATER);
    const source = group.source(request);
    const peer = source.pick();
    group.resolved(0, plain('127.0.0.3'), LATER);
    const other = group.source(request).pick();
    assert.deepEqual([peer?.name, other?.name], ['127.0.0.2:8080', '127.0.0.3:8080']);
    assert.ok(peer && other instanceof GroupPeer);
    source.release(peer, PEER_FAILED);
    group.source(request).pick();
    assert.deepEqual([other.conns, other.fails], [2, 0]);
  });

  it('begins no attempt at a server that is gone', () => {
    const group = opened();
    group.resolved(0, plain('127.0.0.2', '127.0.0.3'), LATER);
    const source = group.source(request);
    const peer = source.pick();
    group.resolved(0, plain('127.0.0.2'), LATER);
    assert.ok(peer);
    source.release(peer, PEER_OK);
    assert.equal(source.pick(), undefined);
  });

  for (const [what, balance] of [
    ['least_conn', leastConn],
    ['ip_hash', ipHash],
    ['hash consistent', consistentHash({ source: 'k', constant: 'k', refs: [], text: () => 'k' })],
  ] as const) {
    it(`is balanced by ${what}, also while it is empty`, () => {
      const group = opened({ balance, backups: false });
      assert.equal(tried(group), '');
      group.resolved(0, plain('127.0.0.2', '127.0.0.3'), LATER);
      assert.equal(tried(group).split(' ').sort().join(' '), '127.0.0.2:8080 127.0.0.3:8080');
    });
  }
});

describe('a group with services', () => {
  const lines = [line({ service: 'http', text: 'a.test', port: 80 })];

  it('has ports and weights from SRV, and backups by priority', () => {
    const group = opened({ lines });
    group.resolved(
      0,
      [srv('127.0.0.4', 8004, 2), srv('127.0.0.2', 8002, 1, 3), srv('127.0.0.3', 8003)],
      LATER,
    );
    assert.equal(tried(group), '127.0.0.2:8002*3 127.0.0.3:8003 127.0.0.4:8004');
  });

  it('leaves the others out where it has no backups', () => {
    const addresses = [srv('127.0.0.2', 8002, 5), srv('127.0.0.3', 8003, 6)];
    const without = opened({ lines, backups: false });
    without.resolved(0, addresses, LATER);
    assert.equal(tried(without), '127.0.0.2:8002');
    const backup = opened({ fixed: ['10.0.0.1:80'], lines: [line({ service: 'http', backup: true })] });
    backup.resolved(0, addresses, LATER);
    assert.equal(tried(backup), '10.0.0.1:80 127.0.0.2:8002');
  });

  it('prefers the weight that is written', () => {
    const group = opened({ lines: [line({ service: 'http', settings: { ...PLAIN_SERVER, weight: 7 } })] });
    group.resolved(0, [srv('127.0.0.2', 8002, 1, 3)], LATER);
    assert.equal(tried(group), '127.0.0.2:8002*7');
  });
});

describe('the table of a zone', () => {
  it('shows other workers what one of them found', () => {
    const memory = new ArrayBuffer(BYTES);
    const [one, other] = [opened({}, memory), opened({}, memory)];
    assert.equal(tried(other), '');
    one.resolved(0, plain('127.0.0.2', '127.0.0.3'), LATER);
    assert.equal(tried(other), '127.0.0.2:8080 127.0.0.3:8080');
    // Their counters are the same: it is the other's turn to be second.
    const source = one.source(request);
    const first = source.pick();
    assert.notEqual(other.source(request).pick()?.name, first?.name);
  });

  it('has room for as many as fit, and says so', () => {
    const memory = new ArrayBuffer(2048);
    const group = groupOf({ fixed: ['10.0.0.1:80'] });
    const table = tableIn(memory, group);
    group.open(table, 0, () => undefined);
    const many = Array.from({ length: 20 }, (_, i) => `127.0.1.${i}`);
    assert.equal(group.resolved(0, plain(...many), LATER), false);
    assert.equal(tried(group).split(' ').length, table.capacity);
    assert.equal(group.resolved(0, plain('127.0.0.9'), LATER), true);
    assert.equal(tried(group).split(' ').sort().join(' '), '10.0.0.1:80 127.0.0.9:8080');
  });

  it('hands on what it knew to the next configuration', () => {
    const memory = new ArrayBuffer(BYTES);
    const lines = [
      line(),
      line({ host: 'gone.test' }),
      line({ host: 'b.test', service: 'http', text: 'b.test', port: 80 }),
    ];
    const before = opened({ lines }, memory);
    before.resolved(0, plain('127.0.0.2'), LATER);
    before.resolved(1, plain('127.0.0.3'), LATER);
    before.resolved(2, [srv('127.0.0.4', 8004, 1, 5), srv('127.0.0.5', 8005, 2)], LATER + 1);
    const next = groupOf({
      fixed: ['10.0.0.1:80'],
      lines: [
        line({ host: 'new.test' }),
        line({ host: 'b.test', service: 'http', text: 'b.test', port: 80 }),
        line({ text: 'a.test:9090', port: 9090, settings: { ...PLAIN_SERVER, weight: 2 } }),
      ],
    });
    next.open(tableIn(new ArrayBuffer(BYTES), next), 0, () => MemberTable.existing(memory)?.peek('u'));
    assert.deepEqual(
      [0, 1, 2].map((i) => next.validOf(i)),
      [0, LATER + 1, LATER],
    );
    assert.equal(
      tried(next).split(' ').sort().join(' '),
      '10.0.0.1:80 127.0.0.2:9090*2 127.0.0.4:8004*5 127.0.0.5:8005',
    );
  });

  it('is not found in the memory of something else', () => {
    assert.equal(MemberTable.existing(new ArrayBuffer(BYTES)), undefined);
  });
});
