/** Clients that make work without asking for anything: the connection ends, with a line in the log, and costs no memory. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  CANCEL,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  GOAWAY,
  HEADERS,
  PING,
  PRIORITY,
  RST_STREAM,
  SETTINGS,
  setting,
  uint32,
  WINDOW_UPDATE,
} from '../../src/http/http2/frames.ts';
import { block, frame, get, H2Client } from '../kit/h2.ts';
import { children, cpuTicks, descriptors, residentKb } from '../kit/processes.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { allRead, established, unsent } from '../kit/sockets.ts';
import { until } from '../kit/wait.ts';

const BOUND_KB = 24 * 1024;

let proxy: Subject;
const rig = new Rig();
before(async () => {
  writeFileSync(join(rig.dir, 'large'), Buffer.alloc(32 << 20));
  proxy = await startProxy(rig, {
    http: `http2 on; keepalive_requests 100000; client_max_body_size 0; server { listen 127.0.0.1:%port%; lingering_close off;
      location / { return 200 "body"; } location /large { alias %dir%/large; } location /proxied { proxy_pass http://127.0.0.1:%port:nobody%; } }`,
  });
  // A worker that has read and written much already: its heap grows no more for that alone.
  for (let i = 0; i < 3; i++) {
    const client = await H2Client.connect(proxy);
    await pour(client, frame(PING, 0, 0, '12345678').repeat(1000), 400, true);
    client.wire.close();
  }
});
after(() => rig.close());

const worker = (): number => children(proxy.pid)[0] ?? 0;

/** Sends `bytes` again and again until the connection is closed, `most` times at most; what comes is thrown away if `reads`. */
async function pour(client: H2Client, bytes: string, most: number, reads: boolean): Promise<number> {
  const { wire } = client;
  if (!reads) wire.pause();
  let count = 0;
  const closed = new Promise<void>((resolve) => wire.socket.once('close', () => resolve()));
  const drain = setInterval(() => {
    if (reads && wire.pending.length > 0) void wire.readSome().catch(() => undefined);
  }, 20);
  while (!wire.ended && !wire.socket.destroyed && count < most) {
    count++;
    await Promise.race([wire.flush(bytes).catch(() => undefined), closed]);
    // The news of an end need a turn of the loop, which a write that fails at once does not take.
    await new Promise((resolve) => setImmediate(resolve));
  }
  clearInterval(drain);
  return count;
}

const FLOODS: readonly (readonly [what: string, bytes: string, most: number, reads: boolean, log: RegExp])[] =
  [
    [
      'pings, with nobody reading the answers',
      frame(PING, 0, 0, '12345678').repeat(1000),
      20_000,
      false,
      /http2 flood detected/,
    ],
    [
      'settings, with nobody reading the answers',
      frame(SETTINGS, 0, 0).repeat(1000),
      20_000,
      false,
      /http2 flood detected/,
    ],
    ['pings', frame(PING, 0, 0, '12345678').repeat(1000), 2000, true, /http2 flood detected/],
    ['settings', frame(SETTINGS, 0, 0, '\0\x01\0\0\0\0').repeat(1000), 2000, true, /http2 flood detected/],
    ['empty DATA frames of no stream', frame(DATA, 0, 99).repeat(2000), 2000, true, /http2 flood detected/],
    ['windows', frame(WINDOW_UPDATE, 0, 99, uint32(1)).repeat(2000), 2000, true, /http2 flood detected/],
    ['unknown frames', frame(77, 0, 0, 'x'.repeat(100)).repeat(200), 2000, true, /http2 flood detected/],
    [
      'priorities',
      frame(PRIORITY, 0, 1, `${uint32(0)}\x10`).repeat(200),
      1000,
      true,
      /client sent too many PRIORITY frames/,
    ],
    [
      'resets of no stream',
      frame(RST_STREAM, 0, 99, uint32(0)).repeat(2000),
      2000,
      true,
      /http2 flood detected/,
    ],
  ];

