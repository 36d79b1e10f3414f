/**
 * When there is something to receive on a datagram socket. Node's own datagrams hide what has to be known of them, so
 * its part is only to wait: a stream's handle that has no room to read into says that there is something, and takes
 * nothing.
 */
import { handles, SOCKET, type StreamHandle } from './handle.ts';
import { freeze, thaw } from './timers.ts';

export interface Readable {
  /** There is something to receive, or an error; told again until it has been taken. */
  onReadable(): void;
}

/** Whether Node gives what is needed here. */
export const canWait: boolean = handles !== undefined;

const NO_ROOM = Buffer.alloc(0);

function ignore(this: StreamHandle): void {}

export class DatagramSocket {
  #handle: StreamHandle | undefined;

  /** `fd` is the socket's from then on. */
  constructor(
    readonly fd: number,
    owner: Readable,
  ) {
    if (!handles) throw new Error('Node gives no handles');
    const handle = new handles.Tcp(SOCKET);
    handle.open(fd);
    handle.onread = () => {
      freeze();
      try {
        owner.onReadable();
      } finally {
        thaw();
      }
    };
    handle.useUserBuffer(NO_ROOM);
    this.#handle = handle;
  }

  start(): void {
    this.#handle?.readStart();
  }

  stop(): void {
    this.#handle?.readStop();
  }

  close(): void {
    const handle = this.#handle;
    if (!handle) return;
    this.#handle = undefined;
    // The handle outlives its close for a while: its owner need not.
    handle.onread = ignore;
    handle.close();
  }
}
