/** Free TCP ports, below those that the system gives to connections: none of these can take one meanwhile. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:net';
import { createServer } from 'node:net';
import { quiet } from './sockets.ts';

const FIRST = 12_000;
const LAST = 32_000;

/** A server on that port of 127.0.0.1; undefined when somebody has it. */
async function hold(port: number): Promise<Server | undefined> {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
    return server;
  } catch {
    return undefined;
  }
}

/** `count` different ports that were free on 127.0.0.1 a moment ago, and that no TIME_WAIT socket remembers. */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = [];
  const ports: number[] = [];
  while (ports.length < count) {
    const port = randomInt(FIRST, LAST);
    if (!quiet(port)) continue;
    const server = await hold(port);
    if (!server) continue;
    servers.push(server);
    ports.push(port);
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
