/** The socket to a peer that is sent datagrams. */
import { closeSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { type ConnectTo, nextNumber } from '../../net/connection.ts';
import { DatagramSocket, type Readable } from '../../net/datagram-socket.ts';
import { receive, send } from '../../platform/datagrams.ts';
import {
  bindSocket,
  connectSocket,
  datagramSocket,
  ownName,
  type SocketName,
  setOption,
} from '../../platform/libc.ts';
import type { Local } from '../../upstream/bind.ts';

const nameOf = ({ host = '', port = 0, path }: ConnectTo): SocketName =>
  path === undefined
    ? { family: isIPv6(host) ? 'ipv6' : 'ipv4', address: host, port }
    : { family: 'unix', address: path, port: 0 };

/** `proxy_bind`. */
export interface Source {
  readonly local: Local;
  readonly transparent: boolean;
}

const bindTo = (fd: number, { local: { host, port }, transparent }: Source): void => {
  const family = isIPv6(host) ? 'ipv6' : 'ipv4';
  if (transparent) setOption(fd, family === 'ipv6' ? 'IPV6_TRANSPARENT' : 'IP_TRANSPARENT', 1);
  // The port is chosen when the peer is known; one that is named serves several sessions.
  setOption(fd, port === 0 ? 'IP_BIND_ADDRESS_NO_PORT' : 'SO_REUSEADDR', 1);
  bindSocket(fd, { family, address: host, port });
};

export class DatagramPeer {
  readonly #socket: DatagramSocket;
  /** Bytes sent. */
  sent = 0;
  /** A call on it has failed. */
  failed = false;
  /** Nothing more is expected of it. */
  ended = false;

  constructor(fd: number, owner: Readable) {
    this.#socket = new DatagramSocket(fd, owner);
  }

  /** A socket whose peer is `to`. Throws SystemError. */
  static connected(to: ConnectTo, source: Source | undefined, owner: Readable): DatagramPeer {
    const name = nameOf(to);
    const fd = datagramSocket(name.family);
    try {
      if (source) bindTo(fd, source);
      // As in nginx it counts as a connection, from here on.
      nextNumber();
      connectSocket(fd, name);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    return new DatagramPeer(fd, owner);
  }

  /** Answers the length or a negative errno. */
  send(bytes: Uint8Array): number {
    const sent = send(this.#socket.fd, bytes);
    if (sent > 0) this.sent += sent;
    return sent;
  }

  receive(most: number): number {
    return receive(this.#socket.fd, most);
  }

  start(): void {
    this.#socket.start();
  }

  stop(): void {
    this.#socket.stop();
  }

  close(): void {
    this.#socket.close();
  }

  /** Our end of it. */
  localName(): SocketName | undefined {
    return ownName(this.#socket.fd);
  }
}
