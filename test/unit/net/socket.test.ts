import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Connection, type ConnectionHandler, handleOf } from '../../../src/net/connection.ts';
import type { StreamHandle } from '../../../src/net/handle.ts';
import { NodeSocket } from '../../../src/net/node-socket.ts';
import { Socket } from '../../../src/net/socket.ts';
import type { ConnectTo, Wire } from '../../../src/net/wire.ts';

/** Notes what it is told, and of its end. */
class Handler extends EventEmitter implements ConnectionHandler {
  readonly closed = once(this, 'close');
  readonly connected = once(this, 'connect');
  readonly ended = once(this, 'end');
  readonly drained = once(this, 'drain');
  text = '';
  onRead(bytes: Buffer, length: number): void {
    this.text += bytes.latin1Slice(0, length);
    this.emit('read');
  }
  onEnd(): void {
    this.emit('end');
  }
  onDrain(): void {
    this.emit('drain');
  }
  onClose(): void {
    this.emit('close');
  }
  onConnect(): void {
    this.emit('connect');
  }
  onTimeout(): void {}
}

interface Kind {
  readonly name: string;
  accepted(handle: StreamHandle): Wire & { start(): void };
  unconnected(to: ConnectTo): Wire & { connect(to: ConnectTo): void };
}
const KINDS: readonly Kind[] = [
  {
    name: "on Node's handle",
    accepted: (handle) => new Socket(handle),
    unconnected: (to) => Socket.unconnected(to),
  },
  {
    name: "on Node's socket",
    accepted: (handle) => NodeSocket.accepted(handle),
    unconnected: () => NodeSocket.unconnected(),
  },
];

interface Pair {
  readonly connection: Connection;
  readonly handler: Handler;
  readonly client: net.Socket;
}

