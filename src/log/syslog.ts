/**
 * Messages to a syslog server (RFC 3164), as datagrams over UDP or a unix socket. Sent at once and, as in
 * nginx, not again: a server that is away loses them.
 */
import { createSocket, type Socket } from 'node:dgram';
import { closeSync } from 'node:fs';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { errorText } from '../platform/errno.ts';
import { connectDatagram, type DatagramSocket, libcAvailable, type SocketName } from '../platform/libc.ts';
import { syslogTime } from './clock.ts';
import { isNumeric, type SyslogSpec } from './syslog-spec.ts';
import type { Destination } from './target.ts';

/** How a message leaves; undefined: sent, else the reason in nginx's words. */
type Sender = { send(bytes: Buffer): string | undefined; close(): void };

/** Through Node's own sockets, where names must be looked up or the C library is out of reach. */
class NodeSender implements Sender {
  readonly #socket: Socket;

  constructor(
    readonly spec: SyslogSpec,
    trouble: (reason: string) => void,
  ) {
    this.#socket = createSocket(spec.address.includes(':') ? 'udp6' : 'udp4');
    this.#socket.on('error', (error) => trouble(`send() failed (${errorText(error)})`));
    this.#socket.unref();
  }

  send(bytes: Buffer): undefined {
    this.#socket.send(bytes, this.spec.port, this.spec.address);
  }

  close(): void {
    this.#socket.close();
  }
}

/** Straight to the system: a message is out, or refused, when `send` returns. */
class SystemSender implements Sender {
  readonly #peer: SocketName;
  #socket: DatagramSocket | undefined = undefined;

  constructor({ address, port }: SyslogSpec) {
    const family = port === 0 ? 'unix' : isIP(address) === 6 ? 'ipv6' : 'ipv4';
    this.#peer = { family, address, port };
  }

  send(bytes: Buffer): string | undefined {
    try {
      this.#socket ??= connectDatagram(this.#peer);
      this.#socket.send(bytes);
      return undefined;
    } catch (error) {
      this.close();
      return error instanceof Error ? error.message : String(error);
    }
  }

  close(): void {
    if (this.#socket) closeSync(this.#socket.fd);
    this.#socket = undefined;
  }
}

export class Syslog implements Destination {
  readonly #spec: SyslogSpec;
  readonly #head: string;
  readonly #trouble: (reason: string) => void;
  #sender: Sender | undefined = undefined;
  #troubled = false;

  /** `trouble` is told, in nginx's words, what a message could not be sent for. */
  constructor(spec: SyslogSpec, trouble: (reason: string) => void) {
    this.#spec = spec;
    this.#head = ` ${spec.nohostname ? '' : `${hostname().toLowerCase()} `}${spec.tag}: `;
    this.#trouble = trouble;
  }

  /** `level` 1 to 8, or 0 for the configured severity (an access log). */
  write(line: string, level: number): void {
    if (this.#troubled) return;
    const priority = this.#spec.facility * 8 + (level > 0 ? level - 1 : this.#spec.severity);
    const bytes = Buffer.from(`<${priority}>${syslogTime(Date.now())}${this.#head}${line}`, 'latin1');
    this.#sender ??= this.#open();
    const reason = this.#sender.send(bytes);
    if (reason === undefined) return;
    // The log that is told may well be this one.
    this.#troubled = true;
    this.#trouble(`${reason} while logging to syslog, server: ${this.#spec.server}`);
    this.#troubled = false;
  }

  flush(): void {}

  reopen(): undefined {}

  close(): void {
    this.#sender?.close();
    this.#sender = undefined;
  }

  #open(): Sender {
    return isNumeric(this.#spec) && libcAvailable()
      ? new SystemSender(this.#spec)
      : new NodeSender(this.#spec, this.#trouble);
  }
}
