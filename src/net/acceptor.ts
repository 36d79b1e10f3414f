/** Accepting connections on a listening descriptor. */
import net from 'node:net';
import { libcAvailable, setOption } from '../platform/libc.ts';
import { handleOf, type StreamHandle, takeHandles } from './connection.ts';

/** Gives a listening TCP socket TCP_NODELAY, which what it accepts inherits. False: it can't be. */
export const undelayed = (fd: number): boolean => {
  if (!libcAvailable()) return false;
  try {
    setOption(fd, 'TCP_NODELAY', 1);
    return true;
  } catch {
    return false;
  }
};

/** Begins to accept on a descriptor: each connection goes to `take` as a handle. */
export const acceptOn = (
  fd: number,
  backlog: number,
  take: (handle: StreamHandle) => void,
  failed: (message: string) => void,
): net.Server => {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true });
  server.on('connection', (accept: net.Socket) => {
    const handle = handleOf(accept);
    if (handle) take(handle);
  });
  server.on('error', (error) => failed(`accept() failed (${error.message})`));
  // Of a descriptor's options Node reads no backlog.
  server.listen({ fd }, backlog);
  takeHandles(server, take);
  return server;
};
