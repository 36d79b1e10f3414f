/** Free TCP ports, found by binding port 0. */
import { once } from 'node:events';
import type { Server } from 'node:net';
import { createServer } from 'node:net';
import { quiet } from './sockets.ts';

/** `count` different ports that were free on 127.0.0.1 a moment ago, and that no TIME_WAIT socket remembers. */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = [];
  const ports: number[] = [];
  while (ports.length < count) {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const port = listenedPort(server);
    servers.push(server);
    if (quiet(port)) {
      ports.push(port);
    }
  }
  await Promise.all(
    servers.map((server) => {
      server.close();
      return once(server, 'close');
    }),
  );
  return ports;
}

/** One free port. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  if (port === undefined) {
    throw new Error('no free port');
  }
  return port;
}

/** The port that a server listens on. */
export function listenedPort(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') {
    throw new Error('not listening on a port');
  }
  return address.port;
}
