/** Request bodies that come in the smallest of pieces: they arrive as they are, and each piece costs next to nothing. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { END_HEADERS, END_STREAM } from '../../src/http/http2/frames.ts';
import { block, frame, get, H2Client } from '../kit/h2.ts';
import { type Backend, reply, startBackend } from '../kit/http-backend.ts';
import { children } from '../kit/processes.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Random } from '../kit/random.ts';
import { Rig } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const PIECES = 60_000;
const MOST_WRITES = 2000;

const rig = new Rig();
let proxy: Subject;
let backend: Backend;
before(async () => {
  backend = await startBackend(rig, ({ body }) => reply(`${body.length}`));
  proxy = await startProxy(rig, {
    http: `
      http2 on; client_max_body_size 10m; client_body_buffer_size 16k;
      server { listen 127.0.0.1:%port%;
        location / { proxy_pass http://127.0.0.1:${backend.port}; }
        location /stream { proxy_pass http://127.0.0.1:${backend.port}; proxy_request_buffering off; }
      }`,
  });
  await until(() => children(proxy.pid).length > 0, 'the worker');
});
after(() => rig.close());

/** System calls of the worker that have written something. */
const writes = (): number =>
  Number(/syscw: (\d+)/.exec(readFileSync(`/proc/${children(proxy.pid)[0]}/io`, 'latin1'))?.[1]);

const chunk = (bytes: string): string => `${bytes.length.toString(16)}\r\n${bytes}\r\n`;

const post = async (path: string, chunks: readonly string[]): Promise<string> => {
  const wire = await proxy.connect();
  const head = `POST ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const { body } = await wire.request(`${head}${chunks.map(chunk).join('')}0\r\n\r\n`);
  return body;
};

test('chunks of a byte', async () => {
  const before = writes();
  assert.equal(await post('/', new Array<string>(PIECES).fill('x')), `${PIECES}`);
  const made = writes() - before;
  assert.ok(made < MOST_WRITES, `${made} writes`);
});

test('frames of a byte', async () => {
  const client = await H2Client.connect(proxy);
  const before = writes();
  const head = frame(1, END_HEADERS, 1, block(get('/', 'POST')));
  const body = frame(0, 0, 1, 'x').repeat(PIECES - 1) + frame(0, END_STREAM, 1, 'x');
  client.send(head, body);
  assert.equal((await client.answer(1)).body, `${PIECES}`);
  const made = writes() - before;
  assert.ok(made < MOST_WRITES, `${made} writes`);
});

describe('chunks of any size', () => {
  for (const path of ['/', '/stream']) {
    for (const most of [3, 100, 20_000]) {
      test(`up to ${most}, ${path}`, async () => {
        const random = new Random(most);
        const chunks = Array.from({ length: most > 1000 ? 20 : 2000 }, (_, i) =>
          String.fromCharCode(97 + (i % 26)).repeat(1 + random.below(most)),
        );
        await post(path, chunks);
        assert.equal(backend.requests.at(-1)?.body, chunks.join(''));
      });
    }
  }
});
