/** A process of its own for the zone tests: maps the file it is told of and does one job. */
import { mapShared } from '../../../src/platform/shared-memory.ts';
import { SharedCounters } from '../../../src/zone/counters.ts';
import { SharedLock } from '../../../src/zone/lock.ts';
import { RecordTable } from '../../../src/zone/record-table.ts';
import { SharedSlots } from '../../../src/zone/slots.ts';

const [job = '', path = '', bytes = '0', times = '0'] = process.argv.slice(2);
const memory = mapShared(path, Number(bytes));
const rounds = Number(times);

const jobs: Readonly<Record<string, () => void>> = {
  lock() {
    const words = new Int32Array(memory);
    const lock = new SharedLock(words, 0);
    for (let i = 0; i < rounds; i++) {
      lock.lock();
      words[1] = (words[1] ?? 0) + 1;
      lock.unlock();
    }
  },
  table() {
    const table = new RecordTable(memory, 1);
    for (let i = 0; i < rounds; i++) {
      const key = `key ${i % 500}`;
      table.lock();
      const record = table.find(key) || table.insert(key);
      table.set(record, 0, table.get(record, 0) + 1);
      table.touch(record);
      table.unlock();
    }
  },
  churn() {
    const table = new RecordTable(memory, 1);
    for (let i = 0; i < rounds; i++) {
      table.lock();
      const key = `${process.pid} ${i}`;
      if (table.insert(key) === 0) {
        table.remove(table.oldest());
        table.insert(key);
      }
      table.unlock();
    }
  },
  slots() {
    const slots = new SharedSlots(memory, 0, 3, 2, 1);
    for (let i = 0; i < rounds; i++) {
      slots.bump(1, 0, 1);
      slots.lock();
      slots.setDouble(2, 0, slots.double(2, 0) + 0.5);
      slots.unlock();
    }
  },
  counters() {
    const counters = new SharedCounters(memory, [0]);
    for (let i = 0; i < rounds; i++) counters.add(1, 1);
    counters.add(0, 7);
  },
  hold() {
    new RecordTable(memory, 1).lock();
    process.send?.('held');
    setInterval(() => {}, 1000);
  },
};
jobs[job]?.();
