import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { libcAvailable } from '../../../src/platform/libc.ts';
import { mapZones, ZoneStore } from '../../../src/zone/registry.ts';
import { type Zone, type ZoneOptions, ZoneSet } from '../../../src/zone/zones.ts';

const fail = (reason: string): never => {
  throw new Error(reason);
};
const noWarning = (reason: string): void => assert.fail(reason);

const zones = (
  ...rows: [name: string, bytes: number, use: string, options?: ZoneOptions][]
): readonly Zone[] => {
  const set = new ZoneSet();
  for (const [name, bytes, use, options] of rows) set.declare(name, bytes, use, fail, options);
  return set.complete(fail);
};

describe('zones of a configuration', () => {
  it('are one zone where the name, the use and the size agree', () => {
    const set = new ZoneSet();
    const referred = set.declare('one', 0, 'limit_req', fail);
    assert.equal(set.declare('one', 65536, 'limit_req', fail), referred);
    assert.equal(set.declare('one', 0, 'limit_req', fail), referred);
    assert.equal(referred.bytes, 65536);
    assert.throws(() => referred.memory, /no memory yet/);
  });

  it('keep what the declaration says of one that is used above it', () => {
    const set = new ZoneSet();
    const referred = set.declare('one', 0, 'limit_req', fail);
    set.declare('one', 65536, 'limit_req', fail, { identity: '$remote_addr' });
    assert.equal(referred.options.identity, '$remote_addr');
    set.declare('one', 0, 'limit_req', fail);
    assert.equal(referred.options.identity, '$remote_addr');
  });

  const refused: [rows: Parameters<typeof zones>, message: string][] = [
    [
      [
        ['a', 65536, 'limit_req'],
        ['a', 65536, 'limit_conn'],
      ],
      'the shared memory zone "a" is already declared for a different use',
    ],
    [
      [
        ['a', 65536, 'limit_req'],
        ['a', 131072, 'limit_req'],
      ],
      'the size 131072 of shared memory zone "a" conflicts with already declared size 65536',
    ],
    [[['a', 0, 'limit_req']], 'zero size shared memory zone "a"'],
  ];
  for (const [rows, message] of refused) {
    it(`are refused: ${message}`, () => assert.throws(() => zones(...rows), { message }));
  }

  it('have memory of their own where none is shared', () => {
    const own = zones(['a', 4096, 'x']);
    mapZones(own, [], noWarning);
    assert.equal(own[0]?.memory.byteLength, 4096);
  });

  it('have memory of their own, with a warning, where it cannot be mapped', () => {
    const warnings: string[] = [];
    const own = zones(['a', 4096, 'x']);
    mapZones(own, [{ name: 'a', path: '/nonexistent/zone', bytes: 4096 }], (reason) => warnings.push(reason));
    assert.equal(own[0]?.memory.byteLength, 4096);
    assert.match(
      warnings.join(),
      /^zone "a" is not shared, each worker has its own: 2: No such file or directory$/,
    );
  });
});

describe('memory of zones across reloads', { skip: !libcAvailable() }, () => {
  const first = (
    rows: readonly Zone[],
    store: ZoneStore,
  ): { words: Int32Array; accept: () => void; refuse: () => void } => {
    const change = store.change(rows);
    mapZones(rows, change.zones, noWarning);
    const zone = rows[0];
    assert.ok(zone);
    return { words: new Int32Array(zone.memory), accept: change.accept, refuse: change.refuse };
  };

  it('stays where name, use and size stay, and is new where one of them changes', () => {
    const store = new ZoneStore();
    const old = first(zones(['a', 4096, 'x']), store);
    old.words[3] = 17;
    old.accept();
    const kept = first(zones(['a', 4096, 'x']), store);
    assert.equal(kept.words[3], 17);
    kept.accept();
    assert.equal(first(zones(['a', 8192, 'x']), store).words[3], 0);
    assert.equal(first(zones(['a', 4096, 'y']), store).words[3], 0);
    assert.equal(first(zones(['a', 4096, 'x', { fresh: true }]), store).words[3], 0);
    assert.equal(first(zones(['a', 4096, 'x']), store).words[3], 17);
    store.close();
  });

  it('can be read by what takes its place, when that is of the same use', () => {
    const store = new ZoneStore();
    const fresh: ZoneOptions = { fresh: true };
    const old = first(zones(['a', 4096, 'x', fresh]), store);
    old.words[3] = 17;
    old.accept();
    const next = (use: string, bytes: number): Zone => {
      const [zone] = zones(['a', bytes, use, fresh]);
      assert.ok(zone);
      first([zone], store);
      return zone;
    };
    for (const bytes of [4096, 8192]) {
      const memory = next('x', bytes).previous?.();
      assert.equal(memory?.byteLength, 4096);
      assert.equal(memory && new Int32Array(memory)[3], 17);
    }
    assert.equal(next('y', 4096).previous, undefined);
    store.close();
  });

  it('is refused to a zone that counts something else now', () => {
    const store = new ZoneStore();
    const options = (identity: string): ZoneOptions => ({
      identity,
      changed: (before) =>
        `limit_req "a" uses the "${identity}" key while previously it used the "${before}" key`,
    });
    store.change(zones(['a', 4096, 'limit_req', options('$uri')])).accept();
    assert.throws(() => store.change(zones(['a', 4096, 'limit_req', options('$host')])), {
      message: 'limit_req "a" uses the "$host" key while previously it used the "$uri" key',
    });
    store.close();
  });

  it('leaves no file and no descriptor behind', () => {
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    const before = descriptors();
    const store = new ZoneStore();
    const rows = zones(['a', 4096, 'x'], ['b', 4096, 'x']);
    store.change(rows).accept();
    assert.equal(descriptors(), before + 2);
    store.change(zones(['a', 4096, 'x'])).accept();
    assert.equal(descriptors(), before + 1);
    store.change(zones(['a', 4096, 'x'], ['c', 4096, 'x'])).refuse();
    assert.equal(descriptors(), before + 1);
    store.close();
    assert.equal(descriptors(), before);
    assert.deepEqual(
      readdirSync('/dev/shm').filter((name) => name.startsWith(`sluice.${process.pid}.`)),
      [],
    );
  });
});
