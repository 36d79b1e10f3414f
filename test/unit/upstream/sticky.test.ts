import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it, mock } from 'node:test';
import { Location, Server } from '../../../src/http/location.ts';
import { Request, type Stream } from '../../../src/http/request.ts';
import type { Template } from '../../../src/http/template.ts';
import { VariableRef } from '../../../src/http/variables.ts';
import { consistentHash } from '../../../src/upstream/consistent-hash.ts';
import { PEER_FAILED, PEER_NEXT, PEER_OK } from '../../../src/upstream/contract.ts';
import { type Balance, roundRobin } from '../../../src/upstream/group.ts';
import { hash } from '../../../src/upstream/hash.ts';
import { ipHash } from '../../../src/upstream/ip-hash.ts';
import { leastConn } from '../../../src/upstream/least-conn.ts';
import { leastTime } from '../../../src/upstream/least-time.ts';
import { GroupPeer, type PeerSettings, Peers, PLAIN_SERVER } from '../../../src/upstream/peers.ts';
import { random } from '../../../src/upstream/random.ts';
import { type Sticky, stickyAround } from '../../../src/upstream/sticky.ts';
import { StickySessions } from '../../../src/upstream/sticky-sessions.ts';
import { Zone } from '../../../src/zone/zones.ts';
import { LogLines } from '../http/http-rig.ts';

const server = new Server();
server.location = new Location('server', '', false, undefined, false);
const stream: Stream = Object.assign(Object.create(null), { remoteAddress: '127.0.0.1', unix: false });
const newRequest = (): Request => new Request(stream, server, undefined, 0);
const key: Template = { source: 'k', constant: 'k', refs: [], text: () => 'k' };

type Given = Partial<PeerSettings> & { readonly busy?: number; readonly fails?: number };

const peersOf = (given: readonly Given[], name = 'p'): Peers => {
  const list = given.map((one, i) => {
    const settings = { ...PLAIN_SERVER, route: `${name}${i}`, ...one };
    const peer = new GroupPeer(`${name}${i}`, `${name}${i}`, {}, settings);
    const { busy: conns = 0, fails = 0 } = one;
    return Object.assign(peer, { conns, fails, checked: Math.floor(Date.now() / 1000) });
  });
  return new Peers(list, list.length === 1 && name === 'p');
};

/** A variable with one value for all requests. */
const variable = (value: string | undefined): VariableRef => {
  const ref = new VariableRef('v', 0, undefined);
  ref.get = () => value;
  return ref;
};

const route = (wanted: string): Sticky => ({
  lookup: [variable(undefined), variable(''), variable(wanted)],
  sessions: undefined,
  create: [],
  early: false,
  cookie: undefined,
});

const BALANCES: readonly (readonly [string, Balance])[] = [
  ['round robin', roundRobin],
  ['least_conn', leastConn],
  ['ip_hash', ipHash],
  ['hash', hash(key)],
  ['hash consistent', consistentHash(key)],
  ['random', random(false)],
  ['random two', random(true)],
  ['least_time', leastTime({ header: true, inflight: true })],
];

