/** Limits and counters hold for all workers together: four of them, each serving some of the connections. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import type { Wire } from '../kit/wire.ts';

const rig = new Rig();
let proxy: Subject;

before(async () => {
  proxy = await startProxy(rig, {
    workers: 4,
    http: `
      limit_req_zone $server_name zone=req:1m rate=1r/m;
      limit_conn_zone $server_name zone=conn:1m;
      server {
        listen 127.0.0.1:%port% reuseport;
        server_name limited;
        root %dir%;
        add_header X-Worker $pid always;
        location /req { limit_req zone=req burst=20 nodelay; limit_req_log_level info; alias %dir%/file; }
        location /conn { limit_conn conn 7; limit_conn_log_level info; limit_rate 1000; alias %dir%/file; }
        location /plain { return 200 ok; }
        location /stub { stub_status; }
      }`,
  });
  writeFileSync(join(rig.dir, 'file'), 'x'.repeat(4000));
});
after(() => rig.close());

/** As many connections at once as asked for, each with one request on it; the heads of their replies. */
const heads = async (count: number, target: string): Promise<{ wires: Wire[]; heads: string[] }> => {
  const wires = await Promise.all(Array.from({ length: count }, () => proxy.connect()));
  for (const wire of wires) wire.send(`GET ${target} HTTP/1.1\r\nHost: limited\r\nConnection: close\r\n\r\n`);
  return { wires, heads: await Promise.all(wires.map((wire) => wire.readHead())) };
};

const withStatus = (found: readonly string[], status: number): number =>
  found.filter((head) => head.startsWith(`HTTP/1.1 ${status} `)).length;

const workersOf = (found: readonly string[]): ReadonlySet<string> =>
  new Set(found.map((head) => /X-Worker: (\d+)/.exec(head)?.[1] ?? ''));

test('limit_req lets the burst and one more through, whichever worker asks', async () => {
  const { wires, heads: found } = await heads(80, '/req');
  for (const wire of wires) wire.close();
  assert.ok(workersOf(found).size > 1, 'more than one worker has answered');
  assert.equal(withStatus(found, 200), 21);
  assert.equal(withStatus(found, 503), 59);
});

test('limit_conn serves as many at a time as it says', async () => {
  const { wires, heads: found } = await heads(60, '/conn');
  assert.ok(workersOf(found).size > 1, 'more than one worker has answered');
  assert.equal(withStatus(found, 200), 7);
  assert.equal(withStatus(found, 503), 53);
  for (const wire of wires) wire.close();
  const free = async (): Promise<boolean> => {
    const again = await heads(7, '/conn');
    for (const wire of again.wires) wire.close();
    return withStatus(again.heads, 200) === 7;
  };
  let served = false;
  for (let tries = 0; tries < 100 && !served; tries++) served = await free();
  assert.ok(served, 'places are free again');
});

test('stub_status counts the connections and requests of all workers', async () => {
  const numbers = async (): Promise<readonly number[]> =>
    ((await proxy.get('/stub')).body.match(/\d+/g) ?? []).map(Number);
  let before: readonly number[] = [];
  for (let active = 0; active !== 1; active = before[0] ?? 0) before = await numbers();
  const wires = await Promise.all(Array.from({ length: 40 }, () => proxy.connect()));
  for (const wire of wires) {
    for (let n = 0; n < 3; n++) {
      await wire.request('GET /plain HTTP/1.1\r\nHost: limited\r\n\r\n');
    }
  }
  const during = await numbers();
  const [active = 0, accepts = 0, handled = 0, requests = 0, , , waiting = 0] = during;
  assert.equal(active, 41);
  assert.equal(waiting, 40);
  assert.equal(accepts - (before[1] ?? 0), 41);
  assert.equal(handled - (before[2] ?? 0), 41);
  assert.equal(requests - (before[3] ?? 0), 121);
  for (const wire of wires) wire.close();
  let left = active;
  const deadline = Date.now() + 4000;
  while (left !== 1 && Date.now() < deadline) left = (await numbers())[0] ?? 0;
  assert.equal(left, 1);
});
