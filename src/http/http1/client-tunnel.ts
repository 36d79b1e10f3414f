/** A client's connection from an upgrade on: what comes is passed on as it is, and so is its end. */
import type { ConnectionHandler } from '../../net/connection.ts';
import type { Tunnel } from '../request.ts';

/** The client whose connection it was. */
export interface TunnelClient {
  /** Nothing has gone through for too long. */
  close(): void;
  onDrain(): void;
  onClose(): void;
}

export class ClientTunnel implements ConnectionHandler {
  constructor(
    readonly client: TunnelClient,
    readonly tunnel: Tunnel,
  ) {}

  onRead(bytes: Buffer, length: number): void {
    this.tunnel.clientBytes(bytes.subarray(0, length));
  }

  onDrain(): void {
    this.client.onDrain();
    this.tunnel.clientDrained();
  }

  onEnd(): void {
    this.tunnel.clientEnded();
  }

  onClose(): void {
    this.client.onClose();
    this.tunnel.clientClosed();
  }

  onTimeout(): void {
    this.client.close();
  }

  onConnect(): void {}
}