describe('a client stays with its peer', () => {
  /** `stays`: it gets the third peer, p2; else another one, or a backup, or nobody. */
  const cases: readonly (readonly [name: string, given: readonly Given[], stays: boolean])[] = [
    ['plain', [{}, {}, {}, {}], true],
    ['that is busy', [{}, {}, { busy: 9 }], true],
    ['that drains', [{}, {}, { down: true, draining: true }], true],
    ['not one that is down', [{}, {}, { down: true }], false],
    ['not one that is full', [{}, {}, { busy: 2, maxConns: 2 }], false],
    ['not one that fails', [{}, {}, { fails: 1 }], false],
    ['one whose failures are not counted', [{}, {}, { fails: 1, maxFails: 0 }], true],
    ['unless there is none of that name', [{}, {}], false],
  ];
  for (const [method, balance] of BALANCES) {
    for (const [name, given, stays] of cases) {
      it(`${method}: ${name}`, () => {
        const group = peersOf(given);
        const seen = new Set<string | undefined>();
        for (let i = 0; i < 10; i++) {
          const source = stickyAround(route('p2'))(balance)(newRequest(), group, undefined);
          const peer = source.pick();
          if (peer) source.release(peer, PEER_OK);
          seen.add(peer?.name);
        }
        if (stays) assert.deepEqual([...seen], ['p2']);
        else assert.ok(!seen.has('p2'), [...seen].join());
      });
    }
    it(`${method}: tries another one when it fails`, () => {
      const source = stickyAround(route('p2'))(balance)(newRequest(), peersOf([{}, {}, {}]), undefined);
      const first = source.pick();
      assert.equal(first?.name, 'p2');
      assert.equal(source.tries, 3);
      if (first) source.release(first, PEER_FAILED);
      assert.equal(source.tries, 2);
      assert.notEqual(source.pick()?.name, 'p2');
    });
    it(`${method}: finds it among the backups too`, () => {
      const group = peersOf([{ down: true }]);
      const source = stickyAround(route('b1'))(balance)(newRequest(), group, peersOf([{}, {}, {}], 'b'));
      assert.equal(source.pick()?.name, 'b1');
    });
    it(`${method}: a single server that drains has nobody else`, () => {
      const group = peersOf([{ down: true, draining: true }]);
      const one = (wanted: string) => stickyAround(route(wanted))(balance)(newRequest(), group, undefined);
      assert.equal(one('p0').pick()?.name, 'p0');
      assert.equal(one('p1').pick(), undefined);
    });
  }

  it('asks the first of a name only', () => {
    const group = peersOf([{ route: 'p2', down: true }, {}, {}]);
    const source = stickyAround(route('p2'))(roundRobin)(newRequest(), group, undefined);
    assert.equal(source.pick()?.name, 'p1');
  });

  it('is known by a digest of its name where it has no route', () => {
    const peer = new GroupPeer('127.0.0.1:8081', '', {}, PLAIN_SERVER);
    assert.equal(peer.sid, createHash('md5').update('127.0.0.1:8081').digest('hex'));
  });

  it('leaves the turns of the others in order', () => {
    const group = peersOf([{}, {}, {}, {}]);
    const ask = (wanted: string): string => {
      const source = stickyAround(route(wanted))(roundRobin)(newRequest(), group, undefined);
      const peer = source.pick();
      if (peer) source.release(peer, PEER_OK);
      return peer?.name.slice(1) ?? '-';
    };
    for (let i = 0; i < 20; i++) assert.equal(ask('p0'), '0');
    const turns = Array.from({ length: 12 }, () => ask('')).join('');
    assert.deepEqual([...turns].sort().join(''), '000111222333');
    // What one client took beforehand is one turn, not twenty.
    assert.equal(turns.slice(0, 3).includes('0'), false);
  });
});

describe('the cookie', () => {
  it('names the peer that is tried, in one line', () => {
    const request = newRequest();
    const cookie = (_: Request, sid: string): string => `c=${sid}`;
    const source = stickyAround({ ...route(''), cookie })(roundRobin)(request, peersOf([{}, {}]), undefined);
    request.out.add('X-Before', '1');
    const first = source.pick();
    if (first) source.release(first, PEER_FAILED);
    assert.deepEqual(request.out.lines, ['X-Before', '1', 'Set-Cookie', 'c=p0']);
    request.out.add('X-Behind', '1');
    const second = source.pick();
    assert.deepEqual(request.out.lines, ['X-Before', '1', 'Set-Cookie', 'c=p1', 'X-Behind', '1']);
    if (second) source.release(second, PEER_FAILED);
    assert.equal(source.pick(), undefined);
  });
});

