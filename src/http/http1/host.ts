/** What the client connections of one worker share, and what holds for one listening address. */
import type { ErrorLog } from '../../log/error-log.ts';
import type { Link } from '../../net/chain.ts';
import type { Connection } from '../../net/connection.ts';
import type { EndName } from '../../net/handle.ts';
import type { TlsConnection } from '../../tls/connection.ts';
import type { ClientCounters } from '../counters.ts';
import type { Server } from '../location.ts';
import type { ProxyProtocol } from '../request.ts';
import type { ServerNames } from '../server-names.ts';

/** What holds for connections to one address and port. */
export interface AddressConf {
  readonly names: ServerNames;
  readonly fallback: Server;
  readonly proxyProtocol: boolean;
  /** TLS may agree on HTTP/2, whatever the server says (`listen ... http2`). */
  readonly http2: boolean;
  /** How the address is printed, for the log. */
  readonly text: string;
  /** The local end of its connections, where that is one address; undefined: the socket has to be asked. */
  readonly local: EndName | undefined;
  /** `listen ... ssl`. */
  readonly tls: boolean;
}

/** What `debug_connection` asks about a client. */
export interface DebugClient {
  readonly unix: boolean;
  readonly remoteAddress: string;
  readonly address: AddressConf;
}

/** A connection as the service that accepted it sees it. */
export interface Served extends Link<Served> {
  /** The worker drains: what has begun is finished. */
  drain(): void;
  destroy(): void;
}

/** What is known of a client before it has said which protocol it speaks. */
export interface ClientFacts extends Served, DebugClient {
  /** The descriptor of the client's socket; -1 without one. */
  readonly descriptor: number;
  readonly connection: Connection;
  readonly number: number;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly secure: boolean;
  readonly tls: TlsConnection | undefined;
  /** The name that the client asked for in the handshake, when a server has it; '' otherwise. */
  readonly sniHost: string;
  /** When the connection was made, on the clock of `monotonic`, ms. */
  readonly started: number;
  readonly proxyProtocol: ProxyProtocol | undefined;
  readonly debugLog: ErrorLog | undefined;
  readonly counters: ClientCounters;
  /** The server for what names none. */
  readonly server: Server;
  /** A line about TLS; `action`: what goes on. */
  logTls(level: number, reason: string, action: string): void;
}

export interface ClientHost {
  readonly counters: ClientCounters;
  /** The worker finishes what it has: no connection is kept any longer. */
  readonly draining: boolean;
  readonly log: ErrorLog;
  /** The log for a client that `debug_connection` names. */
  debugLog(client: DebugClient): ErrorLog | undefined;
  /** How many slots for variables a request needs. */
  readonly slots: number;
  /** A connection is gone. */
  gone(client: Served): void;
  /** The client speaks HTTP/2: `length` bytes have been read of it, from the preface on. */
  toHttp2(client: ClientFacts, bytes: Buffer, length: number): void;
}
