import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Roster } from '../../../src/http/http2/roster.ts';
import { Chain, type Link } from '../../../src/net/chain.ts';

class Member implements Link<Member> {
  before: Member | undefined = undefined;
  after: Member | undefined = undefined;
  constructor(readonly id: number) {}
}
const members = (): Member[] => [1, 2, 3, 4].map((id) => new Member(id));
const ids = (all: Iterable<Member>): number[] => [...all].map(({ id }) => id);

/** Taken away in this order, and what is left each time. */
const ORDERS = [
  [1, 2, 3, 4],
  [4, 3, 2, 1],
  [2, 3, 1, 4],
  [3, 1, 4, 2],
];

describe('a chain', () => {
  for (const order of ORDERS) {
    it(`keeps its order while ${order.join(', ')} go`, () => {
      const all = members();
      const chain = new Chain<Member>();
      for (const member of all) chain.add(member);
      let left = [1, 2, 3, 4];
      for (const id of order) {
        const member = all[id - 1];
        assert.ok(member);
        chain.delete(member);
        // Told twice, as of a connection that is closed from both sides.
        chain.delete(member);
        left = left.filter((other) => other !== id);
        assert.deepEqual([ids(chain), chain.size], [left, left.length]);
        assert.deepEqual([member.before, member.after], [undefined, undefined]);
      }
    });
  }

  it('takes back what was taken out', () => {
    const chain = new Chain<Member>();
    const [one, two] = members();
    assert.ok(one && two);
    chain.add(one);
    chain.add(two);
    chain.delete(one);
    chain.add(one);
    assert.deepEqual(ids(chain), [2, 1]);
  });
});

describe('a roster', () => {
  for (const order of ORDERS) {
    it(`keeps its order while ${order.join(', ')} go`, () => {
      const all = members();
      const roster = new Roster<Member>();
      for (const member of [...all, ...all]) roster.add(member);
      let left = [1, 2, 3, 4];
      for (const id of order) {
        const member = all[id - 1];
        assert.ok(member);
        assert.equal(roster.get(id), member);
        roster.delete(member);
        roster.delete(member);
        left = left.filter((other) => other !== id);
        assert.deepEqual([ids(roster), roster.size], [left, left.length]);
        assert.equal(roster.get(id), undefined);
        assert.equal(roster.has(member), false);
      }
      assert.equal(roster.shift(), undefined);
    });
  }

  it('gives the first away', () => {
    const roster = new Roster<Member>();
    for (const member of members()) roster.add(member);
    assert.equal(roster.shift()?.id, 1);
    assert.deepEqual(ids(roster), [2, 3, 4]);
  });
});
