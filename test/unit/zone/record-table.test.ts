import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RecordTable } from '../../../src/zone/record-table.ts';

const table = (bytes = 65536, fields = 3): RecordTable => new RecordTable(new ArrayBuffer(bytes), fields);
const order = (records: RecordTable): number[] => {
  const found = [];
  for (let record = records.oldest(); record !== 0; record = records.newer(record)) found.push(record);
  return found;
};

describe('a table of records', () => {
  it('finds what was inserted, by every byte of the key', () => {
    const records = table();
    const keys = [
      'a',
      'b',
      '\x00',
      '\x00\x00',
      '\xff\xfe',
      'x'.repeat(255),
      `${'x'.repeat(254)}y`,
      'x'.repeat(256),
    ];
    const numbers = keys.map((key) => records.insert(key));
    assert.equal(new Set(numbers).size, keys.length);
    assert.deepEqual(
      keys.map((key) => records.find(key)),
      numbers,
    );
    assert.equal(records.find('c'), 0);
    assert.equal(records.count, keys.length);
  });

  it('keeps a text beside the fields', () => {
    const memory = new ArrayBuffer(65536);
    const [records, elsewhere] = [new RecordTable(memory, 2, 32), new RecordTable(memory, 2, 32)];
    const longest = '\xff'.repeat(32);
    const [a, b] = [records.insert('a'.repeat(300)), records.insert('b')];
    assert.equal(records.text(a), '');
    records.setText(a, longest);
    records.set(a, 1, Math.PI);
    records.setText(b, 'b0');
    records.setText(b, 'b');
    assert.deepEqual([elsewhere.text(a), elsewhere.text(b), elsewhere.get(a, 1)], [longest, 'b', Math.PI]);
    assert.deepEqual([elsewhere.find('a'.repeat(300)), elsewhere.key(b)], [a, 'b']);
    records.remove(b);
    assert.equal(records.text(records.insert('c')), '');
  });

  it('keeps fields apart, and clears them for the next user', () => {
    const records = table();
    const [a, b] = [records.insert('a'), records.insert('b')];
    records.set(a, 0, 1.5);
    records.set(a, 2, -3);
    records.set(b, 0, 2 ** 40);
    assert.deepEqual(
      [records.get(a, 0), records.get(a, 1), records.get(a, 2), records.get(b, 0)],
      [1.5, 0, -3, 2 ** 40],
    );
    records.remove(a);
    const c = records.insert('c');
    assert.equal(c, a);
    assert.deepEqual([records.get(c, 0), records.get(c, 2)], [0, 0]);
    assert.equal(records.find('c'), c);
    assert.equal(records.find('a'), 0);
  });

  it('orders records by their last use', () => {
    const records = table();
    const [a, b, c] = [records.insert('a'), records.insert('b'), records.insert('c')];
    records.touch(a);
    assert.deepEqual(order(records), [b, c, a]);
    records.touch(a);
    records.touch(c);
    assert.deepEqual(order(records), [b, a, c]);
    records.remove(a);
    assert.deepEqual(order(records), [b, c]);
    records.remove(b);
    records.remove(c);
    assert.deepEqual(order(records), []);
    assert.equal(records.count, 0);
  });

  it('says when it is full, and has room again after a removal', () => {
    const records = table(32768);
    for (let i = 0; i < records.capacity; i++) assert.notEqual(records.insert(`key ${i}`), 0);
    assert.equal(records.insert('one more'), 0);
    records.remove(records.oldest());
    assert.notEqual(records.insert('one more'), 0);
    assert.equal(records.find('key 0'), 0);
    assert.notEqual(records.find('key 1'), 0);
  });

  it('holds about sixteen thousand states in a megabyte, as nginx does', () => {
    assert.ok(table(1 << 20, 3).capacity > 15_000);
  });

  it('agrees with a map over many random operations', () => {
    const records = table(32768, 1);
    const model = new Map<string, number>();
    let seed = 1;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return (seed >> 8) % below;
    };
    for (let i = 0; i < 20_000; i++) {
      const key = `key ${random(600)}`;
      const record = records.find(key);
      assert.equal(record !== 0, model.has(key));
      if (record !== 0 && random(2) === 0) {
        records.remove(record);
        model.delete(key);
      } else if (record !== 0) {
        assert.equal(records.get(record, 0), model.get(key));
        records.touch(record);
      } else {
        const made = records.insert(key);
        assert.equal(made === 0, model.size === records.capacity);
        if (made === 0) continue;
        records.set(made, 0, i);
        model.set(key, i);
      }
    }
    assert.equal(records.count, model.size);
    assert.equal(order(records).length, model.size);
  });
});
