import assert from 'node:assert/strict';
import { once } from 'node:events';
import { fstatSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { ErrorLog } from '../../../src/log/error-log.ts';
import { DEBUG } from '../../../src/log/levels.ts';
import {
  bindSocket,
  connectsTo,
  duplicate,
  getOption,
  listeningName,
  sameAddress,
  streamSocket,
} from '../../../src/platform/libc.ts';
import type { ListenSpec } from '../../../src/process/contract.ts';
import { inheritedSockets, Listeners, openListeners } from '../../../src/process/listeners.ts';

const lines: string[] = [];
const log: ErrorLog = { level: DEBUG, write: (_, message) => lines.push(message) };

const specOf = (change: Partial<ListenSpec>): ListenSpec => ({
  key: `${change.address ?? '127.0.0.1'}:${change.port ?? 0}`,
  datagram: false,
  family: 'ipv4',
  address: '127.0.0.1',
  port: 0,
  backlog: 100,
  reuseport: false,
  ipv6only: true,
  deferred: false,
  rcvbuf: undefined,
  sndbuf: undefined,
  fastopen: undefined,
  keepalive: undefined,
  place: { file: 'test', line: 1, column: 1 },
  ...change,
});

const open = (specs: readonly ListenSpec[], previous = Listeners.none, workers = 1): Promise<Listeners> =>
  openListeners(specs, workers, previous, [], log);

const isOpen = (fd: number): boolean => {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    return false;
  }
};

describe('listening sockets', () => {
  it('accept connections through the descriptor', async () => {
    const listeners = await open([specOf({})]);
    const [fd = -1] = listeners.all();
    const server = createServer((socket) => socket.end('hello')).listen({ fd: duplicate(fd) });
    const client = connect(listeningName(fd)?.port ?? 0, '127.0.0.1');
    const [data]: unknown[] = await once(client, 'data');
    assert.equal(String(data), 'hello');
    server.close();
    listeners.close(log, false);
  });

  it('have the options of their directive', async () => {
    const spec = specOf({ deferred: true, keepalive: { idle: 33, interval: 4, count: 5 }, rcvbuf: 4096 });
    const listeners = await open([spec]);
    const [fd = -1] = listeners.all();
    assert.equal(getOption(fd, 'SO_KEEPALIVE'), 1);
    assert.equal(getOption(fd, 'TCP_KEEPIDLE'), 33);
    assert.equal(getOption(fd, 'TCP_KEEPINTVL'), 4);
    assert.equal(getOption(fd, 'TCP_KEEPCNT'), 5);
    assert.notEqual(getOption(fd, 'TCP_DEFER_ACCEPT'), 0);
    const plain = await open([{ ...spec, deferred: false }], listeners);
    assert.deepEqual(plain.all(), [fd]);
    assert.equal(getOption(fd, 'TCP_DEFER_ACCEPT'), 0);
    plain.close(log, false);
  });

  it('are one a worker with reuseport', async () => {
    const first = await open([specOf({})]);
    const port = listeningName(first.all()[0] ?? -1)?.port ?? 0;
    const shared = specOf({ key: '127.0.0.1:0', port, reuseport: true });
    const both = await open([shared], first, 3);
    assert.equal(new Set(both.all()).size, 3);
    assert.deepEqual(both.forWorker(0).get(shared.key), first.all()[0]);
    assert.notEqual(both.forWorker(1).get(shared.key), both.forWorker(2).get(shared.key));
    const fewer = await open([shared], both, 2);
    both.closeMissing(fewer, log);
    assert.deepEqual(both.all().map(isOpen), [true, true, false]);
    fewer.close(log, false);
  });

  it('leave what was open alone when one of them cannot be had', async () => {
    const kept = specOf({ key: 'kept' });
    const before = await open([kept]);
    lines.length = 0;
    await assert.rejects(open([kept, specOf({ key: 'x', address: '192.0.2.1', port: 9 })], before));
    assert.deepEqual(lines, ['bind() to x failed (99: Cannot assign requested address)']);
    assert.ok(before.all().every(isOpen));
    before.close(log, false);
  });

  it('speak IPv6 and unix', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-listen-'));
    const path = join(folder, 's');
    const specs = [
      specOf({ key: '[::1]:0', family: 'ipv6', address: '::1' }),
      specOf({ key: `unix:${path}`, family: 'unix', address: path }),
    ];
    const listeners = await open(specs);
    const [six, unix] = listeners.all().map(listeningName);
    assert.equal(six?.family, 'ipv6');
    assert.ok(six && sameAddress(six, { family: 'ipv6', address: '0:0:0:0:0:0:0:1', port: six.port }));
    assert.deepEqual(unix, { family: 'unix', address: path, port: 0, datagram: false });
    assert.equal(connectsTo(streamSocket('unix'), path), true);
    listeners.close(log, false);
    assert.equal(connectsTo(streamSocket('unix'), path), true, 'not refused: there is no such file');
    rmSync(folder, { recursive: true });
  });

  it('are taken over from the environment', async () => {
    const before = await open([specOf({})]);
    const [fd = -1] = before.all();
    const inherited = inheritedSockets(`${fd};7777;x;`, log);
    assert.deepEqual(
      inherited.map((one) => one.fd),
      [fd],
    );
    assert.ok(lines.includes('invalid socket number "7777" in NGINX environment variable, ignoring'));
    const port = listeningName(fd)?.port ?? 0;
    const after = await openListeners([specOf({ port })], 1, Listeners.none, inherited, log);
    assert.deepEqual(after.all(), [fd]);
    assert.deepEqual(after.opened, []);
    after.close(log, false);
  });

  it('refuse a path that no socket address holds', () => {
    assert.throws(
      () => bindSocket(streamSocket('unix'), { family: 'unix', address: 'x'.repeat(200), port: 0 }),
      {
        message: 'bind() failed (36: File name too long)',
      },
    );
  });
});
