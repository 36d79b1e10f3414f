/** A client's connection turned to TLS: Node's own TLS over the accepted socket. */
import type net from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import { Connection, type ConnectionHandler } from './connection.ts';

/** What a server of the configuration offers. */
export interface TlsSettings {
  readonly context: SecureContext;
  /** The most bytes of a record (`ssl_buffer_size`). */
  readonly fragment: number;
}

/** What has been agreed on with the peer. */
export interface TlsSession {
  /** `TLSv1.3`. */
  readonly protocol: string;
  /** OpenSSL's name of the cipher suite. */
  readonly cipher: string;
  /** The name that the client asked for; '' when it named none. */
  readonly serverName: string;
  /** The protocol that ALPN chose: `h2`, `http/1.1`; '' where the client offered none of ours. */
  readonly alpn: string;
  /** An earlier session goes on. */
  readonly reused: boolean;
}

/** TLS records hold no more. */
const LARGEST_FRAGMENT = 16384;
const SMALLEST_FRAGMENT = 512;

/** For the plain connection below, whose reads and end are TLS's business from then on. */
const silent: ConnectionHandler = {
  onRead() {},
  onEnd() {},
  onDrain() {},
  onClose() {},
  onConnect() {},
  onTimeout() {},
};

export class TlsConnection extends Connection implements TlsSession {
  secured = false;

  constructor(
    readonly tls: TLSSocket,
    readonly plain: net.Socket,
    handler: ConnectionHandler,
    number: number,
  ) {
    super(tls, handler, number);
  }

  get protocol(): string {
    return this.tls.getProtocol() ?? '';
  }

  get cipher(): string {
    return this.tls.getCipher().name;
  }

  get serverName(): string {
    const { servername } = this.tls as { readonly servername?: string | false | null };
    return typeof servername === 'string' ? servername : '';
  }

  get alpn(): string {
    return typeof this.tls.alpnProtocol === 'string' ? this.tls.alpnProtocol : '';
  }

  get reused(): boolean {
    return this.tls.isSessionReused();
  }

  /** Says so to the peer (close_notify) before it closes, so that it can tell the end from a cut. */
  override close(): void {
    if (this.secured) this.socket.end(() => this.destroy());
    else this.destroy();
  }

  override reset(): void {
    this.timer.remove();
    this.plain.resetAndDestroy();
  }
}

/** Protocol names as ALPN writes them: each behind its length (RFC 7301 section 3.1). */
export const alpnList = (...names: readonly string[]): Buffer =>
  Buffer.concat(names.map((name) => Buffer.from(`${String.fromCharCode(name.length)}${name}`, 'latin1')));

/**
 * Begins the handshake as a server. `early`: what has been read of the connection so far, from its first
 * byte; `protocols`: what ALPN may choose from, see `alpnList`. The handler's `onConnect` follows when the
 * handshake is done, or `onClose` with `connection.error`.
 */
export const startTls = (
  plain: Connection,
  early: Buffer,
  settings: TlsSettings,
  protocols: Buffer,
  handler: ConnectionHandler,
): TlsConnection => {
  const below = plain.socket;
  plain.handler = silent;
  plain.timer.remove();
  below.pause();
  below.unshift(early);
  const socket = new TLSSocket(below, {
    isServer: true,
    secureContext: settings.context,
    ALPNProtocols: protocols,
  });
  const connection = new TlsConnection(socket, below, handler, plain.number);
  if (settings.fragment < LARGEST_FRAGMENT)
    socket.setMaxSendFragment(Math.max(SMALLEST_FRAGMENT, settings.fragment));
  watch(connection);
  return connection;
};

const watch = (connection: TlsConnection): void => {
  const { tls: socket } = connection;
  const fail = (error: Error): void => {
    connection.error = error;
    socket.destroy();
  };
  // Node reports what goes wrong in a handshake only by this event.
  socket.on('_tlsError', fail);
  socket.on('error', fail);
  socket.on('secure', () => {
    connection.secured = true;
    connection.handler.onConnect();
  });
  socket.on('data', (bytes: Buffer) => {
    connection.received += bytes.length;
    connection.handler.onRead(bytes, bytes.length);
  });
  socket.on('end', () => {
    connection.ended = true;
    connection.handler.onEnd();
  });
  socket.on('drain', () => connection.handler.onDrain());
  socket.on('close', () => {
    connection.closed = true;
    connection.timer.remove();
    connection.handler.onClose();
  });
};

/** OpenSSL's own words in an error of Node's: `error:0A00006C:SSL routines::bad key share`; '' without any. */
export const opensslText = (error: Error | undefined): string => {
  const found = /error:([0-9A-F]{8}):([^:]*):[^:]*:([^:\n]*)/.exec(error?.message ?? '');
  return found ? `error:${found[1]}:${found[2]}::${found[3]}` : '';
};
