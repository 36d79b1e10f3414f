import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Exchange } from '../../../src/upstream/contract.ts';
import type { PeerConnection } from '../../../src/upstream/peer-connection.ts';
import { type KeepaliveLimits, parkingTime, reusable } from '../../../src/upstream/reusable.ts';
import { Backend, fine } from './peer-connections.ts';

const limits: KeepaliveLimits = { requests: 3, time: 1000, timeout: 1000 };

interface Row {
  readonly expected: true | string;
  readonly exchange?: Partial<Exchange>;
  readonly limits?: Partial<KeepaliveLimits>;
  readonly draining?: true;
  readonly change?: (peer: PeerConnection) => void;
}

const rows: Readonly<Record<string, Row>> = {
  'an exchange that went well': { expected: true },
  'a failed attempt': { expected: 'the attempt failed', exchange: { failed: true } },
  'a closed connection': {
    expected: 'the connection is closed',
    change: (peer) => peer.connection.socket.destroy(),
  },
  'an error': {
    expected: 'the connection has an error',
    change: (peer) => {
      peer.connection.error = new Error('broken');
    },
  },
  'a peer that has closed its side': {
    expected: 'the peer has closed its side',
    change: (peer) => {
      peer.connection.ended = true;
    },
  },
  'a request too many': {
    expected: 'keepalive_requests reached',
    change: (peer) => {
      peer.requests = 3;
    },
  },
  'one request less': {
    expected: true,
    change: (peer) => {
      peer.requests = 2;
    },
  },
  'an old connection': { expected: 'keepalive_time reached', limits: { time: -1 } },
  'a reply that forbids it': {
    expected: 'the reply forbids it or is not complete',
    exchange: { keep: false },
  },
  'a request that was not sent completely': {
    expected: 'the request was not sent completely',
    exchange: { bodySent: false },
  },
  'a worker that drains': { expected: 'the worker is draining', draining: true },
};

const backend = new Backend();

describe('whether a connection may be reused', () => {
  before(() => backend.start());
  after(() => backend.close());

  for (const [name, row] of Object.entries(rows)) {
    it(`${name}: ${row.expected === true ? 'yes' : row.expected}`, async () => {
      const peer = await backend.connect();
      row.change?.(peer);
      const exchange = { ...fine, ...row.exchange };
      assert.equal(
        reusable(peer, exchange, { ...limits, ...row.limits }, row.draining === true),
        row.expected,
      );
      peer.discard();
    });
  }
});

describe('how long a connection is parked', () => {
  const cases: readonly (readonly [limit: number, announced: number, time: number])[] = [
    [60_000, -1, 60_000],
    [60_000, 5000, 4500],
    [60_000, 30_000, 29_000],
    [2000, 30_000, 2000],
    [60_000, 0, 0],
  ];
  for (const [limit, announced, time] of cases) {
    it(`${limit} ms, announced ${announced}: ${time}`, () =>
      assert.equal(parkingTime(limit, announced), time));
  }
});
