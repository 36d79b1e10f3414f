/** A client that sends datagrams, in the place where the socket of a connection stands: it shares one with others. */

import { ALERT } from '../log/levels.ts';
import type { EndName } from '../net/handle.ts';
import type { Wire, WireOwner } from '../net/wire.ts';
import { type Correspondent, sendTo } from '../platform/datagrams.ts';
import type { ListenSpec } from '../process/contract.ts';

/** Who takes a client's further datagrams; the bytes are only there during the call. */
export interface DatagramTaker {
  onDatagram(bytes: Buffer): void;
}

/** The socket that a client's datagrams come in on. */
export interface SharedSocket {
  readonly spec: ListenSpec;
  /** -1 once it is closed. */
  readonly descriptor: number;
  /** The client's next datagram is a stranger's. */
  forget(client: DatagramClient): void;
}

/** Failures that tell of the other end: EPIPE, ENETDOWN, ENETUNREACH, ECONNRESET, ENOTCONN, ETIMEDOUT, and so on. */
const COMMON = new Set([32, 100, 101, 104, 107, 110, 111, 112, 113]);

/** How severe a failed call on a socket is; `usual`: for those that tell of the other end. */
export const sendFailureLevel = (errno: number, usual: number): number => (COMMON.has(errno) ? usual : ALERT);

const EBADF = 9;

export class DatagramClient implements Wire {
  owner: WireOwner | undefined = undefined;
  destroyed = false;
  readonly descriptor = -1;
  readonly queued = 0;
  readonly unsent = 0;
  /** Where there is none, datagrams are dropped. */
  taker: DatagramTaker | undefined = undefined;

  constructor(
    readonly socket: SharedSocket,
    /** Its name among the clients of the socket; '' for one that is never known again. */
    readonly key: string,
    readonly ends: Correspondent,
  ) {}

  /** Sends a datagram; answers its length or a negative errno. */
  send(bytes: Uint8Array): number {
    const { descriptor } = this.socket;
    return descriptor < 0 ? -EBADF : sendTo(descriptor, bytes, this.ends);
  }

  /** Its next datagram begins another session. */
  forget(): void {
    this.socket.forget(this);
  }

  peerName(): EndName {
    const { address, port } = this.ends;
    return address === '' ? {} : { address, port };
  }

  localName(): EndName {
    const { spec } = this.socket;
    return spec.family === 'unix' ? {} : { address: this.ends.localAddress || spec.address, port: spec.port };
  }

  destroy(): void {
    this.destroyed = true;
    this.taker = undefined;
    this.forget();
  }

  reset(): void {
    this.destroy();
  }

  endAndDestroy(): void {
    this.destroy();
  }

  writeText(text: string): boolean {
    return this.writeBytes(Buffer.from(text, 'latin1'));
  }

  writeBytes(bytes: Uint8Array): boolean {
    this.send(bytes);
    return true;
  }

  writeBoth(text: string, bytes: Uint8Array): boolean {
    return this.writeBytes(Buffer.concat([Buffer.from(text, 'latin1'), bytes]));
  }

  writeAndTell(bytes: Uint8Array): void {
    this.send(bytes);
    setImmediate(() => this.owner?.onWritten());
  }

  cork(): void {}

  uncork(): void {}

  pause(): void {}

  resume(): void {}

  end(): void {}

  setKeepAlive(): void {}
}
