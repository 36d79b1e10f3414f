/** A socket on Node's handle itself: what is written and read, and how it ends. */
import { ipv4PeerName } from '../platform/peer-name.ts';
import {
  type EndName,
  type HandleOwner,
  type HandleRequest,
  type Handles,
  handles,
  LAST_WRITE_WAS_ASYNC,
  READ_BYTES_OR_ERROR,
  SOCKET,
  type StreamHandle,
  type SystemError,
  systemError,
  UV_ENOTCONN,
  UV_EOF,
} from './handle.ts';
import { type ConnectTo, shared, type Wire, type WireOwner, WRITE_AHEAD } from './wire.ts';

/** Our side of the connection. */
const WRITABLE = 0;
const SHUTTING = 1;
const SHUT = 2;

const state = handles?.state ?? new Int32Array(4);

/** Node's parts; sockets are only made where there are any. */
const parts = (): Handles => {
  if (!handles) throw new Error('Node gives no handles');
  return handles;
};

/** Serves every write that the system takes at once; the others keep theirs. */
let request: HandleRequest | undefined;
/** Sockets that are closed, and whose owners have not been told. Told together: a call from each handle costs more. */
let closing: Socket[] = [];
/** A read is being dealt with: those that close meanwhile are told of at its end. */
let reading = false;
const newRequest = (): HandleRequest => new (parts().Write)();

export class Socket implements Wire, HandleOwner {
  owner: WireOwner | undefined = undefined;
  destroyed = false;
  queued = 0;
  /** undefined once it is closed. */
  #handle: StreamHandle | undefined;
  /** Its descriptor, once asked for. */
  #fd = -1;
  #connecting = false;
  #paused = false;
  #error: SystemError | undefined = undefined;
  #side = WRITABLE;
  #destroyAtEnd = false;
  #peerEnded = false;
  /** A write has said false, and nobody has been told yet that there is room. */
  #full = false;
  #corks = 0;
  /** What has been written since `cork`: chunk, encoding, chunk, encoding. */
  #gathered: (string | Uint8Array)[] | undefined = undefined;
  #gatheredLength = 0;

  constructor(handle: StreamHandle) {
    this.#handle = handle;
    handle.owner = this;
    handle.onread = onRead;
    handle.useUserBuffer(shared);
  }

  /** One that is to connect; `fd`: on that descriptor, which is the socket's from then on. */
  static unconnected({ path }: ConnectTo, fd = -1): Socket {
    const { Tcp, Pipe } = parts();
    const handle = path === undefined ? new Tcp(SOCKET) : new Pipe(SOCKET);
    if (fd >= 0) handle.open(fd);
    return new Socket(handle);
  }

