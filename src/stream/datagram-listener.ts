/** A socket that datagrams come to: each client, by its address and the one of ours that it writes to, has a session. */
import type { ErrorLog } from '../log/error-log.ts';
import { ALERT } from '../log/levels.ts';
import { DatagramSocket, type Readable } from '../net/datagram-socket.ts';
import {
  correspondent,
  correspondentKey,
  EAGAIN,
  EINTR,
  received,
  receiveFrom,
  TRUNCATED,
} from '../platform/datagrams.ts';
import { errnoText } from '../platform/errno.ts';
import type { ListenSpec } from '../process/contract.ts';
import { isWildcard } from '../process/listen-directive.ts';
import { DatagramClient, type SharedSocket } from './datagram-client.ts';

/** So many are taken at once; other sockets come first then. */
const BATCH = 32;

/** What begins sessions. */
export interface DatagramHost {
  readonly log: ErrorLog;
  /** There is room for one more; false has been logged. */
  hasRoom(): boolean;
  /** Begins a session with a client's first datagram, which is the session's to keep. */
  begin(client: DatagramClient, bytes: Buffer): void;
}

export class DatagramListener implements SharedSocket, Readable {
  readonly #clients = new Map<string, DatagramClient>();
  readonly #socket: DatagramSocket;
  readonly #wildcard: boolean;
  #closed = false;

  constructor(
    fd: number,
    readonly spec: ListenSpec,
    readonly host: DatagramHost,
  ) {
    this.#wildcard = spec.family !== 'unix' && isWildcard(spec);
    this.#socket = new DatagramSocket(fd, this);
    this.#socket.start();
  }

  get descriptor(): number {
    return this.#closed ? -1 : this.#socket.fd;
  }

  onReadable(): void {
    for (let left = BATCH; left > 0 && !this.#closed; left--) {
      const length = receiveFrom(this.#socket.fd, this.#wildcard);
      if (length >= 0) {
        this.#take(received.subarray(0, length));
        continue;
      }
      if (length === -EAGAIN || length === -EINTR) return;
      if (length === TRUNCATED) {
        this.host.log.write(ALERT, 'recvmsg() truncated data');
        continue;
      }
      this.host.log.write(ALERT, `recvmsg() failed (${errnoText(length)})`);
      return;
    }
  }

  #take(bytes: Buffer): void {
    const key = correspondentKey();
    const known = key === '' ? undefined : this.#clients.get(key);
    if (known) {
      known.taker?.onDatagram(bytes);
      return;
    }
    if (!this.host.hasRoom()) return;
    const client = new DatagramClient(this, key, correspondent());
    if (key !== '') this.#clients.set(key, client);
    this.host.begin(client, Buffer.from(bytes));
  }

  forget(client: DatagramClient): void {
    if (this.#clients.get(client.key) === client) this.#clients.delete(client.key);
  }

  close(): void {
    this.#closed = true;
    this.#clients.clear();
    this.#socket.close();
  }
}
