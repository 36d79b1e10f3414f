/**
 * One socket, ours or a client's: what nginx calls a connection. Every plain socket reads into ONE shared
 * buffer; the bytes given to `onRead` are only there during the call. Nothing here knows a protocol.
 */
import net from 'node:net';
import { sendFile, UNABLE, WOULD_BLOCK } from '../platform/send-file.ts';
import { type DirectWriter, learnFrom, writeDirectly } from './direct-write.ts';
import { freeze, monotonic, Timer, type TimerOwner } from './timers.ts';

/** Who is told what happens on a connection. Replaced when a connection changes hands (parked, taken). */
export interface ConnectionHandler {
  /** `length` bytes at the start of `bytes`; copy what must outlive the call. */
  onRead(bytes: Buffer, length: number): void;
  /** The peer has sent its last byte. */
  onEnd(): void;
  /** Everything written so far has been taken by the system, after `write` said false. */
  onDrain(): void;
  /** The socket is gone; `connection.error` says why when it was not an orderly close. */
  onClose(): void;
  /** A connection of ours is established. */
  onConnect(): void;
  /** `timer` of this connection has run out. */
  onTimeout(timer: Timer): void;
}

/** Every plain socket reads into this. Its callback is synchronous, so one is enough for the process. */
export const READ_SIZE = 65536;
/** Bytes that may be queued on a socket before a write says false. */
const WRITE_AHEAD = 131072;
const shared = Buffer.allocUnsafeSlow(READ_SIZE);

/** The error of a system call as Node reports it. */
export interface SystemError extends Error {
  readonly code?: string;
  readonly errno?: number;
  readonly syscall?: string;
}

/** Where bytes are copied to be written; given away with a write that the system does not take at once. */
let scratch = Buffer.allocUnsafeSlow(READ_SIZE);

class OwnedSocket extends net.Socket {
  owner: Connection | undefined = undefined;
}

function onRead(this: OwnedSocket, length: number, bytes: Uint8Array): boolean {
  const owner = this.owner;
  if (!owner) return true;
  owner.received += length;
  freeze();
  owner.take(bytes as Buffer, length);
  return !owner.paused;
}
const onread = { buffer: shared, callback: onRead as (length: number, bytes: Uint8Array) => boolean };

function onEnd(this: OwnedSocket): void {
  const owner = this.owner;
  if (!owner) return;
  owner.ended = true;
  owner.handler.onEnd();
}
function onDrain(this: OwnedSocket): void {
  const owner = this.owner;
  if (!owner) return;
  owner.blocked = false;
  owner.handler.onDrain();
}
function onConnect(this: OwnedSocket): void {
  this.owner?.handler.onConnect();
}
function onError(this: OwnedSocket, error: Error): void {
  if (this.owner) this.owner.error = error;
}
function onClose(this: OwnedSocket): void {
  const owner = this.owner;
  if (!owner) return;
  owner.closed = true;
  owner.timer.remove();
  owner.handler.onClose();
  owner.release();
}

const watch = (socket: OwnedSocket): void => {
  socket.on('end', onEnd);
  socket.on('drain', onDrain);
  socket.on('error', onError);
  socket.on('close', onClose);
};

let numbers = 0;
/** The next number for `*N` in the logs and `$connection`. */
export const nextNumber = (): number => ++numbers;

export class Connection implements TimerOwner, DirectWriter {
  handler: ConnectionHandler;
  readonly timer: Timer = new Timer(this);
  /** nginx's `*N`, unique in this process. */
  readonly number: number;
  /** When it was made, on the clock of `monotonic`, ms. */
  readonly started: number = monotonic();
  error: SystemError | undefined = undefined;
  /** Bytes read so far. */
  received = 0;
  inFlight = 0;
  /** It is one of ours, a plain one. */
  readonly #plain: boolean;
  /** Bytes written so far, queued ones included. */
  sent = 0;
  /** A write has said false, and `onDrain` has not come yet. */
  blocked = false;
  paused = false;
  /** The peer has sent its last byte. */
  ended = false;
  closed = false;
  /** We have shut our side down. */
  finished = false;
  /** What is written goes out as it is: the socket's descriptor may be written to as well. */
  bare = false;
  #tell: (() => void) | undefined = undefined;

