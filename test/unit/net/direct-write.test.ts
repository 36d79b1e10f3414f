import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { accepted, type Connection, type ConnectionHandler, handleOf } from '../../../src/net/connection.ts';

/** Notes what it is told, and of its end. */
class Handler extends EventEmitter implements ConnectionHandler {
  readonly closed = once(this, 'close');
  onRead(): void {}
  onEnd(): void {}
  onDrain(): void {}
  onClose(): void {
    this.emit('close');
  }
  onConnect(): void {}
  onTimeout(): void {}
}

describe('texts written directly', () => {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true });
  before(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  after(() => server.close());

  /** Both ends of a connection; nothing is read of the client until it is asked to. */
  const pair = async (): Promise<{ connection: Connection; handler: Handler; client: net.Socket }> => {
    const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [socket] = (await once(server, 'connection')) as [net.Socket];
    const handler = new Handler();
    const handle = handleOf(socket);
    assert.ok(handle);
    return { connection: accepted(handle, handler), handler, client };
  };

  it('come in order, however much the system takes at once', async () => {
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
    assert.ok(connection.inFlight > 0, 'a text has been taken in part');
    assert.ok(connection.queued > connection.inFlight, 'others wait behind it');
    assert.ok(connection.unsent > 0);
    connection.close();
    let got = '';
    for await (const piece of client.setEncoding('latin1')) got += piece;
    assert.equal(got === expected, true);
    await handler.closed;
    assert.equal(connection.queued, 0);
    assert.equal(connection.error, undefined);
  });

  it('wait for what is held together with them', async () => {
    const { connection, client } = await pair();
    connection.writeText('1');
    connection.socket.cork();
    connection.writeText('2');
    assert.equal(connection.queued, 1);
    connection.socket.uncork();
    connection.writeText('3');
    assert.equal(connection.queued, 0);
    connection.destroy();
    let got = '';
    for await (const piece of client.setEncoding('latin1')) got += piece;
    assert.equal(got, '123');
  });

  it('end the connection where the other side is gone', async () => {
    const { connection, handler, client } = await pair();
    connection.pause();
    connection.writeText('1');
    client.resetAndDestroy();
    await once(client, 'close');
    const deadline = performance.now() + 5000;
    while (!connection.socket.destroyed && performance.now() < deadline) connection.writeText('2');
    assert.equal(connection.socket.destroyed, true);
    await handler.closed;
    const { error } = connection;
    assert.ok(error?.code === 'EPIPE' || error?.code === 'ECONNRESET', error?.code);
    assert.equal(error.syscall, 'write');
    assert.ok((error.errno ?? 0) < 0);
    connection.writeText('3');
    assert.equal(connection.error, error);
  });
});
