/**
 * One socket, ours or a client's: what nginx calls a connection. Every socket reads into ONE shared buffer; the
 * bytes given to `onRead` are only there during the call. Nothing here knows a protocol.
 */
import type net from 'node:net';
import { sendFile, UNABLE, WOULD_BLOCK } from '../platform/send-file.ts';
import { type EndName, handles, type StreamHandle, type SystemError } from './handle.ts';
import { NodeSocket } from './node-socket.ts';
import { Socket } from './socket.ts';
import { runWaiting } from './soon.ts';
import { freeze, monotonic, Timer, type TimerOwner, thaw } from './timers.ts';
import { type ConnectTo, READ_SIZE, shared, type Wire, type WireOwner, WRITE_AHEAD } from './wire.ts';

export { type ConnectTo, READ_SIZE, type StreamHandle, type SystemError };

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

/** Where bytes are copied to be written; given away with a write that the system does not take at once. */
let scratch = Buffer.allocUnsafeSlow(READ_SIZE);

let numbers = 0;
/** The next number for `*N` in the logs and `$connection`. */
export const nextNumber = (): number => ++numbers;

export class Connection implements TimerOwner, WireOwner {
  handler: ConnectionHandler;
  readonly timer: Timer = new Timer(this);
  /** nginx's `*N`, unique in this process. */
  readonly number: number;
  /** When it was made, on the clock of `monotonic`, ms. */
  readonly started: number = monotonic();
  error: SystemError | undefined = undefined;
  /** Bytes read so far. */
  received = 0;
  /** Bytes written so far, queued ones included. */
  sent = 0;
  /** A write has said false, and neither `onDrain` nor `onClose` has come yet. */
  blocked = false;
  paused = false;
  /** The peer has sent its last byte. */
  ended = false;
  closed = false;
  /** We have shut our side down. */
  finished = false;
  /** What is written goes out as it is: the socket's descriptor may be written to as well. */
  bare = false;
  /** Runs when the connection is gone and its handler has been told. */
  afterwards: (() => void) | undefined = undefined;

  constructor(
    readonly socket: Wire,
    handler: ConnectionHandler,
    number: number,
  ) {
    this.handler = handler;
    this.number = number;
    socket.owner = this;
  }

  // ---- what the socket tells

  onBytes(length: number): void {
    this.received += length;
    freeze();
    try {
      this.take(shared, length);
    } finally {
      try {
        runWaiting();
      } finally {
        thaw();
      }
    }
  }

  onPeerEnd(): void {
    this.ended = true;
    this.handler.onEnd();
  }

  onDrained(): void {
    this.blocked = false;
    this.handler.onDrain();
  }

  onWritten(): void {
    this.blocked = false;
    if (!this.closed) this.handler.onDrain();
  }

  onConnected(): void {
    this.handler.onConnect();
  }

  onClosed(error: SystemError | undefined): void {
    this.error = error;
    this.closed = true;
    this.timer.remove();
    this.handler.onClose();
    this.release();
    this.afterwards?.();
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
    return this.socket.descriptor;
  }

  /** Takes the place of another connection on its socket. */
  replace(other: Connection): void {
    other.timer.remove();
    this.received = other.received;
    this.sent = other.sent;
    this.paused = other.paused;
  }

  /** Bytes handed to `write` that the system has not taken yet. */
  get queued(): number {
    return this.socket.queued;
  }

  /** The same to the byte: it falls while a slow peer reads. */
  get unsent(): number {
    return this.socket.unsent;
  }

  /** Whoever produces what is written is to stop: `onDrain` follows, or `onClose`. */
  get congested(): boolean {
    return this.blocked && (this.queued >= WRITE_AHEAD || this.socket.destroyed);
  }

  /** What is written until this read is dealt with ends the connection, as far as is known: it may leave in one piece. */
  gather(): void {}

  /** Writes text, one byte a character. False: more is queued than is good, wait for `onDrain`, or it is closed. */
  writeText(text: string): boolean {
    this.sent += text.length;
    return this.socket.writeText(text) || this.#block();
  }

  /** Writes bytes, which must stay as they are until sent: copy what stands in the shared buffer. */
  writeBytes(bytes: Uint8Array): boolean {
    this.sent += bytes.length;
    return this.socket.writeBytes(bytes) || this.#block();
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
    if (this.socket.queued > 0) scratch = Buffer.allocUnsafeSlow(READ_SIZE);
    return go;
  }

  /** A head and the first bytes behind it in one system call. */
  writeBoth(text: string, bytes: Uint8Array): boolean {
    this.sent += text.length + bytes.length;
    return this.socket.writeBoth(text, bytes) || this.#block();
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
    this.socket.writeAndTell(bytes);
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

  /** As `end`, where what still comes is of interest. */
  halfClose(): void {
    this.end();
  }

  /** Closes it when all that is queued has been sent; nothing more is read or reported but `onClose`. */
  close(): void {
    this.finished = true;
    if (this.queued === 0) this.destroy();
    else this.socket.endAndDestroy();
  }

  /** Closes it at once; what is queued is lost. */
  destroy(): void {
    this.timer.remove();
    this.socket.destroy();
  }

  /** Closes it with a TCP reset (`reset_timedout_connection`). */
  reset(): void {
    this.timer.remove();
    this.socket.reset();
  }
}

/** Takes the handle out of a socket that a server with `pauseOnConnect` accepted; undefined when it is gone already. */
export const handleOf = (socket: net.Socket): StreamHandle | undefined => {
  const handle: StreamHandle | null | undefined = Reflect.get(socket, '_handle');
  Reflect.set(socket, '_handle', null);
  return handle ?? undefined;
};

interface ListeningHandle {
  onconnection?: (this: unknown, status: number, handle: StreamHandle) => void;
}

/**
 * Gives every connection of a listening server to `take` as a handle: Node would make a socket for each. Where Node
 * does not work like that, the server's event `connection` goes on.
 */
export const takeHandles = (server: net.Server, take: (handle: StreamHandle) => void): void => {
  const listening: ListeningHandle | null = Reflect.get(server, '_handle');
  const before = listening?.onconnection;
  if (!listening || !before) return;
  listening.onconnection = function (status, handle) {
    if (status === 0) take(handle);
    else before.call(this, status, handle);
  };
};

/** The local address of a handle; '' for unix sockets. */
export const localAddressOf = (handle: StreamHandle): string => {
  const name: EndName = {};
  handle.getsockname?.(name);
  return name.address ?? '';
};

/** A connection on an accepted handle. `delays`: it has not inherited TCP_NODELAY. */
export const accepted = (handle: StreamHandle, handler: ConnectionHandler, delays = true): Connection => {
  if (delays) handle.setNoDelay?.(true);
  const socket = handles ? new Socket(handle) : NodeSocket.accepted(handle);
  const connection = new Connection(socket, handler, nextNumber());
  connection.bare = true;
  socket.start();
  return connection;
};

/** Begins to connect; `handler.onConnect` or `handler.onClose` follows. */
export const connect = (to: ConnectTo, handler: ConnectionHandler): Connection => {
  const socket = handles ? Socket.unconnected(to) : NodeSocket.unconnected();
  const connection = new Connection(socket, handler, nextNumber());
  socket.connect(to);
  return connection;
};

/** As `connect`, with a TCP socket of the caller's making, which is the connection's from then on. */
export const connectFrom = (fd: number, to: ConnectTo, handler: ConnectionHandler): Connection => {
  const socket = handles ? Socket.unconnected(to, fd) : NodeSocket.unconnected(fd);
  const connection = new Connection(socket, handler, nextNumber());
  socket.connect(to);
  return connection;
};
