/** sendfile(2): bytes of a file to a socket, without a way through this process. */
import type { KoffiFunc } from 'koffi';
import { libc, libcAvailable } from './libc.ts';

/** What `sendFile` answers when nothing was sent. */
export const WOULD_BLOCK = -1;
export const UNABLE = -2;

const EAGAIN = 11;
const EINTR = 4;
const HIGH = 2 ** 32;

type Call = (socket: number, file: number, offset: Buffer, count: number) => number;
let call: KoffiFunc<Call> | undefined;
/** The call reads the position here, and leaves the one behind the sent bytes. */
const offset = Buffer.alloc(8);

const load = (): KoffiFunc<Call> | undefined => {
  if (!call && libcAvailable()) {
    call = libc().library.func(
      'int64_t sendfile(int socket, int file, void *offset, size_t count)',
    ) as KoffiFunc<Call>;
  }
  return call;
};

/**
 * Sends up to `count` bytes of an open file from `position` on. Answers how many the socket took (0 at the end of the
 * file), WOULD_BLOCK when it is full, or UNABLE when it can't be done in this way, or the connection has an error.
 */
export const sendFile = (socket: number, file: number, position: number, count: number): number => {
  const send = load();
  if (!send) return UNABLE;
  offset.writeUInt32LE(position % HIGH, 0);
  offset.writeUInt32LE(Math.floor(position / HIGH), 4);
  const sent = send(socket, file, offset, count);
  if (sent >= 0) return sent;
  const errno = libc().koffi.errno();
  return errno === EAGAIN || errno === EINTR ? WOULD_BLOCK : UNABLE;
};
