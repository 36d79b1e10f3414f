/** What a request asks of its connection that all streams of one have in common, but for the client's address. */
import type { ErrorLog } from '../../log/error-log.ts';
import type { TlsConnection } from '../../tls/connection.ts';
import type { ClientCounters } from '../counters.ts';
import type { ClientFacts } from '../http1/host.ts';
import type { Peer, ProxyProtocol } from '../request.ts';

export class StreamFacts {
  remoteAddress: string;
  remotePort: number;
  unix: boolean;
  peer: Peer | undefined = undefined;

  constructor(
    readonly client: ClientFacts,
    /** Requests on the connection so far, this one included. */
    readonly requests: number,
  ) {
    this.remoteAddress = client.remoteAddress;
    this.remotePort = client.remotePort;
    this.unix = client.unix;
  }

  get number(): number {
    return this.client.number;
  }
  get descriptor(): number | undefined {
    return this.client.descriptor;
  }
  get localAddress(): string {
    return this.client.localAddress;
  }
  get localPort(): number {
    return this.client.localPort;
  }
  get secure(): boolean {
    return this.client.secure;
  }
  get tls(): TlsConnection | undefined {
    return this.client.tls;
  }
  get started(): number {
    return this.client.started;
  }
  get proxyProtocol(): ProxyProtocol | undefined {
    return this.client.proxyProtocol;
  }
  get counters(): ClientCounters {
    return this.client.counters;
  }
  get debugLog(): ErrorLog | undefined {
    return this.client.debugLog;
  }

  actAs(address: string, port: number): void {
    this.peer ??= { remoteAddress: this.remoteAddress, remotePort: this.remotePort, unix: this.unix };
    this.remoteAddress = address;
    this.remotePort = port;
    this.unix = false;
  }
}
