/** `limit_rate`: how long a reply takes, whole and in order. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';

const rig = new Rig();
let proxy: Subject;
const BODY = Array.from({ length: 30_000 }, (_, i) => `${i}`.padStart(10, '0')).join('');

before(async () => {
  proxy = await startProxy(rig, {
    http: `server { listen 127.0.0.1:%port%; root %dir%;
      location /limited { limit_rate 150k; }
      location /after { limit_rate 10k; limit_rate_after 1m; }
      location /set { set $limit_rate 150k; }
      location /off { limit_rate 1; set $limit_rate 0; } }`,
  });
  for (const name of ['limited', 'after', 'set', 'off']) writeFileSync(join(rig.dir, name), BODY);
});
after(() => rig.close());

const seconds = async (target: string): Promise<number> => {
  const begun = performance.now();
  const reply = await proxy.get(target);
  assert.equal(reply.body, BODY);
  return (performance.now() - begun) / 1000;
};

describe('limit_rate', { concurrency: true }, () => {
  // What is due counts from the start of the second in which the request came: up to one second less.
  for (const target of ['/limited', '/set']) {
    test(`${target} takes its time`, async () => {
      const took = await seconds(target);
      assert.ok(took > 0.7 && took < 4, `${took} s`);
    });
  }
  for (const target of ['/after', '/off']) {
    test(`${target} does not`, async () => {
      const took = await seconds(target);
      assert.ok(took < 0.7, `${took} s`);
    });
  }
});
