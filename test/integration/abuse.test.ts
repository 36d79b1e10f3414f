/** Abuse in little: random requests and connections cut anywhere, a reload in the middle; nothing may leak or die. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EDGE_BODIES } from '../kit/edge-bodies.ts';
import { EDGE_HEADS } from '../kit/edge-heads.ts';
import { startFcgiBackend } from '../kit/fcgi-backend.ts';
import type { Backend } from '../kit/http-backend.ts';
import { reply, startBackend } from '../kit/http-backend.ts';
import { children, descriptors, residentKb } from '../kit/processes.ts';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { Random } from '../kit/random.ts';
import { rigFor } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';
import { Wire } from '../kit/wire.ts';

const MALFORMED = 2000;
const CUT = 500;
const AT_ONCE = 20;
const SEED = Number(process.env.ABUSE_SEED ?? 20_240_305);

const SEEDS = Object.values({ ...EDGE_BODIES, ...EDGE_HEADS })
  .flat()
  .map((each) => each.bytes);

/** A request with a few bytes changed, doubled, dropped, or cut off. */
function mutate(random: Random): string {
  let text = SEEDS[random.below(SEEDS.length)] ?? '';
  for (let changes = random.below(5); changes >= 0; changes--) {
    const at = random.below(text.length + 1);
    const rest = text.slice(at);
    const kind = random.below(5);
    if (kind === 0) {
      text = `${text.slice(0, at)}${String.fromCharCode(random.below(256))}${rest}`;
    } else if (kind === 1) {
      text = `${text.slice(0, at)}${rest.slice(1 + random.below(4))}`;
    } else if (kind === 2) {
      text = `${text.slice(0, at)}${rest.slice(0, random.below(30))}${rest}`;
    } else if (kind === 3) {
      text = `${text.slice(0, at)}${random.pick(['\r\n', '\n', '\0', ' ', ':', '\r', '%', '/../', '0'])}${rest}`;
    } else if (random.below(4) === 0) {
      text = text.slice(0, at);
    }
  }
  return text;
}

/** Runs `count` jobs, some at a time. */
async function inParallel(count: number, job: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      await job(next++);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

async function malformed(proxy: Subject, random: Random): Promise<void> {
  const wire = await Wire.connect(proxy.port());
  wire.send(mutate(random));
  await Promise.race([wire.waitFor(() => wire.ended, 'end').catch(() => undefined), sleep(random.below(30))]);
  if (random.below(2) === 0) {
    wire.close();
  } else {
    wire.reset();
  }
}

/** A good request that is cut by the client after some bytes or some time. */
async function cut(proxy: Subject, random: Random): Promise<void> {
  const wire = await Wire.connect(proxy.port());
  const path = random.pick(['/', '/p', '/fcgi', '/slow', '/big', '/up', '/die']);
  const bytes =
    random.below(2) === 0
      ? `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(1 + random.below(3))
      : `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n${'b'.repeat(40_000)}`;
  wire.send(bytes.slice(0, 1 + random.below(bytes.length)));
  await sleep(random.below(25));
  if (random.below(2) === 0) {
    wire.close();
  } else {
    wire.reset();
  }
}

/** A backend that cuts about half of its connections somewhere. */
function unreliable(rig: Parameters<typeof startBackend>[0], random: Random): Promise<Backend> {
  const big = reply('r'.repeat(500_000));
  return startBackend(rig, async (request, wire) => {
    const kind = random.below(6);
    const bytes = request.target === '/big' ? big : reply(`hello ${request.target}`);
    if (request.target === '/slow') {
      await sleep(random.below(40));
    }
    if (request.target === '/die' || kind === 0) {
      wire.send(bytes.slice(0, random.below(bytes.length)));
      await sleep(random.below(5));
      wire.reset();
      return undefined;
    }
    if (kind === 1) {
      wire.end(bytes.slice(0, random.below(bytes.length)));
      return undefined;
    }
    return wire.ended ? undefined : bytes;
  });
}

test('random requests, cut connections and a reload: no crash, no leak', { timeout: 120_000 }, async (t) => {
  t.diagnostic(`ABUSE_SEED=${SEED}`);
  const rig = rigFor(t);
  const random = new Random(SEED);
  const backend = await unreliable(rig, random);
  const fcgi = await startFcgiBackend(rig);
  const proxy = await startProxy(rig, {
    http: `
      upstream pool { server 127.0.0.1:${backend.port} max_fails=0; keepalive 8; }
      upstream fcgi { server 127.0.0.1:${fcgi.port} max_fails=0; keepalive 8; }
      client_max_body_size 1m; lingering_close off; send_timeout 2s;
      client_header_timeout 2s; client_body_timeout 2s; keepalive_timeout 2s;
      proxy_read_timeout 2s; proxy_send_timeout 2s; fastcgi_read_timeout 2s; fastcgi_send_timeout 2s;
      server {
        listen 127.0.0.1:%port%;
        location / { return 200 ok; }
        location /p { proxy_pass http://pool; }
        location /slow { proxy_pass http://pool; }
        location /big { proxy_pass http://pool; proxy_buffering off; }
        location /die { proxy_pass http://pool; }
        location /up { proxy_pass http://pool; proxy_request_buffering off; }
        location /fcgi { fastcgi_pass fcgi; fastcgi_keep_conn on; fastcgi_param REQUEST_METHOD $request_method; }
      }`,
  });
  const worker = (): number => {
    const [pid] = children(proxy.pid);
    assert.ok(pid !== undefined, 'there is no worker');
    return pid;
  };
  /** A worker's descriptors without the pools' connections. */
  const held = (): number => descriptors(worker()) - backend.open - fcgi.open;
  /** Everything that was cut is given up at the latest by its timeout. */
  const settled = (most: number): Promise<void> =>
    until(() => held() <= most, `descriptors back at ${most}`, 20_000);
  const round = async (count: number): Promise<void> => {
    await inParallel(Math.round((MALFORMED * count) / 100), () => malformed(proxy, random));
    await inParallel(Math.round((CUT * count) / 100), () => cut(proxy, random));
  };

  for (const path of ['/', '/p', '/fcgi']) {
    await proxy.get(path).catch(() => undefined);
  }
  const fresh = held() + 1;
  const first = worker();
  await round(20);
  await settled(fresh);
  const memoryBefore = residentKb(first);
  await round(40);
  await settled(fresh);
  assert.equal(worker(), first, 'the worker is another one');
  const grown = residentKb(first) - memoryBefore;
  t.diagnostic(`descriptors ${fresh} -> ${held()}, memory grew by ${grown} KiB`);
  assert.ok(grown < 48 * 1024, `memory grew by ${grown} KiB`);

  const during = round(40);
  await sleep(100);
  proxy.signal('SIGHUP');
  await during;
  await until(() => children(proxy.pid).length === 1 && worker() !== first, 'the new worker alone', 20_000);
  await settled(fresh + 2);
  assert.equal((await proxy.get('/')).body, 'ok');
  assert.equal(
    /exited on signal|uncaught|TypeError|RangeError/.test(proxy.log + proxy.stderr),
    false,
    proxy.stderr,
  );
});