describe('floods', () => {
  for (const [what, bytes, most, reads, log] of FLOODS) {
    test(what, async (t) => {
      const client = await H2Client.connect(proxy);
      const from = proxy.log.length;
      const memory = residentKb(worker());
      const count = await pour(client, bytes, most, reads);
      await until(() => log.test(proxy.log.slice(from)), `the log to say ${log.source}`);
      const grown = residentKb(worker()) - memory;
      t.diagnostic(
        `ended after ${((count * bytes.length) / 1e6).toFixed(1)} MB, memory grew by ${grown} KiB`,
      );
      assert.ok(count < most, 'it was not ended');
      assert.ok(grown < BOUND_KB, `memory grew by ${grown} KiB`);
      client.wire.close();
    });
  }

  test('a block without end', async (t) => {
    const client = await H2Client.connect(proxy);
    const from = proxy.log.length;
    const memory = residentKb(worker());
    client.send(frame(HEADERS, END_STREAM, 1, block(get())));
    const count = await pour(client, frame(CONTINUATION, 0, 1).repeat(1000), 3000, true);
    await until(() => /http2 flood detected/.test(proxy.log.slice(from)), 'the log');
    t.diagnostic(`ended after ${count * 9} kB, memory grew by ${residentKb(worker()) - memory} KiB`);
    assert.ok(count < 3000);
    assert.ok(residentKb(worker()) - memory < BOUND_KB);
  });

  test('a block of ever more fields', async () => {
    const client = await H2Client.connect(proxy);
    const field = block([['name', 'x'.repeat(1000)]]);
    // All of it is read at once: nothing is left that would reset the connection.
    client.send(frame(HEADERS, END_STREAM, 1, block(get())), frame(CONTINUATION, 0, 1, field).repeat(34));
    assert.equal((await client.goaway()).code, 11);
    await proxy.logged(/client sent too large header while processing/);
  });

  test('streams that are reset as soon as they are made', async () => {
    const client = await H2Client.connect(proxy);
    let burst = '';
    for (let i = 0; i < 2000; i++) {
      const [id, frames] = client.request(get('/proxied'));
      burst += frames + frame(RST_STREAM, 0, id, uint32(CANCEL));
    }
    client.send(burst);
    assert.equal((await client.goaway()).code, 0);
    await proxy.logged(/client sent too many streams at once/);
    await proxy.logged(/client sent too many refused streams/);
  });

  test('more streams than may be at a time are refused', async () => {
    const client = await H2Client.connect(proxy);
    const ids: number[] = [];
    // The length says that a body follows, which never does.
    const head = block([...get('/proxied', 'POST'), ['content-length', '5']]);
    for (let id = 1; id < 2 * 129; id += 2) {
      ids.push(id);
      client.send(frame(HEADERS, END_HEADERS, id, head));
    }
    const refused = await client.until(RST_STREAM);
    assert.deepEqual([refused.id, refused.payload], [ids.at(-1), uint32(7)]);
    await proxy.logged(/concurrent streams exceeded 128/);
    client.wire.close();
  });

  test('slow readers of large replies cost little, and leave nothing behind', async (t) => {
    const files = descriptors(worker());
    const memory = residentKb(worker());
    const clients: H2Client[] = [];
    for (let i = 0; i < 50; i++) {
      const client = await H2Client.connect(proxy);
      clients.push(client);
      client.wire.pause();
      for (let n = 0; n < 100; n++) client.send(client.request(get())[1]);
    }
    const taken = ({ wire }: H2Client): boolean => allRead(proxy.port(), wire.socket.localPort ?? 0);
    await until(() => clients.every(taken), 'all requests to be read');
    const grown = residentKb(worker()) - memory;
    t.diagnostic(`memory grew by ${grown} KiB`);
    assert.ok(grown < 2 * BOUND_KB, `memory grew by ${grown} KiB`);
    for (const client of clients) client.wire.close();
    await until(() => descriptors(worker()) <= files, 'descriptors to be closed');
  });

  test('windows that open for nobody cost little, however many streams wait', async (t) => {
    /** Clock ticks for many windows of the connection while streams wait that have none of their own. */
    const cost = async (streams: number): Promise<number> => {
      const client = await H2Client.connect(proxy, '', setting(4, 0));
      let id = 0;
      for (let i = 0; i < streams; i++) {
        const [next, frames] = client.request(get('/large'));
        client.send(frames);
        id = next;
      }
      await client.until(HEADERS, id);
      const before = cpuTicks(worker());
      client.send(frame(WINDOW_UPDATE, 0, 0, uint32(1)).repeat(200_000), frame(PING, 0, 0, '12345678'));
      await client.until(PING);
      const ticks = cpuTicks(worker()) - before;
      client.wire.close();
      return ticks;
    };
    const [one, many] = [await cost(1), await cost(100)];
    t.diagnostic(`${one} ticks for one stream, ${many} for a hundred`);
    assert.ok(many < 3 * one + 20, `${many} ticks, ${one} for one stream`);
  });

  for (const [what, bytes, most] of [
    ['makes an error', frame(GOAWAY, 0, 0, 'abc'), 1],
    ['floods', frame(77, 0, 0, 'x'.repeat(1000)).repeat(100), 5000],
  ] as const)
    test(`a client that ${what} and reads nothing is not waited for`, async () => {
      const port = proxy.port();
      await until(() => established(port) === 0, 'the others to be gone');
      const client = await H2Client.connect(proxy, '', setting(4, 0x7fffffff));
      client.wire.pause();
      client.send(frame(WINDOW_UPDATE, 0, 0, uint32(0x70000000)), client.request(get('/large'))[1]);
      await until(() => unsent(port) > 500_000, 'a reply that is not read');
      await pour(client, bytes, most, false);
      await until(() => established(port) === 0, 'the close');
      client.wire.close();
    });

  test('and others are served as before', async () => {
    const client = await H2Client.connect(proxy);
    assert.equal((await client.ask(get())).body, 'body');
  });
});
