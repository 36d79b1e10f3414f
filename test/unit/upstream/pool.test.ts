import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type KeepaliveConf, KeepalivePool } from '../../../src/upstream/pool.ts';
import { Backend, fine, gone } from './peer-connections.ts';

const conf: KeepaliveConf = { size: 2, local: false, requests: 1000, time: 3_600_000, timeout: 60_000 };
const backend = new Backend();

describe('the keepalive pool', () => {
  before(() => backend.start());
  after(() => backend.close());

  it('gives the most recently parked connection first', async () => {
    const pool = new KeepalivePool(conf);
    const [a, b] = [await backend.connect(), await backend.connect()];
    assert.equal(pool.park(a, fine), true);
    assert.equal(pool.park(b, fine), true);
    assert.equal(pool.take(backend.peer, fine.conf), b);
    assert.equal(pool.take(backend.peer, fine.conf), a);
    assert.equal(pool.take(backend.peer, fine.conf), undefined);
    a.discard();
    b.discard();
  });

  it('closes the least recently used one when it is full', async () => {
    const pool = new KeepalivePool(conf);
    const made = [await backend.connect(), await backend.connect(), await backend.connect()] as const;
    for (const connection of made) pool.park(connection, fine);
    await gone(made[0]);
    assert.equal(pool.count, 2);
    assert.equal(pool.take(backend.peer, fine.conf), made[2]);
    made[2].discard();
    pool.close();
    await gone(made[1]);
  });

  it('serves a location only with connections of its own when it is local', async () => {
    const pool = new KeepalivePool({ ...conf, local: true });
    const a = await backend.connect();
    pool.park(a, fine);
    assert.equal(pool.take(backend.peer, {}), undefined);
    assert.equal(pool.take(backend.peer, fine.conf), a);
    a.discard();
  });

  it('never gives a connection to another peer', async () => {
    const pool = new KeepalivePool(conf);
    const a = await backend.connect();
    pool.park(a, fine);
    assert.equal(pool.take({ ...backend.peer, name: '127.0.0.1:1' }, fine.conf), undefined);
    assert.equal(pool.take({ ...backend.peer }, fine.conf), a);
    a.discard();
  });

  const ends = {
    'a byte from the peer': (index: number) => backend.sockets[index]?.write('x'),
    'a close by the peer': (index: number) => backend.sockets[index]?.end(),
    'a reset by the peer': (index: number) => backend.sockets[index]?.resetAndDestroy(),
  };
  for (const [what, act] of Object.entries(ends)) {
    it(`takes a parked connection out at ${what}`, async () => {
      const pool = new KeepalivePool(conf);
      const index = backend.sockets.length;
      const a = await backend.connect();
      pool.park(a, fine);
      act(index);
      await gone(a);
      assert.equal(pool.count, 0);
      assert.equal(pool.take(backend.peer, fine.conf), undefined);
    });
  }

  it('does not give a connection whose close has been seen but not told yet', async () => {
    const pool = new KeepalivePool(conf);
    const a = await backend.connect();
    pool.park(a, fine);
    a.connection.socket.destroy();
    assert.equal(pool.take(backend.peer, fine.conf), undefined);
    assert.equal(pool.count, 0);
  });

  it('closes a connection when its time is over', async () => {
    const pool = new KeepalivePool({ ...conf, timeout: 20 });
    const a = await backend.connect();
    pool.park(a, fine);
    await gone(a);
    assert.equal(pool.count, 0);
  });

  it('keeps nothing once it is closed', async () => {
    const pool = new KeepalivePool(conf);
    const a = await backend.connect();
    pool.park(a, fine);
    pool.close();
    await gone(a);
    const b = await backend.connect();
    assert.equal(pool.park(b, fine), 'the worker is draining');
    b.discard();
  });
});
