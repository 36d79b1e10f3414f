import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { describe, it } from 'node:test';
import { freeze, monotonic, Timer, type TimerOwner, thaw, wallClock } from '../../../src/net/timers.ts';

/** Tells of its timer's end, and when it was. */
class Owner extends EventEmitter implements TimerOwner {
  readonly timer = new Timer(this);
  readonly #log: string[];
  readonly #name: string;
  at = 0;

  constructor(name = '', log: string[] = []) {
    super();
    this.#name = name;
    this.#log = log;
  }

  onTimer(timer: Timer): void {
    assert.equal(timer, this.timer);
    assert.equal(timer.running, false);
    this.at = performance.now();
    this.#log.push(this.#name);
    this.emit('end');
  }

  /** Started, and awaited: the event loop is kept alive, which timeouts do not do themselves. */
  async ended(): Promise<void> {
    const alive = setInterval(() => undefined, 1000);
    await once(this, 'end');
    clearInterval(alive);
  }
}

describe('timers', () => {
  it('run out in the order of their deadlines, never early', async () => {
    const log: string[] = [];
    const begun = performance.now();
    const owners = [90, 10, 50, 30, 70].map((ms) => ({ ms, owner: new Owner(`${ms}`, log) }));
    const last = owners[0]?.owner.ended();
    for (const { ms, owner } of owners) owner.timer.start(ms);
    await last;
    assert.deepEqual(log, ['10', '30', '50', '70', '90']);
    for (const { ms, owner } of owners) assert.ok(owner.at - begun >= ms, `${ms}: ${owner.at - begun}`);
  });

  it('that are restarted run out once, at the later deadline', async () => {
    const log: string[] = [];
    const moved = new Owner('moved', log);
    const fixed = new Owner('fixed', log);
    moved.timer.start(10);
    fixed.timer.start(40);
    const ended = moved.ended();
    moved.timer.start(80);
    await ended;
    assert.deepEqual(log, ['fixed', 'moved']);
  });

  it('that are restarted for an earlier time run out then', async () => {
    const log: string[] = [];
    const moved = new Owner('moved', log);
    const fixed = new Owner('fixed', log);
    moved.timer.start(60_000);
    fixed.timer.start(60);
    moved.timer.start(10);
    await fixed.ended();
    assert.deepEqual(log, ['moved', 'fixed']);
  });

  it('that are stopped or removed do not run out, and can be started again', async () => {
    const log: string[] = [];
    const [stopped, removed, again] = ['stopped', 'removed', 'again'].map((name) => new Owner(name, log));
    const marker = new Owner('marker', log);
    assert.ok(stopped && removed && again);
    for (const { timer } of [stopped, removed, again]) timer.start(10);
    stopped.timer.stop();
    removed.timer.remove();
    again.timer.stop();
    again.timer.start(30);
    assert.deepEqual(
      [stopped.timer.running, removed.timer.running, again.timer.running],
      [false, false, true],
    );
    marker.timer.start(60);
    await marker.ended();
    assert.deepEqual(log, ['again', 'marker']);
  });

  it('can be removed whether they run or not', () => {
    const { timer } = new Owner();
    timer.remove();
    timer.start(10);
    timer.remove();
    timer.remove();
    assert.deepEqual(
      [timer.running, timer.tick, timer.next, timer.previous],
      [false, -1, undefined, undefined],
    );
  });

  it('of one slot are taken out wherever they stand', async () => {
    const log: string[] = [];
    const now = monotonic();
    const owners = ['a', 'b', 'c', 'd', 'e'].map((name) => new Owner(name, log));
    for (const { timer } of owners) timer.start(20, now);
    for (const index of [0, 2, 4]) owners[index]?.timer.remove();
    const marker = new Owner('marker', log);
    marker.timer.start(60);
    await marker.ended();
    assert.deepEqual(log.sort(), ['b', 'd', 'marker']);
  });

  it('may be started, stopped and removed by one that runs out', async () => {
    const log: string[] = [];
    const other = new Owner('other', log);
    const victim = new Owner('victim', log);
    const first = new Owner('first', log);
    const now = monotonic();
    victim.timer.start(20, now);
    first.timer.start(20, now);
    victim.timer.start(20, now);
    first.once('end', () => {
      victim.timer.remove();
      first.timer.start(20);
      other.timer.start(50);
    });
    await other.ended();
    assert.deepEqual(
      log.filter((name) => name !== 'victim'),
      ['first', 'first', 'other'],
    );
  });

  it('that are due at once run out soon', async () => {
    const owner = new Owner();
    owner.timer.start(0);
    await owner.ended();
    owner.timer.start(-1000);
    await owner.ended();
    assert.ok(owner.at > 0);
  });

  it('that are longer than the wheel wait in its last slot', () => {
    const { timer } = new Owner();
    const now = monotonic();
    timer.start(600_000, now);
    assert.equal(timer.deadline, now + 600_000);
    assert.ok(timer.tick * 8 < now + 70_000, 'looked at within a lap');
    timer.remove();
  });

  it('run from a given moment', async () => {
    const owner = new Owner();
    const now = monotonic();
    owner.timer.start(100, now - 80);
    await owner.ended();
    assert.ok(owner.at - now >= 20 && owner.at - now < 90, `${owner.at - now}`);
  });
});

describe('the clock', () => {
  it('stands until it goes again, and tells both times of that moment', () => {
    freeze();
    const [first, day] = [monotonic(), wallClock()];
    const until = performance.now() + 3;
    while (performance.now() < until);
    assert.deepEqual([monotonic(), wallClock()], [first, day]);
    thaw();
    assert.ok(monotonic() >= first + 3);
    assert.ok(Math.abs(wallClock() - Date.now()) < 50);
    assert.ok(Math.abs(day - Date.now()) < 1000);
  });
});
