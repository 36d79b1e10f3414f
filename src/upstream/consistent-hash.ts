/** `hash KEY consistent` (ketama): a server more or less moves only few keys. */
import type { Template } from '../values/template.ts';
import type { Subject } from '../values/variables.ts';
import type { Asker } from './contract.ts';
import { CRC_START, crc32, crcFinish, crcUpdate } from './crc32.ts';
import type { Balance } from './group.ts';
import type { GroupPeer, Peers } from './peers.ts';
import { RoundRobinSource, seconds } from './round-robin.ts';

/** Points on the ring for each unit of weight. */
const POINTS = 160;
/** After so many servers that can't be used, the next one is found by turns. */
const MOST_TRIES = 20;

interface Point {
  readonly hash: number;
  readonly server: string;
}

const bytesOf = (value: number): string =>
  String.fromCharCode(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);

const pointsOf = (peer: GroupPeer): readonly Point[] => {
  const { server, weight } = peer;
  const unix = /^unix:/i.test(server);
  const parts = unix ? null : /^(.*):([0-9]*)$/s.exec(server);
  const host = unix ? server.slice(5) : (parts?.[1] ?? server);
  const port = parts?.[2] ?? '';
  const base = crcUpdate(crcUpdate(crcUpdate(CRC_START, host), '\0'), port);
  let previous = 0;
  return Array.from({ length: weight * POINTS }, () => {
    previous = crcFinish(crcUpdate(base, bytesOf(previous)));
    return { hash: previous, server };
  });
};

/** The ring of a list of peers, in order, without doubles. */
export const ringOf = (peers: Peers): readonly Point[] => {
  const points = peers.list.flatMap(pointsOf).sort((a, b) => a.hash - b.hash);
  return points.filter(({ hash }, i) => i === 0 || hash !== points[i - 1]?.hash);
};

/** The place of the first point at or behind `hash`. */
const placeOf = (ring: readonly Point[], hash: number): number => {
  let low = 0;
  let high = ring.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = ring[middle]?.hash ?? 0;
    if (hash === at) return middle;
    if (hash > at) low = middle + 1;
    else high = middle;
  }
  return low;
};

class ConsistentSource extends RoundRobinSource {
  #place: number;
  #misses = 0;

  constructor(
    request: Asker,
    primary: Peers,
    backup: Peers | undefined,
    private readonly ring: readonly Point[],
    private readonly key: string,
  ) {
    super(request, primary, backup);
    this.#place = key === '' ? 0 : placeOf(ring, crc32(key));
  }

  protected override choose(): GroupPeer | undefined {
    const now = seconds();
    while (this.key !== '' && this.#misses <= MOST_TRIES) {
      const server = this.ring[this.#place % this.ring.length]?.server;
      const peer = this.byWeight(now, (one) => one.server === server);
      if (peer) return peer;
      this.#place++;
      this.#misses++;
    }
    return super.choose();
  }
}

export const consistentHash = <R extends Asker & Subject>(key: Template<R>): Balance<R> => {
  const rings = new WeakMap<Peers, readonly Point[]>();
  return (request, primary, backup) => {
    let ring = rings.get(primary);
    if (!ring) {
      ring = ringOf(primary);
      rings.set(primary, ring);
    }
    return new ConsistentSource(request, primary, backup, ring, key.text(request));
  };
};