describe('learnt sessions', () => {
  const opened = (bytes = 65536, timeout = 1000): { sessions: StickySessions; log: LogLines } => {
    const zone = new Zone('z', 'sticky', bytes, {});
    zone.give(new ArrayBuffer(bytes));
    const sessions = new StickySessions(zone, timeout);
    const log = new LogLines();
    sessions.open(log);
    return { sessions, log };
  };
  const learning = (sessions: StickySessions, lookup: string, create: string, early = false): Sticky => ({
    lookup: [variable(lookup)],
    create: [variable(undefined), variable(create)],
    sessions,
    early,
    cookie: undefined,
  });

  /** One request after the other: what it looks up, what it creates, how it ends; the peer that it gets. */
  const rows: readonly (readonly [lookup: string, create: string, state: number, peer: string])[] = [
    ['a', 'a', PEER_OK, 'p0'],
    ['b', 'b', PEER_OK, 'p1'],
    ['a', '', PEER_OK, 'p0'],
    ['b', 'c', PEER_OK, 'p1'],
    ['c', '', PEER_OK, 'p1'],
    // Nothing is learnt of an attempt that did not serve, nor without a name for the session.
    ['', 'd', PEER_NEXT, 'p2'],
    ['d', 'd', PEER_NEXT, 'p0'],
    ['e', '', PEER_OK, 'p1'],
    ['e', '', PEER_OK, 'p2'],
  ];
  it('are made and found', () => {
    const { sessions } = opened();
    const group = peersOf([{}, {}, {}]);
    for (const [lookup, create, state, expected] of rows) {
      const sources = stickyAround(learning(sessions, lookup, create))(
        random(false, () => (expected === 'p0' ? 0 : expected === 'p1' ? 0.4 : 0.9)),
      );
      const source = sources(newRequest(), group, undefined);
      const peer = source.pick();
      assert.equal(peer?.name, expected, `${lookup} ${create}`);
      if (peer) source.release(peer, state);
    }
    assert.equal(sessions.find('a'), 'p0');
    assert.equal(sessions.find('c'), 'p1');
    assert.equal(sessions.find('d'), '');
    assert.equal(sessions.find('e'), '');
  });

  it('begin with the head of a reply where that is asked for', () => {
    const { sessions } = opened();
    const source = stickyAround(learning(sessions, '', 'a', true))(roundRobin)(
      newRequest(),
      peersOf([{}, {}]),
      undefined,
    );
    const peer = source.pick();
    assert.ok(peer);
    assert.equal(sessions.find('a'), '');
    source.onHead(peer);
    assert.equal(sessions.find('a'), 'p0');
    sessions.put('a', 'p1', true);
    source.release(peer, PEER_OK);
    assert.equal(sessions.find('a'), 'p1');
  });

  it('are over when they are not used', () => {
    const { sessions } = opened(65536, 1000);
    let clock = 1_000_000;
    const times = mock.method(Date, 'now', () => clock);
    try {
      sessions.put('a', 'p0', true);
      clock += 600;
      assert.equal(sessions.find('a'), 'p0');
      clock += 399;
      sessions.put('a', 'p0', false);
      clock += 999;
      assert.equal(sessions.find('a'), 'p0');
      clock += 1;
      assert.equal(sessions.find('a'), '');
      sessions.put('a', 'p1', false);
      assert.equal(sessions.find('a'), '');
    } finally {
      times.mock.restore();
    }
  });

  it('make room for new ones', () => {
    const { sessions, log } = opened(32768);
    const longest = 'x'.repeat(32);
    for (let i = 0; i < 1000; i++) sessions.put(`session number ${i}`, longest, true);
    assert.equal(sessions.find('session number 999'), longest);
    assert.equal(sessions.find('session number 800'), longest);
    assert.equal(sessions.find('session number 0'), '');
    assert.equal(
      log.lines[0],
      'could not allocate node in sticky session zone "z", expiring least recently used session',
    );
  });
});
