/** A socket as Node's own `net.Socket`, for a Node that does not give its handles (`net/handle.ts`). */
import net from 'node:net';
import type { EndName, StreamHandle, SystemError } from './handle.ts';
import { type ConnectTo, shared, type Wire, type WireOwner, WRITE_AHEAD } from './wire.ts';

const OPTIONS = { allowHalfOpen: true, writableHighWaterMark: WRITE_AHEAD };

export class NodeSocket implements Wire {
  owner: WireOwner | undefined = undefined;
  readonly #socket: net.Socket;
  #error: SystemError | undefined = undefined;
  #paused = false;
  /** Writes that their caller is told of in any case. */
  #telling = 0;

  /** `made`: what the socket is made on. */
  constructor(made: {
    readonly handle?: StreamHandle;
    readonly fd?: number;
    readonly manualStart?: boolean;
  }) {
    const onread = {
      buffer: shared,
      callback: (length: number): boolean => {
        this.owner?.onBytes(length);
        return !this.#paused;
      },
    };
    const socket = new net.Socket({ ...OPTIONS, ...made, onread } as net.SocketConstructorOpts);
    socket.on('end', () => this.owner?.onPeerEnd());
    socket.on('drain', () => {
      if (this.#telling === 0) this.owner?.onDrained();
    });
    socket.on('connect', () => this.owner?.onConnected());
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('close', () => this.owner?.onClosed(this.#error));
    this.#socket = socket;
  }

  /** On an accepted handle; it reads once it is started. */
  static accepted(handle: StreamHandle): NodeSocket {
    return new NodeSocket({ handle });
  }

  /** One that is to connect; `fd`: on that descriptor, of which nothing can be read yet. */
  static unconnected(fd = -1): NodeSocket {
    return new NodeSocket(fd < 0 ? {} : { fd, manualStart: true });
  }

  start(): void {
    this.#socket.resume();
  }

  connect(to: ConnectTo): void {
    const { path } = to;
    this.#socket.connect((path === undefined ? { ...to, noDelay: true } : { path }) as net.NetConnectOpts);
  }

  get destroyed(): boolean {
    return this.#socket.destroyed;
  }

  get #handle(): Partial<Pick<StreamHandle, 'fd' | 'writeQueueSize' | 'reset'>> | null {
    return Reflect.get(this.#socket, '_handle');
  }

  get descriptor(): number {
    return this.#handle?.fd ?? -1;
  }

  get queued(): number {
    return this.#socket.writableLength;
  }

  get unsent(): number {
    return this.queued === 0 ? 0 : this.queued + (this.#handle?.writeQueueSize ?? 0);
  }

  writeText(text: string): boolean {
    return this.#socket.write(text, 'latin1');
  }

  writeBytes(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes);
  }

  writeBoth(text: string, bytes: Uint8Array): boolean {
    this.#socket.cork();
    this.#socket.write(text, 'latin1');
    const go = this.#socket.write(bytes);
    this.#socket.uncork();
    // What the system took at once is no longer queued, whatever the corked write said.
    return go || !this.#socket.writableNeedDrain;
  }

  writeAndTell(bytes: Uint8Array): void {
    this.#telling++;
    this.#socket.write(bytes, () => {
      this.#telling--;
      if (!this.destroyed) this.owner?.onWritten();
    });
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  endAndDestroy(): void {
    this.#socket.end(() => this.#socket.destroy());
  }

  destroy(): void {
    this.#socket.destroy();
  }

  reset(): void {
    // Node throws where there can be no reset, as of unix sockets.
    if (this.#handle?.reset) this.#socket.resetAndDestroy();
    else this.destroy();
  }

  setKeepAlive(): void {
    this.#socket.setKeepAlive(true);
  }

  peerName(): EndName {
    const { remoteAddress: address, remotePort: port } = this.#socket;
    return address === undefined || port === undefined ? {} : { address, port };
  }

  localName(): EndName {
    const { localAddress: address, localPort: port } = this.#socket;
    return address === undefined || port === undefined ? {} : { address, port };
  }
}
