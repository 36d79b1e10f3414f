/** The order of streams by dependency and weight (RFC 7540 section 5.3). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PriorityTree } from '../../../src/http/http2/priority-tree.ts';

const orderOf = (tree: PriorityTree, ids: readonly number[]): number[] =>
  [...ids].sort((a, b) => tree.compare(a, b));

test('streams without a word about them keep their order', () => {
  const tree = new PriorityTree();
  for (const id of [1, 3, 5]) tree.open(id, undefined, 0, false);
  assert.deepEqual(orderOf(tree, [5, 1, 3]), [5, 1, 3]);
});

test('the heavier goes first', () => {
  const tree = new PriorityTree();
  tree.open(1, 1, 0, false);
  tree.open(3, 256, 0, false);
  tree.open(5, 16, 0, false);
  assert.deepEqual(orderOf(tree, [1, 3, 5]), [3, 5, 1]);
});

test('a stream goes before those that depend on it, whatever they weigh', () => {
  const tree = new PriorityTree();
  tree.open(1, 256, 3, false);
  tree.set(3, 1, 0, false);
  tree.set(1, 256, 3, false);
  tree.open(3, undefined, 0, false);
  assert.deepEqual(orderOf(tree, [1, 3]), [3, 1]);
});

test('an exclusive dependency puts itself above all others', () => {
  const tree = new PriorityTree();
  tree.open(1, 16, 0, false);
  tree.open(3, 256, 0, false);
  tree.open(5, 1, 0, true);
  assert.deepEqual(orderOf(tree, [1, 3, 5]), [5, 3, 1]);
});

test('a stream that comes to depend on one below it pulls that one up', () => {
  const tree = new PriorityTree();
  tree.open(1, 16, 0, false);
  tree.open(3, 16, 1, false);
  tree.open(5, 16, 3, false);
  tree.set(1, 16, 5, false);
  assert.deepEqual(orderOf(tree, [1, 3, 5]), [5, 1, 3]);
});

test('what is said of streams before they begin holds', () => {
  const tree = new PriorityTree();
  tree.set(5, 16, 0, false);
  tree.set(1, 256, 5, false);
  tree.set(3, 1, 5, false);
  for (const id of [1, 3, 5]) tree.open(id, undefined, 0, false);
  assert.deepEqual(orderOf(tree, [1, 3, 5]), [5, 1, 3]);
});

test('only so many closed streams are remembered, and those behind a forgotten one take its place', () => {
  const tree = new PriorityTree();
  tree.open(1, 16, 0, false);
  tree.open(3, 16, 1, false);
  tree.open(5, 16, 0, false);
  assert.deepEqual(orderOf(tree, [3, 5]), [5, 3]);
  tree.close(1);
  for (let id = 7; id < 10_000; id += 2) {
    tree.open(id, 16, 0, false);
    tree.close(id);
  }
  assert.equal(tree.compare(3, 5), 0);
  assert.ok(tree.size < 40, `${tree.size} are remembered`);
});

test('a circle of dependencies is none', () => {
  const tree = new PriorityTree();
  for (const id of [1, 3, 5, 7]) tree.open(id, 16, id === 1 ? 0 : id - 2, false);
  tree.set(1, 16, 7, true);
  tree.set(3, 16, 1, true);
  tree.set(7, 16, 3, false);
  assert.deepEqual(orderOf(tree, [1, 3, 5, 7]).length, 4);
});
