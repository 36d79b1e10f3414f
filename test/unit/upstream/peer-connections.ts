/** Connections to a server of the test's own, as the pool knows them. */
import { once } from 'node:events';
import net from 'node:net';
import { type Connection, type ConnectionHandler, connect } from '../../../src/net/connection.ts';
import { monotonic } from '../../../src/net/timers.ts';
import type { Exchange, Peer } from '../../../src/upstream/contract.ts';
import { PeerConnection } from '../../../src/upstream/peer-connection.ts';

/** An exchange that went well. */
export const fine: Exchange = {
  conf: {},
  failed: false,
  keep: true,
  bodySent: true,
  get now() {
    return monotonic();
  },
};

/** A server that only accepts, and connections to it. */
export class Backend {
  readonly #server = net.createServer({ pauseOnConnect: false });
  readonly sockets: net.Socket[] = [];
  peer: Peer = { name: '', server: '', to: {} };

  async start(): Promise<this> {
    this.#server.on('connection', (socket) => {
      this.sockets.push(socket);
      socket.on('error', () => {});
      socket.resume();
    });
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    this.peer = { name: `127.0.0.1:${port}`, server: '', to: { host: '127.0.0.1', port } };
    return this;
  }

  async connect(): Promise<PeerConnection> {
    const accepted = once(this.#server, 'connection');
    const connection = await new Promise<Connection>((resolve, reject) => {
      const made: Connection = connect(this.peer.to, {
        ...SILENT,
        onConnect: () => resolve(made),
        onClose: () => reject(new Error('not connected')),
      });
    });
    await accepted;
    const peer = new PeerConnection(connection, this.peer);
    peer.requests = 1;
    return peer;
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
  }
}

const nothing = (): void => {};
const SILENT: ConnectionHandler = {
  onRead: nothing,
  onEnd: nothing,
  onDrain: nothing,
  onClose: nothing,
  onConnect: nothing,
  onTimeout: nothing,
};

/** When the connection has been closed by us or the peer. */
export const gone = async (peer: PeerConnection): Promise<void> => {
  if (peer.connection.closed) return;
  await new Promise<void>((resolve) => {
    peer.connection.release = resolve;
  });
};