  /** Reads, unless it is to pause. */
  start(): void {
    if (this.#paused || this.#connecting || this.#peerEnded || !this.#handle) return;
    const error = this.#handle.readStart();
    if (error !== 0) this.destroy(systemError('read', error));
  }

  /** Begins to connect; a failure is told as the socket's end. */
  connect({ path, host = '', port = 0, localAddress, localPort = 0 }: ConnectTo): void {
    const handle = this.#handle;
    if (!handle) return;
    const { TcpConnect, PipeConnect } = parts();
    const v6 = host.includes(':');
    if (localAddress !== undefined || localPort !== 0) {
      const bound = v6
        ? handle.bind6?.(localAddress ?? '::', localPort, 0)
        : handle.bind?.(localAddress ?? '0.0.0.0', localPort);
      if (bound !== undefined && bound !== 0) {
        this.destroy(systemError('bind', bound));
        return;
      }
    }
    const own = path === undefined ? new TcpConnect() : new PipeConnect();
    own.oncomplete = connected;
    own.owner = this;
    this.#connecting = true;
    const begun =
      path !== undefined
        ? handle.connect(own, path)
        : v6
          ? handle.connect6?.(own, host, port)
          : handle.connect(own, host, port);
    if (begun !== undefined && begun !== 0) this.destroy(systemError('connect', begun));
  }

  get descriptor(): number {
    if (!this.#handle) return -1;
    if (this.#fd < 0) this.#fd = this.#handle.fd;
    return this.#fd;
  }

  get unsent(): number {
    return this.queued === 0 ? 0 : this.#gatheredLength + (this.#handle?.writeQueueSize ?? 0);
  }

  // ---- reading

  /** What `state` says about a read. */
  read(found: number): void {
    const { owner } = this;
    if (found > 0) {
      owner?.onBytes(found);
    } else if (found === UV_EOF) {
      this.#peerEnded = true;
      owner?.onPeerEnd();
      if (this.#side === SHUT) this.destroy();
    } else if (found < 0) {
      this.destroy(systemError('read', found));
    }
  }

  pause(): void {
    this.#paused = true;
    this.#handle?.readStop();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.start();
  }

  connected(status: number): void {
    this.#connecting = false;
    if (this.destroyed) return;
    if (status < 0) {
      this.destroy(systemError('connect', status));
      return;
    }
    this.#handle?.setNoDelay?.(true);
    this.start();
    this.owner?.onConnected();
    if (this.#side === SHUTTING) this.#shutDown();
  }

  // ---- writing

  writeText(text: string): boolean {
    const handle = this.#handle;
    if (!handle || this.#side !== WRITABLE) return !this.destroyed;
    if (this.#corks > 0) return this.#gather(text, 'latin1');
    request ??= newRequest();
    return this.#wrote(handle.writeLatin1String(request, text), request, text.length, undefined);
  }

  writeBytes(bytes: Uint8Array): boolean {
    const handle = this.#handle;
    if (!handle || this.#side !== WRITABLE || bytes.length === 0) return !this.destroyed;
    if (this.#corks > 0) return this.#gather(bytes, 'buffer');
    request ??= newRequest();
    return this.#wrote(handle.writeBuffer(request, bytes), request, bytes.length, bytes);
  }

  writeBoth(text: string, bytes: Uint8Array): boolean {
    const handle = this.#handle;
    if (!handle || this.#side !== WRITABLE) return !this.destroyed;
    if (this.#corks > 0) {
      this.#gather(text, 'latin1');
      return this.#gather(bytes, 'buffer');
    }
    return this.#writeAll(handle, [text, 'latin1', bytes, 'buffer'], text.length + bytes.length);
  }

  #writeAll(handle: StreamHandle, chunks: (string | Uint8Array)[], length: number): boolean {
    request ??= newRequest();
    return this.#wrote(handle.writev(request, chunks, false), request, length, chunks);
  }

  writeAndTell(bytes: Uint8Array): void {
    const handle = this.#handle;
    if (!handle || this.#side !== WRITABLE) return;
    const own = newRequest();
    this.#wrote(handle.writeBuffer(own, bytes), own, bytes.length, bytes);
    if (own.owner) own.oncomplete = writtenAndTold;
    else process.nextTick(tellWritten, this);
  }

  /** What has become of a write. */
  #wrote(error: number, used: HandleRequest, length: number, bytes: unknown): boolean {
    if (error !== 0) {
      this.destroy(systemError('write', error));
      return false;
    }
    if (state[LAST_WRITE_WAS_ASYNC] !== 0) {
      if (used === request) request = undefined;
      used.oncomplete = written;
      used.owner = this;
      used.length = length;
      used.bytes = bytes;
      this.queued += length;
    }
    if (this.queued < WRITE_AHEAD) return true;
    this.#full = true;
    return false;
  }

  /** A write that went on is over. */
  written(length: number, status: number): void {
    if (this.#over(length, status)) this.tellDrained();
  }

  writtenAndTold(length: number, status: number): void {
    if (!this.#over(length, status)) return;
    // Told once, whatever the length.
    if (this.queued === 0) this.#full = false;
    this.told();
  }

  /** False: nothing more is to be said about it. */
  #over(length: number, status: number): boolean {
    this.queued -= length;
    if (status < 0) this.destroy(systemError('write', status));
    return !this.destroyed;
  }

  told(): void {
    if (!this.destroyed) this.owner?.onWritten();
  }

  cork(): void {
    this.#corks++;
  }

  #gather(chunk: string | Uint8Array, encoding: string): boolean {
    this.#gathered ??= [];
    this.#gathered.push(chunk, encoding);
    this.#gatheredLength += chunk.length;
    this.queued += chunk.length;
    if (this.queued < WRITE_AHEAD) return true;
    this.#full = true;
    return false;
  }

  uncork(): void {
    if (this.#corks > 0) this.#corks--;
    const chunks = this.#gathered;
    if (this.#corks > 0 || !chunks) return;
    const length = this.#gatheredLength;
    this.#gathered = undefined;
    this.#gatheredLength = 0;
    this.queued -= length;
    if (!this.#handle || this.#side === SHUT) return;
    this.#writeAll(this.#handle, chunks, length);
    // The caller was told to wait, but the system has taken everything at once.
    if (this.#full && this.queued === 0 && !this.destroyed) process.nextTick(tellDrained, this);
  }

  /** Says that there is room, if that is still so. */
  tellDrained(): void {
    if (!this.#full || this.queued > 0 || this.destroyed) return;
    this.#full = false;
    this.owner?.onDrained();
  }

  // ---- its end

  end(): void {
    if (this.#side !== WRITABLE) return;
    this.#corks = 0;
    this.uncork();
    this.#side = SHUTTING;
    if (!this.#connecting) this.#shutDown();
  }

  #shutDown(): void {
    const handle = this.#handle;
    if (!handle) return;
    const shutdown = new (parts().Shutdown)();
    shutdown.oncomplete = shut;
    shutdown.owner = this;
    const result = handle.shutdown(shutdown);
    if (result === 1 || result === UV_ENOTCONN) this.shut();
    else if (result !== 0) this.destroy(systemError('shutdown', result));
  }

  /** Our side is shut. What may have failed of it, as on a connection that was reset, is said by the next read. */
  shut(): void {
    this.#side = SHUT;
    if (this.#peerEnded || this.#destroyAtEnd) this.destroy();
  }

  endAndDestroy(): void {
    this.#destroyAtEnd = true;
    if (this.#side === SHUT) this.destroy();
    else this.end();
  }

  destroy(error?: SystemError): void {
    const handle = this.#handle;
    if (!handle) return;
    this.#leave(error);
    handle.close();
  }

  reset(): void {
    const handle = this.#handle;
    if (!handle) return;
    this.#leave(undefined);
    // What is being shut down can't be reset.
    if (this.#side === SHUTTING || !handle.reset || handle.reset() !== 0) handle.close();
  }

  #leave(error: SystemError | undefined): void {
    this.#error = error;
    this.destroyed = true;
    // A handle is there until V8 has looked through all of its memory: it must not keep the connection alive.
    if (this.#handle) this.#handle.owner = undefined;
    this.#handle = undefined;
    this.#connecting = false;
    this.#gathered = undefined;
    if (closing.push(this) === 1 && !reading) setImmediate(tellClosed);
  }

  /** Says that it is closed. */
  gone(): void {
    this.owner?.onClosed(this.#error);
  }

  // ---- about it

  setKeepAlive(): void {
    this.#handle?.setKeepAlive?.(true, 0);
  }

  peerName(): EndName {
    const known = ipv4PeerName(this.descriptor);
    if (known) return known;
    const name: EndName = {};
    this.#handle?.getpeername?.(name);
    return name;
  }

  localName(): EndName {
    const name: EndName = {};
    this.#handle?.getsockname?.(name);
    return name;
  }
}

function onRead(this: StreamHandle): void {
  reading = true;
  try {
    this.owner?.read(state[READ_BYTES_OR_ERROR] ?? 0);
  } finally {
    reading = false;
    if (closing.length > 0) tellClosed();
  }
}
/** The owner of a request that is over, which the request must not keep alive. */
const ownerOf = (request: HandleRequest): HandleOwner | undefined => {
  const { owner } = request;
  request.owner = undefined;
  request.bytes = undefined;
  return owner;
};
function written(this: HandleRequest, status: number): void {
  ownerOf(this)?.written(this.length ?? 0, status);
}
function writtenAndTold(this: HandleRequest, status: number): void {
  ownerOf(this)?.writtenAndTold(this.length ?? 0, status);
}
function connected(this: HandleRequest, status: number): void {
  ownerOf(this)?.connected(status);
}
function shut(this: HandleRequest): void {
  ownerOf(this)?.shut();
}
const tellClosed = (): void => {
  const sockets = closing;
  closing = [];
  for (const socket of sockets) socket.gone();
};
const tellWritten = (socket: Socket): void => socket.told();
const tellDrained = (socket: Socket): void => socket.tellDrained();
