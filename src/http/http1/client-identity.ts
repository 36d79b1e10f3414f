/** Who a client is: the ends of its connection, what its opening has found out about it, and log lines that name it. */
import type { ErrorLog } from '../../log/error-log.ts';
import type { Connection } from '../../net/connection.ts';
import type { Passed } from '../../net/passed.ts';
import { TlsConnection } from '../../tls/connection.ts';
import type { ClientCounters } from '../counters.ts';
import type { Server } from '../location.ts';
import type { Peer, ProxyProtocol } from '../request.ts';
import type { ServerNames } from '../server-names.ts';
import type { AddressConf, ClientFacts, ClientHost, Served } from './host.ts';

export abstract class ClientIdentity implements ClientFacts {
  connection!: Connection;
  /** Its neighbours among the clients of the worker. */
  before: Served | undefined = undefined;
  after: Served | undefined = undefined;
  number = 0;
  remoteAddress = '';
  remotePort = 0;
  localAddress = '';
  localPort = 0;
  unix = false;
  secure = false;
  /** There from the beginning of the handshake. */
  tls: TlsConnection | undefined = undefined;
  /** The name that the client asked for in the handshake, when a server has it; '' otherwise. */
  sniHost = '';
  started = 0;
  proxyProtocol: ProxyProtocol | undefined = undefined;
  /** Who is connected in truth, while `actAs` holds. */
  peer: Peer | undefined = undefined;
  debugLog: ErrorLog | undefined = undefined;
  readonly counters: ClientCounters;
  /** The server for what names none: the address's default, or the one that TLS was asked for. */
  server: Server;

  constructor(
    readonly host: ClientHost,
    readonly address: AddressConf,
  ) {
    this.counters = host.counters;
    this.server = address.fallback;
  }

  abstract drain(): void;

  destroy(): void {
    this.connection.destroy();
  }

  get descriptor(): number {
    return this.connection.descriptor;
  }

  get names(): ServerNames {
    return this.address.names;
  }

  /** Takes from an accepted connection, or one that was handed on, who is at its ends. */
  protected identify(connection: Connection, passed: Passed | undefined): void {
    this.connection = connection;
    this.number = connection.number;
    this.started = connection.started;
    const { address = '', port = 0 } = passed?.remote ?? connection.socket.peerName();
    this.remoteAddress = address;
    this.remotePort = port;
    this.unix = address === '';
    const local = this.address.local ?? passed?.local ?? connection.socket.localName();
    this.localAddress = local.address ?? '';
    this.localPort = local.port ?? 0;
    if (passed) this.#adopt(passed);
    this.debugLog = this.host.debugLog(this);
  }

  /** What another service has found out about the client. */
  #adopt({ proxyProtocol, connection }: Passed): void {
    this.proxyProtocol = proxyProtocol;
    if (!(connection instanceof TlsConnection)) return;
    this.tls = connection;
    this.secure = true;
  }

  /** Takes another address for the client's until the request has ended (`set_real_ip_from`). */
  actAs(address: string, port: number): void {
    this.peer ??= { remoteAddress: this.remoteAddress, remotePort: this.remotePort, unix: this.unix };
    this.remoteAddress = address;
    this.remotePort = port;
    this.unix = false;
  }

  /** The client's own address is its address again. */
  protected actAsItself(peer: Peer): void {
    this.peer = undefined;
    this.remoteAddress = peer.remoteAddress;
    this.remotePort = peer.remotePort;
    this.unix = peer.unix;
  }

  /** Logs what concerns the connection and no request. */
  log(level: number, message: string): void {
    const log = this.debugLog ?? this.host.log;
    if (log.level < level) return;
    const client = this.unix ? 'unix:' : this.remoteAddress;
    log.write(level, `${message}, client: ${client}, server: ${this.address.text}`, this.number);
  }

  /** Logs the end of a kept connection, by the client. */
  protected logKeptEnd(level: number): void {
    const log = this.debugLog ?? this.host.log;
    if (log.level < level) return;
    log.write(level, `client ${this.remoteAddress} closed keepalive connection`, this.number);
  }

  /** Logs what TLS has to say about the client. */
  logTls(level: number, reason: string, action: string): void {
    const log = this.debugLog ?? this.server.location.errorLog;
    if (log.level < level) return;
    const message = `${reason} while ${action}, client: ${this.remoteAddress}, server: ${this.address.text}`;
    log.write(level, message, this.number);
  }
}