  constructor(
    readonly socket: net.Socket,
    handler: ConnectionHandler,
    number: number,
  ) {
    this.handler = handler;
    this.number = number;
    this.#plain = socket instanceof OwnedSocket;
  }

  onTimer(timer: Timer): void {
    this.handler.onTimeout(timer);
  }

  /** Bytes from the socket, only there during the call. */
  take(bytes: Buffer, length: number): void {
    this.handler.onRead(bytes, length);
  }

  /** The socket is gone and everybody has been told. */
  release(): void {}

  /** The socket's descriptor; -1 when it has none any more. */
  get descriptor(): number {
    const { _handle: handle } = this.socket as unknown as { _handle: { readonly fd?: number } | null };
    return handle?.fd ?? -1;
  }

  /** Takes the place of another connection: its socket's events are this one's from now on. */
  replace(other: Connection): void {
    other.timer.remove();
    this.received = other.received;
    this.sent = other.sent;
    this.paused = other.paused;
    if (this.socket instanceof OwnedSocket) this.socket.owner = this;
  }

  /** Bytes handed to `write` that the system has not taken yet. */
  get queued(): number {
    return this.socket.writableLength + this.inFlight;
  }

  /** Bytes that the system has not taken yet, of what it has been given; it falls while a slow peer reads. */
  get unsent(): number {
    const { _handle: handle } = this.socket as unknown as {
      _handle: { readonly writeQueueSize?: number } | null;
    };
    return this.queued === 0 ? 0 : this.socket.writableLength + (handle?.writeQueueSize ?? 0);
  }

  /** Writes text, one byte a character. False: more is queued than is good, wait for `onDrain`. */
  writeText(text: string): boolean {
    this.sent += text.length;
    if (this.#plain && !this.finished && writeDirectly(this.socket, text, this)) return true;
    return this.socket.write(text, 'latin1') || this.#block();
  }

  /** Writes bytes, which must stay as they are until sent: copy what stands in the shared buffer. */
  writeBytes(bytes: Uint8Array): boolean {
    this.sent += bytes.length;
    return this.socket.write(bytes) || this.#block();
  }

  /**
   * Writes text, which may be empty, and a copy of bytes that are only there during the call. What the system
   * takes at once, the usual case, leaves the copy's memory free for the next one.
   */
  writeCopy(text: string, bytes: Uint8Array): boolean {
    const { length } = bytes;
    if (length > READ_SIZE) return this.writeBoth(text, Buffer.from(bytes));
    scratch.set(bytes);
    const copy = scratch.subarray(0, length);
    const go = text === '' ? this.writeBytes(copy) : this.writeBoth(text, copy);
    if (this.socket.writableLength > 0) scratch = Buffer.allocUnsafeSlow(READ_SIZE);
    return go;
  }

  /** A head and the first bytes behind it in one system call. */
  writeBoth(text: string, bytes: Uint8Array): boolean {
    this.sent += text.length + bytes.length;
    this.socket.cork();
    this.socket.write(text, 'latin1');
    const go = this.socket.write(bytes);
    this.socket.uncork();
    // What the system took at once is no longer queued, whatever the corked write said.
    return go || !this.socket.writableNeedDrain || this.#block();
  }

  /**
   * Sends bytes of an open file without a way through this process, where nothing is queued before them. As
   * `sendFile` of platform/send-file.ts; a file's bytes can't go into TLS in this way.
   */
  sendFile(file: number, position: number, count: number): number {
    const descriptor = this.bare ? this.descriptor : -1;
    if (descriptor < 0) return UNABLE;
    if (this.queued > 0) return WOULD_BLOCK;
    const sent = sendFile(descriptor, file, position, count);
    if (sent > 0) this.sent += sent;
    return sent;
  }

  /** Writes bytes, which must stay as they are until `onDrain` tells, in any case, that they have been sent. */
  writeAndTell(bytes: Uint8Array): void {
    this.sent += bytes.length;
    this.blocked = true;
    this.#tell ??= () => {
      this.blocked = false;
      if (!this.closed) this.handler.onDrain();
    };
    this.socket.write(bytes, this.#tell);
  }

  #block(): false {
    this.blocked = true;
    return false;
  }

