/**
 * One name server: queries go to it over UDP, over TCP those whose reply was too long. Its sockets are there only
 * while queries are under way, so that each batch of them leaves from another port.
 */
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6, Socket as TcpSocket } from 'node:net';
import { errorText } from '../platform/errno.ts';

/** The address of a name server. */
export interface ServerAddress {
  /** Numeric, without brackets. */
  readonly host: string;
  readonly port: number;
  /** As messages print it: `127.0.0.1:53`. */
  readonly name: string;
}

export interface NameServerOwner {
  /** A message came; its bytes are the owner's. */
  onMessage(bytes: Buffer, tcp: boolean): void;
  /** Nothing can be sent to this server now. */
  onUnreachable(server: NameServer): void;
  /** A line for the error log. */
  report(message: string): void;
}

/** Milliseconds that a TCP connection may take to bring what was asked for. */
const TCP_TIMEOUT = 5000;

export class NameServer {
  #udp: Socket | undefined = undefined;
  /** What waits for the socket; undefined once it is connected. */
  #early: Buffer[] | undefined = undefined;
  #tcp: TcpSocket | undefined = undefined;
  #received: Buffer = Buffer.alloc(0);

  constructor(
    readonly address: ServerAddress,
    readonly owner: NameServerOwner,
  ) {}

  /** Sends a query over UDP. */
  sendUdp(query: Buffer): void {
    const socket = this.#udp ?? this.#openUdp();
    if (this.#early) this.#early.push(query);
    else this.#write(socket, query);
  }

  /** Sends a query over TCP. */
  sendTcp(query: Buffer): void {
    const socket = this.#tcp ?? this.#openTcp();
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.length);
    socket.write(Buffer.concat([length, query]));
  }

  /** Nothing is awaited any more. */
  close(): void {
    this.#closeUdp();
    this.#closeTcp();
  }

  #openUdp(): Socket {
    const { host, port } = this.address;
    const v6 = isIPv6(host);
    const socket = createSocket({
      type: v6 ? 'udp6' : 'udp4',
      // The address is numeric: nothing to look up.
      lookup: (name, _options, done) => done(null, name, v6 ? 6 : 4),
    });
    this.#udp = socket;
    this.#early = [];
    socket.unref();
    socket.on('message', (bytes) => {
      if (this.#udp === socket) this.owner.onMessage(bytes, false);
    });
    socket.on('connect', () => {
      if (this.#udp !== socket) return;
      const early = this.#early ?? [];
      this.#early = undefined;
      for (const query of early) this.#write(socket, query);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => this.#udpFailed(socket, error));
    // Of a worker's own: a cluster would share the port.
    socket.bind({ port: 0, exclusive: true }, () => {
      if (this.#udp === socket) socket.connect(port, host);
    });
    return socket;
  }

  #write(socket: Socket, query: Buffer): void {
    socket.send(query, (error) => {
      if (error) this.#udpFailed(socket, error);
    });
  }

  #udpFailed(socket: Socket, error: NodeJS.ErrnoException): void {
    if (this.#udp !== socket) return;
    this.#closeUdp();
    const { syscall } = error;
    const receiving = syscall === 'recvmsg';
    this.#report(receiving ? 'recv' : syscall === 'connect' || syscall === 'bind' ? syscall : 'send', error);
    // Who does not listen now may when the query is repeated; who can't be reached will not.
    if (!receiving) this.owner.onUnreachable(this);
  }

  #report(call: string, error: NodeJS.ErrnoException): void {
    this.owner.report(
      `${call}() failed (${errorText(error)}) while resolving, resolver: ${this.address.name}`,
    );
  }

  #openTcp(): TcpSocket {
    const { host, port } = this.address;
    const socket = new TcpSocket();
    this.#tcp = socket;
    this.#received = Buffer.alloc(0);
    socket.setTimeout(TCP_TIMEOUT, () => this.#closeTcp());
    socket.on('data', (bytes) => {
      if (this.#tcp === socket) this.#take(bytes);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (this.#tcp === socket) this.#report(error.syscall === 'connect' ? 'connect' : 'recv', error);
    });
    socket.on('close', () => {
      if (this.#tcp === socket) this.#closeTcp();
    });
    socket.connect({ host, port });
    socket.unref();
    return socket;
  }

  /** Messages over TCP, each behind its length. */
  #take(bytes: Buffer): void {
    this.#received = this.#received.length > 0 ? Buffer.concat([this.#received, bytes]) : bytes;
    while (this.#received.length >= 2) {
      const end = 2 + this.#received.readUInt16BE(0);
      if (this.#received.length < end) return;
      const message = Buffer.from(this.#received.subarray(2, end));
      this.#received = this.#received.subarray(end);
      this.owner.onMessage(message, true);
      if (!this.#tcp) return;
    }
  }

  #closeUdp(): void {
    const socket = this.#udp;
    this.#udp = undefined;
    this.#early = undefined;
    socket?.close();
  }

  #closeTcp(): void {
    const socket = this.#tcp;
    this.#tcp = undefined;
    this.#received = Buffer.alloc(0);
    socket?.destroy();
  }
}
