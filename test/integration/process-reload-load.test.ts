/** Ten reloads under load: no request fails, neither on a kept connection nor through the pool behind it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { BINARY, IS_NGINX, type Subject, startProxy } from '../kit/proxy.ts';
import { rigFor } from '../kit/rig.ts';
import { findTool, needs } from '../kit/tools.ts';

const RELOADS = 10;
/** The load is stopped when the reloads are done; this only bounds it. */
const LONGEST_S = 120;

const HTTP = `
  upstream pool { server 127.0.0.1:%port:behind%; keepalive 16; }
  server {
    listen 127.0.0.1:%port%;
    location / { return 200 "here"; }
    location /proxied { proxy_pass http://pool; }
  }
  server { listen 127.0.0.1:%port:behind%; location / { return 200 "there"; } }
`;

/** `-s reload`, which answers when the new workers serve; its exit code and what it said. */
const reload = async (subject: Subject): Promise<string> => {
  const child = spawn(BINARY, ['-p', subject.dir, '-c', subject.confPath, '-s', 'reload'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  return `${code} ${said}`;
};

for (const path of ['/', '/proxied']) {
  const skip = IS_NGINX ? 'nginx fails requests here' : needs('wrk');
  test(`ten reloads under load fail no request of ${path}`, { skip }, async (t) => {
    const subject = await startProxy(rigFor(t), { http: HTTP, workers: 2, level: 'notice' });
    const url = `http://127.0.0.1:${subject.port()}${path}`;
    const load = spawn(findTool('wrk') ?? 'wrk', ['-t2', '-c64', `-d${LONGEST_S}s`, url], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const report = text(load.stdout);
    const answers: string[] = [];
    for (let count = 0; count < RELOADS; count++) answers.push(await reload(subject));
    load.kill('SIGINT');
    const seen = await report;
    assert.deepEqual(answers, new Array(RELOADS).fill('0 '));
    assert.doesNotMatch(seen, /Socket errors|Non-2xx/, seen);
    assert.ok(Number(/(\d+) requests in/.exec(seen)?.[1]) > RELOADS, seen);
    assert.doesNotMatch(subject.log, /\[(warn|error|crit|alert|emerg)\]/);
  });
}
