import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { Location, Server } from '../../../src/http/location.ts';
import { Request, type Stream } from '../../../src/http/request.ts';
import { Attempt } from '../../../src/upstream/attempt.ts';
import { PEER_FAILED, PEER_OK } from '../../../src/upstream/contract.ts';
import { leastTime } from '../../../src/upstream/least-time.ts';
import { GroupPeer, type PeerSettings, Peers, PLAIN_SERVER } from '../../../src/upstream/peers.ts';
import type { RoundRobinSource } from '../../../src/upstream/round-robin.ts';
import type { Upstream } from '../../../src/upstream/upstream.ts';
import { Zone } from '../../../src/zone/zones.ts';

const server = new Server();
server.location = new Location('server', '', false, undefined, false);
const stream: Stream = Object.create(null);

/** A request at an upstream, and what is measured of its attempt. */
const requestWith = (): { request: Request; attempt: Attempt } => {
  const request = new Request(stream, server, undefined, 0);
  const attempt = new Attempt('');
  const upstream: Upstream = Object.assign(Object.create(null), { attempt, log: () => {} });
  request.upstream = upstream;
  return { request, attempt };
};

/** A server, what is known of how quick it is, and the requests at it. */
type Given = Partial<PeerSettings> &
  Partial<Pick<GroupPeer, 'headerTime' | 'responseTime' | 'conns' | 'inflight' | 'inflightTime'>>;

const peersOf = (given: readonly Given[], zone?: Zone): Peers => {
  const now = Math.floor(Date.now() / 1000);
  const list = given.map((one, i) => {
    const peer = new GroupPeer(`p${i}`, '', {}, { ...PLAIN_SERVER, ...one });
    const { headerTime = 0, responseTime = 0, conns = 0, inflight = 0, inflightTime = 0 } = one;
    return Object.assign(peer, { headerTime, responseTime, conns, inflight, inflightTime, checked: now });
  });
  return new Peers(list, list.length === 1, zone);
};

/** One request that takes so long at whom it gets. */
const serve = (
  source: RoundRobinSource,
  attempt: Attempt,
  header: number,
  whole: number,
  state = PEER_OK,
): string => {
  const peer = source.pick();
  if (!peer) return '-';
  if (header >= 0) {
    attempt.headerTime = header;
    source.onHead(peer);
  }
  attempt.responseTime = whole;
  source.release(peer, state);
  return peer.name;
};

