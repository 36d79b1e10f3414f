/** A TLS client for tests: one connection, or one request on a connection of its own. */
import { once } from 'node:events';
import tls from 'node:tls';

/** Connects to a port of this machine; certificates are not checked. */
export const connectTls = async (
  port: number,
  options: tls.ConnectionOptions = {},
): Promise<tls.TLSSocket> => {
  const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
  await once(socket, 'secureConnect');
  return socket;
};

/** Sends a request that ends the connection, and reads the whole reply. */
export const askTls = async (socket: tls.TLSSocket, target: string, host = 'localhost'): Promise<string> => {
  let text = '';
  socket.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1');
  });
  const closed = once(socket, 'close');
  socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  await closed;
  return text;
};

export const bodyOf = (reply: string): string => reply.slice(reply.indexOf('\r\n\r\n') + 4);

/** The body of a GET on a connection of its own. */
export const getTls = async (
  port: number,
  target: string,
  options: tls.ConnectionOptions = {},
  host = 'localhost',
): Promise<string> => bodyOf(await askTls(await connectTls(port, options), target, host));

/** The session of a connection once the server has given one, with TLS 1.3 by its ticket. */
export const sessionOf = async (
  port: number,
  options: tls.ConnectionOptions = {},
  target = '/',
): Promise<Buffer> => {
  const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
  const session = once(socket, 'session') as Promise<[Buffer]>;
  await once(socket, 'secureConnect');
  await askTls(socket, target);
  const [bytes] = await session;
  return bytes;
};
