/** The socket below a connection: Node's handle itself (`net/socket.ts`), or a `net.Socket` (`net/node-socket.ts`). */
import type { EndName, SystemError } from './handle.ts';

/** Every socket reads into this. What is told of it is told at once, so one is enough for the process. */
export const READ_SIZE = 65536;
export const shared: Buffer = Buffer.allocUnsafeSlow(READ_SIZE);
/** Bytes that may be queued on a socket before a write says false; more is too much for whoever produces them. */
export const WRITE_AHEAD = 131072;

/** Who is told what happens to a socket. */
export interface WireOwner {
  /** `length` bytes stand at the start of the shared buffer. */
  onBytes(length: number): void;
  /** The peer has sent its last byte. */
  onPeerEnd(): void;
  /** Everything written so far has been taken by the system, after a write said false. */
  onDrained(): void;
  /** `writeAndTell` is done. */
  onWritten(): void;
  onConnected(): void;
  /** The socket is gone; `error` says why when it was not an orderly close. */
  onClosed(error: SystemError | undefined): void;
}

export interface Wire {
  owner: WireOwner | undefined;
  /** It is closed, or about to be: nothing can be written. */
  readonly destroyed: boolean;
  /** The socket's descriptor; -1 when it has none any more. */
  readonly descriptor: number;
  /** Bytes written that the system has not taken yet: whole writes. */
  readonly queued: number;
  /** The same to the byte: it falls while a slow peer reads. */
  readonly unsent: number;
  /**
   * Writes text, one byte a character. False: more is queued than is good, and `onDrained` follows; or the socket is
   * closed, and `onClosed` does.
   */
  writeText(text: string): boolean;
  /** Writes bytes, which must stay as they are for as long as `queued` is not 0. */
  writeBytes(bytes: Uint8Array): boolean;
  /** Both in one system call. */
  writeBoth(text: string, bytes: Uint8Array): boolean;
  /** Writes bytes; `onWritten` follows in any case, later, unless the socket is closed. */
  writeAndTell(bytes: Uint8Array): void;
  /** Gathers what is written until `uncork`, which may be called as often as this. */
  cork(): void;
  uncork(): void;
  pause(): void;
  resume(): void;
  /** Shuts our side down when all is sent; once the peer's is shut too the socket closes. */
  end(): void;
  /** Closes it when all is sent. */
  endAndDestroy(): void;
  /** Closes it at once. */
  destroy(error?: SystemError): void;
  /** As `destroy`, with a TCP reset. */
  reset(): void;
  setKeepAlive(): void;
  /** The other end's name, or ours; without an address where there is none, as for unix sockets. */
  peerName(): EndName;
  localName(): EndName;
}

/** Where to connect to: an address and port, or the path of a unix socket. */
export interface ConnectTo {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}
