/**
 * Short texts written straight to a socket's handle. What Node's streams do around a write (a request object, the
 * Writable's state, a tick) takes about as long as the system call, and is not needed for a text that the system takes
 * at once. Where Node has no such handle, and until it has shown what its requests to write are, sockets are written
 * to as usual.
 */
import type net from 'node:net';
import { getSystemErrorName } from 'node:util';

/** A request to write: it has an id of its own only while it is in flight. */
interface WriteRequest {
  oncomplete: (status: number) => void;
  getAsyncId(): number;
}
interface WriteHandle {
  writeLatin1String(request: WriteRequest, text: string): number;
}
interface WithHandle {
  readonly _handle: WriteHandle | null;
}

/** Who writes: bytes of a text that the system has not taken whole; nothing more is written directly until it has. */
export interface DirectWriter {
  inFlight: number;
}

/** Longer texts are never written at once by the handle. */
const LONGEST = 16384;

/** Node's own kind of request, learnt from its first write; then the one that serves every write that is done at once. */
let MakeRequest: (new () => WriteRequest) | undefined;
let request: WriteRequest | undefined;

/** Watches for the request of Node's first write to this socket, while none is known. */
export const learnFrom = (socket: net.Socket): void => {
  const { _handle: handle } = socket as unknown as WithHandle;
  if (request || !handle || typeof handle.writeLatin1String !== 'function') return;
  const write = handle.writeLatin1String;
  handle.writeLatin1String = (first, text) => {
    handle.writeLatin1String = write;
    if (typeof first.getAsyncId === 'function' && !request) {
      MakeRequest = first.constructor as new () => WriteRequest;
      request = new MakeRequest();
    }
    return write.call(handle, first, text);
  };
};

/** Writes `text`, one byte a character. False: it can't be written like this, nothing has been done. */
export const writeDirectly = (socket: net.Socket, text: string, writer: DirectWriter): boolean => {
  const { _handle: handle } = socket as unknown as WithHandle;
  if (!request || !MakeRequest || !handle || text.length > LONGEST || writer.inFlight > 0) return false;
  if (socket.connecting || socket.writableLength > 0 || socket.writableCorked > 0) return false;
  const error = handle.writeLatin1String(request, text);
  if (error !== 0) {
    fail(socket, error);
  } else if (request.getAsyncId() >= 0) {
    writer.inFlight = text.length;
    request.oncomplete = (status) => {
      writer.inFlight = 0;
      if (status < 0) fail(socket, status);
    };
    request = new MakeRequest();
  }
  return true;
};

/** As a failed write of Node's own: the socket is destroyed, and its error told. */
const fail = (socket: net.Socket, errno: number): void => {
  if (socket.destroyed) return;
  const code = getSystemErrorName(errno);
  socket.destroy(Object.assign(new Error(`write ${code}`), { errno, code, syscall: 'write' }));
};
