/** What runs when the code that runs now has returned. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runWaiting, soon, type Task } from '../../../src/net/soon.ts';
import { freeze, thaw } from '../../../src/net/timers.ts';

/** A task that notes its name, and asks for others. */
const task = (name: string, ran: string[], then: readonly Task[] = []): Task => ({
  run: () => {
    ran.push(name);
    for (const one of then) soon(one);
  },
});

const nextTick = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

test('in a read: at its end, in order, with what is asked for meanwhile', async () => {
  const ran: string[] = [];
  freeze();
  soon(task('first', ran, [task('third', ran)]));
  soon(task('second', ran));
  assert.deepEqual(ran, []);
  runWaiting();
  thaw();
  assert.deepEqual(ran, ['first', 'second', 'third']);
  await nextTick();
  assert.equal(ran.length, 3);
});

test('elsewhere: at the next tick, once', async () => {
  const ran: string[] = [];
  soon(task('first', ran, [task('third', ran)]));
  soon(task('second', ran));
  assert.deepEqual(ran, []);
  await nextTick();
  assert.deepEqual(ran, ['first', 'second', 'third']);
});

test('one that throws keeps no other from running', async () => {
  const ran: string[] = [];
  freeze();
  soon({
    run: () => {
      throw new Error('on purpose');
    },
  });
  soon(task('behind', ran));
  assert.throws(runWaiting, /on purpose/);
  thaw();
  assert.deepEqual(ran, []);
  await nextTick();
  assert.deepEqual(ran, ['behind']);
});