describe('least_time', () => {
  const header = { header: true, inflight: false };
  const lastByte = { header: false, inflight: false };
  const cases: readonly (readonly [string, typeof header, readonly Given[], chosen: string])[] = [
    [
      'the quicker head',
      header,
      [
        { headerTime: 200, responseTime: 1 },
        { headerTime: 100, responseTime: 900 },
      ],
      'p1',
    ],
    [
      'the quicker whole',
      lastByte,
      [
        { headerTime: 200, responseTime: 1 },
        { headerTime: 100, responseTime: 900 },
      ],
      'p0',
    ],
    ['about as quick: by turns', header, [{ headerTime: 45 }, { headerTime: 59 }], 'p0 p1 p0'],
    ['a step more is slower', header, [{ headerTime: 60 }, { headerTime: 59 }], 'p1 p1'],
    ['each request at it counts', header, [{ headerTime: 10, conns: 9 }, { headerTime: 100 }], 'p1'],
    ['for its weight', header, [{ headerTime: 90, weight: 10 }, { headerTime: 50 }], 'p0'],
    ['who is not known yet comes first', header, [{ headerTime: 100 }, {}], 'p1'],
    [
      'beyond five seconds all are alike',
      header,
      [{ headerTime: 90_000, conns: 1 }, { headerTime: 99_000 }],
      'p1',
    ],
    ['not who is down', header, [{ down: true }, { headerTime: 900 }], 'p1'],
    ['not who is full', header, [{ maxConns: 1, conns: 1 }, { headerTime: 900 }], 'p1'],
    ['nobody is left', header, [{ down: true }, { down: true }], '-'],
    [
      'the time of those that wait, where it is longer',
      { header: true, inflight: true },
      [{ headerTime: 10, inflight: 1, inflightTime: 4000, conns: 0 }, { headerTime: 900 }],
      'p1',
    ],
  ];
  for (const [name, options, given, expected] of cases) {
    it(name, () => {
      const group = peersOf(given);
      const chosen = expected.split(' ').map(() => {
        const { request } = requestWith();
        const peer = leastTime(options)(request, group, undefined).pick();
        if (peer) peer.conns--;
        return peer?.name ?? '-';
      });
      assert.equal(chosen.join(' '), expected);
    });
  }

  it('halves what it knows of a peer that was not asked for long', () => {
    const group = peersOf([{ headerTime: 100 }, { headerTime: 80 }]);
    const [slow] = group.list;
    assert.ok(slow);
    slow.checked -= 11;
    const { request } = requestWith();
    assert.equal(leastTime(header)(request, group, undefined).pick(), slow);
  });

  it('learns from what is served, a twentieth each time', () => {
    const group = peersOf([{}, { down: true }]);
    const [peer] = group.list;
    assert.ok(peer);
    for (const [head, whole, state, expected] of [
      [100, 200, PEER_OK, [100, 200]],
      [300, 600, PEER_OK, [110, 220]],
      [900, 900, PEER_FAILED, [110, 220]],
      [-1, 900, PEER_OK, [110, 220]],
    ] as const) {
      const { request, attempt } = requestWith();
      peer.fails = 0;
      serve(leastTime(header)(request, group, undefined), attempt, head, whole, state);
      assert.deepEqual([peer.headerTime, peer.responseTime], expected);
    }
  });

  it('counts requests that wait, with the time that they have waited', () => {
    const times = mock.method(performance, 'now', () => clock);
    let clock = 1000;
    try {
      const group = peersOf([{}, { down: true }]);
      const [peer] = group.list;
      assert.ok(peer);
      const [first, second] = [requestWith(), requestWith()];
      const balance = leastTime({ header: true, inflight: true });
      const [one, two] = [
        balance(first.request, group, undefined),
        balance(second.request, group, undefined),
      ];
      one.pick();
      assert.deepEqual([peer.inflight, peer.inflightSum], [1, 0]);
      clock = 1100;
      two.pick();
      assert.deepEqual([peer.inflight, peer.inflightSum, peer.inflightTime], [2, 100, 100]);
      clock = 1300;
      first.attempt.headerTime = 300;
      one.onHead(peer);
      // The second one has waited for 200 ms.
      assert.deepEqual([peer.inflight, peer.inflightSum, peer.headerTime], [1, 200, 300]);
      first.attempt.responseTime = 350;
      one.release(peer, PEER_OK);
      assert.deepEqual([peer.inflight, peer.headerTime, peer.responseTime], [1, 300, 350]);
      second.attempt.responseTime = 400;
      two.release(peer, PEER_OK);
      assert.deepEqual([peer.inflight, peer.inflightSum, peer.responseTime], [0, 0, 350]);
    } finally {
      times.mock.restore();
    }
  });

  it('shares what it knows through a zone', () => {
    const zone = new Zone('z', 'upstream', 65536, {});
    zone.give(new ArrayBuffer(65536));
    const [here, there] = [peersOf([{}, {}], zone), peersOf([{}, {}], zone)];
    const { request, attempt } = requestWith();
    assert.equal(serve(leastTime(header)(request, here, undefined), attempt, 500, 500), 'p0');
    assert.deepEqual(
      [1, 2, 3].map(() => {
        const other = requestWith();
        return serve(leastTime(header)(other.request, there, undefined), other.attempt, 50, 50);
      }),
      ['p1', 'p1', 'p1'],
    );
    assert.deepEqual([there.list[0]?.headerTime, there.list[1]?.responseTime], [500, 50]);
  });
});
