import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Location, Server } from '../../../src/http/location.ts';
import { Request, type Stream } from '../../../src/http/request.ts';
import { PEER_FAILED, PEER_OK, PEER_STALE } from '../../../src/upstream/contract.ts';
import { GroupPeer, type PeerSettings, Peers, PLAIN_SERVER } from '../../../src/upstream/peers.ts';
import { RoundRobinSource } from '../../../src/upstream/round-robin.ts';
import { Zone } from '../../../src/zone/zones.ts';

const server = new Server();
server.location = new Location('server', '', false, undefined, false);
const stream: Stream = Object.create(null);
const request = new Request(stream, server, undefined, 0);

const peers = (settings: readonly Partial<PeerSettings>[], name = 'p', zone?: Zone): Peers => {
  const list = settings.map((one, i) => new GroupPeer(`${name}${i}`, '', {}, { ...PLAIN_SERVER, ...one }));
  return new Peers(list, list.length === 1 && name === 'p', zone);
};

/** The names of the peers that so many requests get, each done before the next. */
const names = (primary: Peers, count: number, state: number = PEER_OK): string => {
  const seen: string[] = [];
  for (let i = 0; i < count; i++) {
    const source = new RoundRobinSource(request, primary, undefined);
    const peer = source.pick();
    seen.push(peer ? peer.name.slice(1) : '-');
    if (peer instanceof GroupPeer) source.release(peer, state);
  }
  return seen.join('');
};

describe('round robin', () => {
  it('takes turns', () => assert.equal(names(peers([{}, {}, {}]), 6), '012012'));
  it('spreads weights smoothly', () => {
    assert.equal(names(peers([{ weight: 5 }, {}, {}]), 7), '0010200');
  });
  it('leaves out what is down', () => assert.equal(names(peers([{}, { down: true }, {}]), 4), '0202'));
  it('has nobody when all are down', () =>
    assert.equal(names(peers([{ down: true }, { down: true }]), 1), '-'));
  it('takes a failed peer out of service', () => {
    const group = peers([{}, {}]);
    assert.equal(names(group, 2, PEER_FAILED), '01');
    assert.equal(names(group, 1), '-');
  });
  it('never takes a single peer out for failures', () =>
    assert.equal(names(peers([{}]), 3, PEER_FAILED), '000'));
  it('does not count the close of a reused connection', () => {
    assert.equal(names(peers([{}, {}]), 4, PEER_STALE), '0101');
  });
  it('does not count failures with max_fails=0', () => {
    assert.equal(names(peers([{ maxFails: 0 }, { maxFails: 0 }]), 4, PEER_FAILED), '0101');
  });

  it('tries each peer once, then the backups', () => {
    const source = new RoundRobinSource(request, peers([{}, {}]), peers([{}], 'b'));
    assert.equal(source.tries, 3);
    const seen: string[] = [];
    for (let peer = source.pick(); peer instanceof GroupPeer; peer = source.pick()) {
      seen.push(peer.name);
      source.release(peer, PEER_FAILED);
    }
    assert.deepEqual(seen, ['p0', 'p1', 'b0']);
    assert.equal(source.tries, 0);
  });

  it('keeps to max_conns', () => {
    const group = peers([{ maxConns: 1 }, { maxConns: 1 }]);
    const sources = [1, 2, 3].map(() => new RoundRobinSource(request, group, undefined));
    assert.deepEqual(
      sources.map((source) => source.pick()?.name),
      ['p0', 'p1', undefined],
    );
  });

  it('knows more peers than a word has bits', () => {
    const group = peers(new Array<Partial<PeerSettings>>(40).fill({}));
    const source = new RoundRobinSource(request, group, undefined);
    const seen = new Set<string>();
    for (let peer = source.pick(); peer instanceof GroupPeer; peer = source.pick()) {
      seen.add(peer.name);
      source.release(peer, PEER_FAILED);
    }
    assert.equal(seen.size, 40);
  });

  it('shares its counters through a zone', () => {
    const zone = new Zone('z', 'upstream', 65536, {});
    zone.give(new ArrayBuffer(65536));
    const [here, there] = [peers([{}, {}, {}], 'p', zone), peers([{}, {}, {}], 'p', zone)];
    assert.equal(names(here, 1) + names(there, 1) + names(here, 1), '012');
    assert.equal(names(here, 1, PEER_FAILED), '0');
    assert.equal(names(there, 4), '1212');
  });
});
