/** HTTP servers that do what a test tells them, and count the connections they accept. */
import { once } from 'node:events';
import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { createServer as createTlsServer } from 'node:tls';
import type { Message } from './message.ts';
import { listenedPort } from './ports.ts';
import type { Rig } from './rig.ts';
import { Wire, WireClosed } from './wire.ts';

/** One request as the backend got it. */
export interface Received extends Message {
  readonly method: string;
  readonly target: string;
  /** 1-based number of the connection it came over, and of the request on it. */
  readonly connection: number;
  readonly request: number;
}

/** What to send for a request; a handler that sends by itself returns nothing. */
export type Handler = (request: Received, wire: Wire) => string | undefined | Promise<string | undefined>;

/** Takes one connection from its first byte; `number` is 1-based. */
export type Script = (wire: Wire, number: number) => Promise<void>;

/** A listening backend. */
export class Backend {
  readonly #server: Server;
  /** Wires by order of acceptance. */
  readonly wires: Wire[] = [];
  readonly requests: Received[] = [];
  #failure: unknown;

  /** With `tls` connections are TLS from their first byte. */
  constructor(script: Script, tls?: TlsOptions) {
    const take = (socket: Socket): void => {
      const wire = new Wire(socket);
      this.wires.push(wire);
      script(wire, this.wires.length)
        .catch((error: unknown) => {
          if (!(error instanceof WireClosed)) {
            this.#failure ??= error;
          }
        })
        .finally(() => {
          if (wire.ended) {
            wire.end();
          }
        });
    };
    const options = { allowHalfOpen: true, noDelay: true };
    this.#server = tls ? createTlsServer({ ...options, ...tls }, take) : createServer(options, take);
  }

  /** The port, for a TCP backend. */
  get port(): number {
    return listenedPort(this.#server);
  }

  /** How many connections were accepted so far. */
  get accepted(): number {
    return this.wires.length;
  }

  /** How many connections are open. */
  get open(): number {
    return this.wires.filter((wire) => !wire.ended && !wire.socket.destroyed).length;
  }

  /** The connection of this 1-based number, waiting for it to be accepted. */
  async wire(number: number, ms = 8000): Promise<Wire> {
    const end = Date.now() + ms;
    for (;;) {
      const wire = this.wires[number - 1];
      if (wire !== undefined) {
        return wire;
      }
      if (Date.now() > end) {
        throw new Error(`connection ${number} did not come`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Listens on `at`: a path, a port, or any free port. */
  async listen(at: number | string = 0): Promise<void> {
    if (typeof at === 'string') {
      this.#server.listen(at);
    } else {
      this.#server.listen(at, '127.0.0.1', 4096);
    }
    await once(this.#server, 'listening');
  }

  /** Closes the listening socket and every connection; throws what a script failed with. */
  async close(): Promise<void> {
    for (const wire of this.wires) {
      wire.close();
    }
    if (this.#server.listening) {
      this.#server.close();
      await once(this.#server, 'close');
    }
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
  }
}

/** A complete HTTP/1.1 reply with a length. */
export function reply(body: string, headers = '', status = '200 OK'): string {
  return `HTTP/1.1 ${status}\r\nContent-Length: ${Buffer.byteLength(body, 'latin1')}\r\n${headers}\r\n${body}`;
}

/** The default handler: says which connection and request this is, and keeps the connection. */
export const sayConnection: Handler = (request) =>
  reply(
    `connection ${request.connection} request ${request.request}\n`,
    `X-Connection: ${request.connection}\r\n`,
  );

/** A backend that reads whole requests and answers each by `handler`. */
export async function startBackend(
  rig: Rig,
  handler: Handler = sayConnection,
  at: number | string = 0,
  tls?: TlsOptions,
): Promise<Backend> {
  const backend: Backend = new Backend(async (wire, connection) => {
    for (let request = 1; ; request++) {
      const message = await wire.readMessage();
      const [method = '', target = ''] = message.line.split(' ');
      const received = { ...message, method, target, connection, request };
      backend.requests.push(received);
      const bytes = await handler(received, wire);
      if (typeof bytes === 'string') {
        wire.send(bytes);
      }
    }
  }, tls);
  return begin(rig, backend, at);
}

/** A backend whose connections are scripted from the first byte. */
export async function startScript(rig: Rig, script: Script, at: number | string = 0): Promise<Backend> {
  return begin(rig, new Backend(script), at);
}

async function begin(rig: Rig, backend: Backend, at: number | string): Promise<Backend> {
  await backend.listen(at);
  rig.defer(() => backend.close());
  return backend;
}