for (const kind of KINDS) {
  describe(`a socket ${kind.name}`, () => {
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true });
    before(async () => {
      await once(server.listen(0, '127.0.0.1'), 'listening');
    });
    after(() => server.close());

    /** Both ends of a connection; nothing is read of the client until it is asked to. */
    const pair = async (): Promise<Pair> => {
      const client = net.connect({
        port: (server.address() as AddressInfo).port,
        host: '127.0.0.1',
        allowHalfOpen: true,
      });
      const [socket] = (await once(server, 'connection')) as [net.Socket];
      const handler = new Handler();
      const handle = handleOf(socket);
      assert.ok(handle);
      const wire = kind.accepted(handle);
      const connection = new Connection(wire, handler, 1);
      wire.start();
      return { connection, handler, client };
    };

    /** All that the other side gets. */
    const received = async (client: net.Socket): Promise<string> => {
      let got = '';
      for await (const piece of client.setEncoding('latin1')) got += piece;
      return got;
    };

    it('sends texts in order, however much the system takes at once', async () => {
      const { connection, handler, client } = await pair();
      let expected = '';
      let behind = 0;
      for (let i = 0; behind < 5; i++) {
        const text = `${i} `.repeat(1500);
        expected += text;
        connection.writeText(text);
        assert.equal(connection.sent, expected.length);
        if (connection.queued > 0) behind++;
      }
      assert.ok(connection.unsent > 0);
      connection.close();
      client.end();
      assert.equal((await received(client)) === expected, true);
      await handler.closed;
      assert.equal(connection.queued, 0);
      assert.equal(connection.error, undefined);
    });

    it('says when more is queued than is good, and when there is room', async () => {
      const { connection, handler, client } = await pair();
      const piece = Buffer.alloc(65536, 'x');
      let pieces = 1;
      while (connection.writeBytes(piece)) pieces++;
      assert.equal(connection.blocked, true);
      client.setEncoding('latin1');
      let got = 0;
      client.on('data', (text: string) => {
        got += text.length;
      });
      await handler.drained;
      assert.equal(connection.blocked, false);
      assert.equal(connection.queued, 0);
      connection.close();
      await once(client, 'end');
      assert.equal(got, pieces * piece.length);
      client.destroy();
    });

    it('sends a head and bytes together, text and bytes in order', async () => {
      const { connection, client } = await pair();
      connection.writeBoth('1', Buffer.from('2'));
      connection.writeText('\xe9');
      connection.writeCopy('4', Buffer.from('5'));
      connection.writeCopy('', Buffer.from('6'));
      connection.end();
      assert.equal(await received(client), '12\xe9456');
      client.destroy();
    });

    it('gathers what is written between cork and uncork', async () => {
      const { connection, client } = await pair();
      connection.writeText('1');
      connection.socket.cork();
      connection.socket.cork();
      connection.writeText('2');
      connection.socket.uncork();
      connection.writeCopy('', Buffer.from('3'));
      assert.equal(connection.queued, 2);
      connection.socket.uncork();
      connection.writeText('4');
      assert.equal(connection.queued, 0);
      connection.destroy();
      assert.equal(await received(client), '1234');
    });

    it('tells a drain behind a corked write that was too long', async () => {
      const { connection, handler, client } = await pair();
      connection.socket.cork();
      assert.equal(connection.writeBytes(Buffer.alloc(200_000, 'x')), false);
      connection.socket.uncork();
      client.resume();
      await handler.drained;
      connection.destroy();
    });

    it('tells of a write in any case', async () => {
      const { connection, handler, client } = await pair();
      connection.writeAndTell(Buffer.from('1'));
      assert.equal(connection.blocked, true);
      await handler.drained;
      assert.equal(connection.blocked, false);
      const again = once(handler, 'drain');
      connection.writeAndTell(Buffer.alloc(10_000_000, 'x'));
      client.resume();
      await again;
      assert.equal(connection.queued, 0);
      connection.destroy();
    });

    it('tells of a long write once', async () => {
      const { connection, handler, client } = await pair();
      let drained = 0;
      handler.on('drain', () => drained++);
      connection.writeAndTell(Buffer.alloc(10_000_000, 'x'));
      client.resume();
      await handler.drained;
      await nextTurn();
      assert.equal(drained, 1);
      connection.destroy();
    });

    it('sees the end of a connection whose other side is gone', async () => {
      const { connection, handler, client } = await pair();
      connection.pause();
      connection.writeText('1');
      client.resetAndDestroy();
      await once(client, 'close');
      const deadline = performance.now() + 5000;
      while (!connection.socket.destroyed && performance.now() < deadline) {
        connection.writeText('2');
        await nextTurn();
      }
      assert.equal(connection.socket.destroyed, true);
      await handler.closed;
      const { error } = connection;
      assert.ok(error?.code === 'EPIPE' || error?.code === 'ECONNRESET', error?.code);
      assert.equal(error.syscall, 'write');
      assert.ok((error.errno ?? 0) < 0);
      connection.writeText('3');
      assert.equal(connection.error, error);
    });

    it('says to whoever writes on and on that it is gone', async () => {
      const { connection, handler, client } = await pair();
      connection.pause();
      client.resetAndDestroy();
      await once(client, 'close');
      const piece = Buffer.alloc(65536);
      let pieces = 0;
      while (!connection.congested && pieces < 1000) {
        connection.writeBytes(piece);
        pieces++;
      }
      assert.ok(pieces < 1000);
      await handler.closed;
      assert.equal(connection.writeText('x'), false);
    });

    it('names the error of a reset by the peer', async () => {
      const { connection, handler, client } = await pair();
      client.resetAndDestroy();
      await handler.closed;
      assert.equal(connection.error?.code, 'ECONNRESET');
      assert.equal(connection.error.syscall, 'read');
      assert.equal(connection.descriptor, -1);
    });

    it('reads nothing while paused', async () => {
      const { connection, handler, client } = await pair();
      connection.pause();
      client.write('1');
      connection.writeText('?');
      await once(client, 'data');
      assert.equal(handler.text, '');
      connection.resume();
      await once(handler, 'read');
      assert.equal(handler.text, '1');
      connection.destroy();
    });

    it('closes by itself once both sides are shut, in either order', async () => {
      const one = await pair();
      one.connection.end();
      one.client.resume();
      await once(one.client, 'end');
      assert.equal(one.connection.closed, false);
      one.client.end('last');
      await one.handler.closed;
      assert.equal(one.handler.text, 'last');
      assert.equal(one.connection.error, undefined);

      const two = await pair();
      two.client.end();
      await two.handler.ended;
      two.connection.writeText('still open');
      assert.equal(two.connection.closed, false);
      two.connection.end();
      assert.equal(await received(two.client), 'still open');
      await two.handler.closed;
    });

    it('resets', async () => {
      const { connection, client } = await pair();
      connection.reset();
      const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
      assert.equal(error.code, 'ECONNRESET');
    });

    it('knows both ends', async () => {
      const { connection, client } = await pair();
      const { address, port } = connection.socket.peerName();
      if (client.connecting) await once(client, 'connect');
      assert.deepEqual({ address, port }, { address: '127.0.0.1', port: client.localPort });
      assert.equal(connection.socket.localName().port, (server.address() as AddressInfo).port);
      assert.ok(connection.descriptor > 2);
      connection.destroy();
      assert.equal(connection.descriptor, -1);
      client.destroy();
    });

    /** Begins to connect as the functions of net/connection.ts do. */
    const connecting = (to: ConnectTo): { connection: Connection; handler: Handler } => {
      const handler = new Handler();
      const wire = kind.unconnected(to);
      const connection = new Connection(wire, handler, 1);
      wire.connect(to);
      return { connection, handler };
    };

    it('connects, from an address of choice, and writes what it was told before', async () => {
      const { port } = server.address() as AddressInfo;
      const coming = once(server, 'connection') as Promise<[net.Socket]>;
      const { connection, handler } = connecting({ host: '127.0.0.1', port, localAddress: '127.0.0.7' });
      connection.writeText('early');
      const [socket] = await coming;
      await handler.connected;
      assert.equal(socket.remoteAddress, '127.0.0.7');
      socket.resume().end('reply');
      socket.on('data', (bytes) => assert.equal(bytes.toString(), 'early'));
      await handler.ended;
      assert.equal(handler.text, 'reply');
      connection.destroy();
      await handler.closed;
    });

    it('ends behind what it was told before it was connected', async () => {
      const { port } = server.address() as AddressInfo;
      const coming = once(server, 'connection') as Promise<[net.Socket]>;
      const { connection, handler } = connecting({ host: '127.0.0.1', port });
      connection.writeText('all');
      connection.end();
      const [socket] = await coming;
      socket.resume();
      assert.equal(await received(socket), 'all');
      assert.equal(connection.closed, false);
      socket.end();
      await handler.closed;
      assert.equal(connection.error, undefined);
    });

    it('closes a unix socket where it should reset it', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'sluice-socket-'));
      const path = join(folder, 's');
      const listening = net.createServer().listen(path);
      await once(listening, 'listening');
      const coming = once(listening, 'connection') as Promise<[net.Socket]>;
      const { connection, handler } = connecting({ path });
      await handler.connected;
      const [socket] = await coming;
      connection.reset();
      await handler.closed;
      socket.destroy();
      listening.close();
      rmSync(folder, { recursive: true });
    });

    const FAILURES: readonly (readonly [what: string, to: ConnectTo, syscall: string, code: string])[] = [
      ['nobody listens', { host: '127.0.0.1', port: 1 }, 'connect', 'ECONNREFUSED'],
      ['there is no socket', { path: '/nonexistent/socket' }, 'connect', 'ENOENT'],
      [
        'the address is not ours',
        { host: '127.0.0.1', port: 1, localAddress: '192.0.2.1' },
        'bind',
        'EADDRNOTAVAIL',
      ],
    ];
    for (const [what, to, syscall, code] of FAILURES) {
      it(`says why it can't connect: ${what}`, async () => {
        const { connection, handler } = connecting(to);
        assert.equal(connection.closed, false);
        await handler.closed;
        assert.equal(connection.error?.code, code);
        assert.equal(connection.error.syscall, syscall);
      });
    }
  });
}
