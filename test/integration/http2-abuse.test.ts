/** Random frames, right and wrong, cut and reset anywhere: nothing may die, hang or stay behind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PREFACE, uint32 } from '../../src/http/http2/frames.ts';
import { block, frame, get, type Pair } from '../kit/h2.ts';
import { reply, startBackend } from '../kit/http-backend.ts';
import { children, descriptors } from '../kit/processes.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Random } from '../kit/random.ts';
import { rigFor } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';
import { Wire } from '../kit/wire.ts';

const CONNECTIONS = 1500;
const AT_ONCE = 15;
const SEED = Number(process.env.ABUSE_SEED ?? 20_240_306);

const PATHS: readonly [string, ...string[]] = ['/', '/large', '/proxied', '/streamed', '/missing', '/slow'];
const FIELDS: readonly [Pair, ...Pair[]] = [
  ['content-length', '5'],
  ['content-length', '0'],
  ['te', 'trailers'],
  ['cookie', 'a=b'],
  ['expect', '100-continue'],
  ['range', 'bytes=0-3'],
  ['host', 'localhost'],
  ['x-long', 'x'.repeat(3000)],
  ['Upper', 'case'],
  ['connection', 'close'],
];

/** A frame, mostly a sensible one; `next` is the stream that may come. */
const someFrame = (random: Random, next: { id: number }): string => {
  const old = 1 + 2 * random.below(Math.max(1, next.id >> 1));
  switch (random.below(14)) {
    case 0:
    case 1:
    case 2:
    case 3: {
      const id = next.id;
      next.id += 2;
      const fields = [...get(random.pick(PATHS), random.pick(['GET', 'POST', 'HEAD', 'PUT']))];
      for (let more = random.below(4); more > 0; more--) fields.push(random.pick(FIELDS));
      const text = block(fields);
      const flags = random.pick([5, 5, 5, 4, 4, 0]);
      return frame(1, flags, id, text) + (flags === 0 ? frame(9, 4, id, random.pick(['', text])) : '');
    }
    case 4:
    case 5:
      return frame(0, random.below(2), old, 'x'.repeat(random.below(2000)));
    case 6:
      return frame(0, 8, old, '\x02ab\0\0');
    case 7:
      return frame(3, 0, old, uint32(random.below(12)));
    case 8:
      return frame(8, 0, random.pick([0, old]), uint32(random.pick([1, 1000, 100_000, 2 ** 30])));
    case 9:
      return frame(
        4,
        random.below(2),
        0,
        random.pick(['', '\0\x04\0\0\0\0', '\0\x04\0\x10\0\0', '\0\x05\0\0\x40\0', '\0\x01\0\0\0\0']),
      );
    case 10:
      return frame(6, random.below(2), 0, '12345678');
    case 11:
      return frame(2, 0, old, `${uint32(random.below(9))}\x05`);
    case 12:
      return frame(7, 0, 0, uint32(0) + uint32(0));
    default:
      return frame(random.below(16), random.below(256), random.below(10), 'y'.repeat(random.below(20)));
  }
};

const mutated = (random: Random, text: string): string => {
  if (random.below(4) > 0) return text;
  const at = random.below(text.length + 1);
  return random.below(2) === 0
    ? text.slice(0, at) + String.fromCharCode(random.below(256)) + text.slice(at + random.below(3))
    : text.slice(0, at);
};

async function oneConnection(proxy: Subject, random: Random): Promise<void> {
  const wire = await Wire.connect(proxy.port());
  const next = { id: 1 };
  let text = PREFACE + frame(4, 0, 0);
  for (let frames = random.below(30); frames >= 0; frames--) text += mutated(random, someFrame(random, next));
  for (let at = 0; at < text.length && !wire.ended; ) {
    const size = 1 + random.below(text.length);
    await wire.flush(text.slice(at, at + size)).catch(() => undefined);
    at += size;
  }
  const end = random.below(4);
  if (end === 0) wire.reset();
  else if (end === 1) wire.end();
  if (end === 1) await wire.readToEnd(20_000).catch(() => undefined);
  else if (end === 2) await wire.readSome(5000).catch(() => undefined);
  wire.close();
}

test('random frames', { timeout: 240_000 }, async (t) => {
  const rig = rigFor(t);
  const backend = await startBackend(rig, ({ body }) => reply(`got ${body.length}`));
  const proxy = await startProxy(rig, {
    http: `http2 on; lingering_timeout 1s; client_body_timeout 2s; send_timeout 2s; client_header_timeout 2s;
      server { listen 127.0.0.1:%port%;
        location / { return 200 "body"; }
        location /large { limit_rate 10m; return 200 "${'x'.repeat(3000)}"; }
        location /proxied { proxy_pass http://127.0.0.1:${backend.port}; }
        location /streamed { proxy_request_buffering off; proxy_buffering off; proxy_pass http://127.0.0.1:${backend.port}; }
        location /missing { root %dir%/none; }
        location /slow { limit_rate 1k; return 200 "${'y'.repeat(2000)}"; }
        location /status { stub_status; access_log off; } }`,
  });
  const worker = (): number => children(proxy.pid)[0] ?? 0;
  await proxy.get('/proxied');
  const before = { worker: worker(), files: descriptors(worker()) };
  const random = new Random(SEED);
  t.diagnostic(`ABUSE_SEED=${SEED}`);
  let left = CONNECTIONS;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await oneConnection(proxy, random);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  assert.equal(worker(), before.worker, 'the worker died');
  await until(() => descriptors(worker()) <= before.files + 2, 'connections to be closed', 30_000);
  const { body } = await proxy.get('/status');
  assert.match(body, /^Active connections: 1 /);
  assert.match(body, /Reading: 0 Writing: 1 Waiting: 0 $/m);
});
