/** Datagrams: a socket that keeps what comes to it until it is asked for. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Rig } from './rig.ts';
import { until } from './wait.ts';

export interface Datagram {
  readonly text: string;
  readonly from: RemoteInfo;
}

export class Udp {
  /** What has come and not been taken. */
  readonly came: Datagram[] = [];
  readonly #socket: Socket;
  #closed = false;

  private constructor(socket: Socket, answer: ((datagram: Datagram, udp: Udp) => void) | undefined) {
    this.#socket = socket;
    socket.on('message', (bytes, from) => {
      const datagram = { text: bytes.toString('latin1'), from };
      if (answer) answer(datagram, this);
      else this.came.push(datagram);
    });
    // A closed port at the other end is told as an error of a connected socket.
    socket.on('error', () => {});
  }

  static async #bound(rig: Rig, address: string, answer?: (datagram: Datagram, udp: Udp) => void) {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const udp = new Udp(socket, answer);
    socket.bind(0, address);
    await once(socket, 'listening');
    rig.defer(() => udp.close());
    return udp;
  }

  /** A server: `answer` is given each datagram. */
  static server(rig: Rig, answer: (datagram: Datagram, udp: Udp) => void): Promise<Udp> {
    return Udp.#bound(rig, '127.0.0.1', answer);
  }

  /** A client of a port: it hears nobody else. */
  static async client(rig: Rig, port: number, address = '127.0.0.1'): Promise<Udp> {
    const udp = await Udp.#bound(rig, address.includes(':') ? '::1' : '127.0.0.1');
    udp.#socket.connect(port, address);
    await once(udp.#socket, 'connect');
    return udp;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  close(): void {
    if (!this.#closed) this.#socket.close();
    this.#closed = true;
  }

  /** To the one whom a client is connected to. */
  send(text: string): void {
    this.#socket.send(Buffer.from(text, 'latin1'));
  }

  sendTo(text: string, { port, address }: RemoteInfo): void {
    this.#socket.send(Buffer.from(text, 'latin1'), port, address);
  }

  /** The next datagram's text, which it waits for. */
  async next(): Promise<string> {
    await until(() => this.came.length > 0, 'a datagram');
    return this.came.shift()?.text ?? '';
  }

  async ask(text: string): Promise<string> {
    this.send(text);
    return this.next();
  }
}