  /** Stops reading: the peer is held back by TCP. A close by it goes unseen meanwhile. */
  pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.socket.resume();
  }

  /** Shuts our side down when all is sent; reading goes on. */
  end(): void {
    this.finished = true;
    this.socket.end();
  }

  /** Closes it when all that is queued has been sent; nothing more is read or reported but `onClose`. */
  close(): void {
    this.finished = true;
    if (this.queued === 0) this.destroy();
    else this.socket.end(() => this.destroy());
  }

  /** Closes it at once; what is queued is lost. */
  destroy(): void {
    this.timer.remove();
    this.socket.destroy();
  }

  /** Closes it with a TCP reset (`reset_timedout_connection`). */
  reset(): void {
    this.timer.remove();
    this.socket.resetAndDestroy();
  }
}

/** The parts of Node's socket handle that are used to give an accepted socket the shared buffer. */
export interface Handle {
  reading: boolean;
  close(): void;
  /** Fills in the local address; not for unix sockets. */
  getsockname?(into: { address?: string }): number;
  setNoDelay?(on: boolean): void;
}

/** Takes the handle out of a socket that a server with `pauseOnConnect` accepted; undefined when it is gone already. */
export const handleOf = (socket: net.Socket): Handle | undefined => {
  const holder = socket as unknown as { _handle: Handle | null };
  const handle = holder._handle;
  holder._handle = null;
  return handle ?? undefined;
};

interface ListeningHandle {
  onconnection?: (this: unknown, status: number, handle: Handle) => void;
}

/**
 * Gives every connection of a listening server to `take` as a handle: Node would make a socket for each, which is
 * half of what accepting costs. Where Node does not work like that, the server's event `connection` goes on.
 */
export const takeHandles = (server: net.Server, take: (handle: Handle) => void): void => {
  const { _handle: listening } = server as unknown as { _handle: ListeningHandle | null };
  const before = listening?.onconnection;
  if (!listening || !before) return;
  listening.onconnection = function (status, handle) {
    if (status === 0) take(handle);
    else before.call(this, status, handle);
  };
};

/** The local address of a handle; '' for unix sockets. */
export const localAddressOf = (handle: Handle): string => {
  const name: { address?: string } = {};
  handle.getsockname?.(name);
  return name.address ?? '';
};

/** A connection on an accepted handle, which reads into the shared buffer. */
export const accepted = (handle: Handle, handler: ConnectionHandler): Connection => {
  handle.setNoDelay?.(true);
  handle.reading = false;
  const options = { handle, onread, allowHalfOpen: true, writableHighWaterMark: WRITE_AHEAD };
  const own = new OwnedSocket(options as net.SocketConstructorOpts);
  const connection = new Connection(own, handler, nextNumber());
  connection.bare = true;
  own.owner = connection;
  learnFrom(own);
  watch(own);
  own.resume();
  return connection;
};

/** Where to connect to: an address and port, or the path of a unix socket. */
export interface ConnectTo {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

/** Begins to connect; `handler.onConnect` or `handler.onClose` follows. */
export const connect = (to: ConnectTo, handler: ConnectionHandler): Connection =>
  connectOn(
    new OwnedSocket({
      onread,
      allowHalfOpen: true,
      writableHighWaterMark: WRITE_AHEAD,
    } as net.SocketConstructorOpts),
    to,
    handler,
  );

/** As `connect`, with a TCP socket of the caller's making, which is the connection's from then on. */
export const connectFrom = (fd: number, to: ConnectTo, handler: ConnectionHandler): Connection =>
  connectOn(
    new OwnedSocket({
      fd,
      // It is not connected yet: nothing can be read.
      manualStart: true,
      onread,
      allowHalfOpen: true,
      writableHighWaterMark: WRITE_AHEAD,
    } as net.SocketConstructorOpts),
    to,
    handler,
  );

const connectOn = (socket: OwnedSocket, to: ConnectTo, handler: ConnectionHandler): Connection => {
  const connection = new Connection(socket, handler, nextNumber());
  socket.owner = connection;
  watch(socket);
  socket.on('connect', onConnect);
  socket.connect(
    (to.path === undefined ? { ...to, noDelay: true } : { path: to.path }) as net.NetConnectOpts,
  );
  return connection;
};
