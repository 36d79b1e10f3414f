/**
 * The handles below Node's sockets: what Node itself builds `net.Socket` on. A `net.Socket` is two streams, an emitter
 * and their bookkeeping; making and closing one costs about as much as all else that a short connection needs, the
 * system calls included. `process.binding` is how a program gets at them; where it gives none (Node's permission model
 * shuts it), sockets are Node's (`net/node-socket.ts`).
 */
import { getSystemErrorName } from 'node:util';

/** Who is told what becomes of a handle and its requests; statuses are 0 or a negative errno. */
export interface HandleOwner {
  /** So many bytes have come, or a negative errno. */
  read(found: number): void;
  connected(status: number): void;
  /** A write of that length is over. */
  written(length: number, status: number): void;
  /** The same, of a write whose caller wants to know. */
  writtenAndTold(length: number, status: number): void;
  /** A shutdown is over. */
  shut(): void;
}

/** A request that goes on after its call: a write that the system has not taken at once, a shutdown, a connect. */
export interface HandleRequest {
  oncomplete: (this: HandleRequest, status: number) => void;
  owner?: HandleOwner | undefined;
  /** How many bytes it writes, and what must stay alive until then. */
  length?: number;
  bytes?: unknown;
}
type RequestClass = new () => HandleRequest;

/** The name of one end of a socket. */
export interface EndName {
  address?: string;
  port?: number;
}

/** A socket as libuv has it; calls answer 0 or a negative errno. */
export interface StreamHandle {
  readonly fd: number;
  /** Bytes that the system has not taken yet. */
  readonly writeQueueSize: number;
  onread: (this: StreamHandle) => void;
  owner?: HandleOwner | undefined;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  writeLatin1String(request: HandleRequest, text: string): number;
  writeBuffer(request: HandleRequest, bytes: Uint8Array): number;
  /** A chunk and its encoding, one after the other. */
  writev(request: HandleRequest, chunks: readonly (string | Uint8Array)[], allBuffers: false): number;
  /** 1: it is done already. */
  shutdown(request: HandleRequest): number;
  close(): void;
  /** TCP only, as all that follow. */
  reset?(): number;
  getsockname?(into: EndName): number;
  getpeername?(into: EndName): number;
  setNoDelay?(on: boolean): number;
  setKeepAlive?(on: boolean, delay: number): number;
  bind?(address: string, port: number): number;
  bind6?(address: string, port: number, flags: number): number;
  connect6?(request: HandleRequest, address: string, port: number): number;
  /** Takes a descriptor over. */
  open(fd: number): number;
  /** TCP: address and port; a unix socket: its path, and there may be no answer. */
  connect(request: HandleRequest, to: string, port?: number): number | undefined;
}
type HandleClass = new (type: number) => StreamHandle;

/** Node's parts. */
export interface Handles {
  /** What the last call said beside its result, see the indices below. */
  readonly state: Int32Array;
  readonly Write: RequestClass;
  readonly Shutdown: RequestClass;
  readonly Tcp: HandleClass;
  readonly TcpConnect: RequestClass;
  readonly Pipe: HandleClass;
  readonly PipeConnect: RequestClass;
}

/** Where `state` says how many bytes were read, or which error it was. */
export const READ_BYTES_OR_ERROR = 0;
/** Where `state` says whether the last write goes on. */
export const LAST_WRITE_WAS_ASYNC = 3;
/** The type of a handle: a socket, no listening one. */
export const SOCKET = 0;
export const UV_EOF = -4095;
export const UV_ENOTCONN = -107;

const isClass = (value: unknown): value is new () => never => typeof value === 'function';

const load = (): Handles | undefined => {
  try {
    const binding = Reflect.get(process, 'binding') as (name: string) => Record<string, unknown>;
    const streams = binding.call(process, 'stream_wrap');
    const { streamBaseState: state, WriteWrap, ShutdownWrap } = streams;
    const { kReadBytesOrError: bytesOrError, kLastWriteWasAsync: wasAsync } = streams;
    if (bytesOrError !== READ_BYTES_OR_ERROR || wasAsync !== LAST_WRITE_WAS_ASYNC) return undefined;
    const { TCP, TCPConnectWrap } = binding.call(process, 'tcp_wrap');
    const { Pipe, PipeConnectWrap } = binding.call(process, 'pipe_wrap');
    if (!(state instanceof Int32Array) || !isClass(WriteWrap) || !isClass(ShutdownWrap)) return undefined;
    if (!isClass(TCP) || !isClass(TCPConnectWrap) || !isClass(Pipe) || !isClass(PipeConnectWrap))
      return undefined;
    return {
      state,
      Write: WriteWrap,
      Shutdown: ShutdownWrap,
      Tcp: TCP,
      TcpConnect: TCPConnectWrap,
      Pipe,
      PipeConnect: PipeConnectWrap,
    };
  } catch {
    return undefined;
  }
};

/** undefined where Node does not give them. */
export const handles: Handles | undefined = load();

/** A failed call as Node reports one. */
export interface SystemError extends Error {
  readonly code?: string;
  readonly errno?: number;
  readonly syscall?: string;
}

/** The error of `syscall`, which answered the negative `errno`. */
export const systemError = (syscall: string, errno: number): SystemError => {
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`${syscall} ${code}`), { errno, code, syscall });
};
