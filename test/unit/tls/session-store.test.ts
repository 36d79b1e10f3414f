/** Sessions in shared memory: found again by every process, the oldest going first; keys of tickets that rotate. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { SessionStore, StoreKeys } from '../../../src/tls/session-store.ts';
import { fixedKeys, parseTicketKey } from '../../../src/tls/tickets.ts';

const SMALLEST = 32768;

describe('the session store', () => {
  it('finds what was added, in any process that has the memory', () => {
    const memory = new ArrayBuffer(SMALLEST);
    const [one, other] = [new SessionStore(memory), new SessionStore(memory)];
    const id = randomBytes(32);
    const session = randomBytes(150);
    assert.equal(other.find(id), undefined);
    assert.equal(one.add(id, session, 10), true);
    assert.deepEqual(other.find(id), session);
    other.remove(id);
    assert.equal(one.find(id), undefined);
  });

  it('forgets what is over', () => {
    const store = new SessionStore(new ArrayBuffer(SMALLEST));
    const id = randomBytes(32);
    store.add(id, randomBytes(100), 0);
    assert.equal(store.find(id), undefined);
  });

  it('keeps none that is too large', () => {
    const store = new SessionStore(new ArrayBuffer(SMALLEST));
    assert.equal(store.add(randomBytes(32), Buffer.alloc(4097), 10), false);
    assert.equal(store.add(randomBytes(33), Buffer.alloc(10), 10), false);
  });

  it('drops the oldest for the newest, round and round, whatever their sizes', () => {
    const store = new SessionStore(new ArrayBuffer(SMALLEST));
    const kept: { id: Buffer; session: Buffer }[] = [];
    let present = 0;
    for (let i = 0; i < 3000; i++) {
      const id = randomBytes(1 + (i % 32));
      const session = randomBytes(1 + ((i * 37) % 700));
      assert.equal(store.add(id, session, 100), true);
      kept.push({ id, session });
      if (i % 5 === 0) {
        const gone = kept.splice(kept.length - 2, 1)[0];
        if (gone) store.remove(gone.id);
      }
      if (i % 100 !== 99) continue;
      // What is left is a run of the newest; short ids may have come twice.
      const found = kept.slice(-12).filter(({ id: own }) => own.length > 8);
      for (const { id: own, session: bytes } of found) assert.deepEqual(store.find(own), bytes);
      present = kept.filter(({ id: own }) => store.find(own) !== undefined).length;
    }
    assert.ok(present > 30 && present < 300, `${present}`);
  });

  it('has room for one that fills most of it', () => {
    const store = new SessionStore(new ArrayBuffer(SMALLEST));
    for (let i = 0; i < 40; i++) {
      const id = randomBytes(32);
      const session = randomBytes(4096);
      assert.equal(store.add(id, session, 10), true);
      assert.deepEqual(store.find(id), session);
    }
  });
});

describe('keys of tickets', () => {
  it('are the same for all who share the memory, and stay while tickets live', () => {
    const memory = new ArrayBuffer(SMALLEST);
    const [one, other] = [
      new StoreKeys(new SessionStore(memory), 100),
      new StoreKeys(new SessionStore(memory), 100),
    ];
    const [first] = one.current();
    assert.equal(first?.aes.length, 32);
    assert.deepEqual(other.current(), one.current());
    assert.deepEqual(one.current()[0], first);
  });

  it('rotate when the last one is needed no longer', async () => {
    const store = new SessionStore(new ArrayBuffer(SMALLEST));
    const keys = new StoreKeys(store, 0);
    const [first] = keys.current();
    assert.ok(first);
    const deadline = Date.now() + 8000;
    let all = keys.current();
    while (all[0]?.name.equals(first.name)) {
      assert.ok(Date.now() < deadline);
      await new Promise((done) => setTimeout(done, 100));
      all = keys.current();
    }
    // The one before opens tickets still.
    assert.ok(all[1]?.name.equals(first.name));
  });

  it('come from files of 48 or 80 bytes', () => {
    const bytes = randomBytes(80);
    const long = parseTicketKey(bytes);
    assert.deepEqual(
      [long?.name, long?.hmac, long?.aes],
      [bytes.subarray(0, 16), bytes.subarray(16, 48), bytes.subarray(48)],
    );
    const short = parseTicketKey(bytes.subarray(0, 48));
    assert.deepEqual([short?.aes, short?.hmac], [bytes.subarray(16, 32), bytes.subarray(32, 48)]);
    assert.equal(parseTicketKey(bytes.subarray(0, 79)), undefined);
  });

  it('are made of a secret, others for each context', () => {
    const secret = randomBytes(32);
    assert.deepEqual(fixedKeys(secret, 'a'), fixedKeys(secret, 'a'));
    assert.notDeepEqual(fixedKeys(secret, 'a'), fixedKeys(secret, 'b'));
    assert.equal(fixedKeys(secret, 'a').length, 80);
  });
});
