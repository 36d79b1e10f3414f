/** Memory that one TLS connection after another writes to. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { roomOf } from '../../../src/tls/room.ts';

const CTRL_PENDING = 10;

describe('memory for TLS connections', () => {
  const room = roomOf();
  const { ssl } = room;
  const text = Buffer.from('of one connection');
  const pending = (memory: number): number => ssl.BIO_ctrl(memory, CTRL_PENDING, 0, 0);
  /** What becomes of it when a connection has written to it, and ends. */
  const used = (memory: number): void => {
    assert.equal(ssl.BIO_write_bytes(memory, text, text.length), text.length);
    assert.equal(pending(memory), text.length);
    ssl.BIO_free(memory);
  };

  test('is used again, and holds nothing of the connection before', () => {
    const memory = room.memory();
    used(memory);
    room.giveBack(memory, text.length);
    const next = room.memory();
    assert.equal(next, memory);
    assert.equal(pending(next), 0);
    ssl.BIO_free(next);
    room.giveBack(next, 0);
  });

  test('is not shared by two connections at a time', () => {
    const memories = [room.memory(), room.memory(), room.memory()];
    assert.equal(new Set(memories).size, 3);
    for (const memory of memories) {
      used(memory);
      room.giveBack(memory, text.length);
    }
    assert.deepEqual(new Set([room.memory(), room.memory(), room.memory()]), new Set(memories));
  });

  test('that has held much is given up', () => {
    const memory = room.memory();
    const before = room.memory();
    used(memory);
    room.giveBack(memory, 65536);
    used(before);
    room.giveBack(before, text.length);
    assert.equal(room.memory(), before);
  });
});
