/**
 * The beginning of a client's connection, before it is known to speak HTTP/1: a PROXY protocol header, a TLS
 * handshake, the preface of HTTP/2.
 */
import { ALERT, ERROR, INFO } from '../../log/levels.ts';
import type { Connection, ConnectionHandler } from '../../net/connection.ts';
import { monotonic } from '../../net/timers.ts';
import { errorText } from '../../platform/errno.ts';
import { http1Alpn, http2Alpn } from '../../tls/alpn.ts';
import { startTls, type TlsConnection } from '../../tls/connection.ts';
import { PREFACE } from '../http2/frames.ts';
import type { Server } from '../location.ts';
import type { ProxyProtocol, Request } from '../request.ts';
import { CLIENT_TIMED_OUT } from '../request-log.ts';
import { BROKEN, Greeting, HANDSHAKE, WAITING } from './greeting.ts';
import type { AddressConf, ClientFacts, ClientHost } from './host.ts';

const GREETING = 0;
const SHAKING = 1;
const WAITING_FOR_PREFACE = 2;

const NO_BYTES = Buffer.alloc(0);
const CUT = 'peer closed connection in SSL handshake';

/** The client that opens, with what its opening finds out. */
export interface OpeningClient extends ClientFacts {
  connection: Connection;
  proxyProtocol: ProxyProtocol | undefined;
  server: Server;
  sniHost: string;
  tls: TlsConnection | undefined;
  secure: boolean;
  readonly host: ClientHost;
  readonly address: AddressConf;
  /** A request that only variables in certificates are worked out for. */
  certificateRequest(server: Server): Request;
  log(level: number, message: string): void;
  /** HTTP/1 begins with these bytes, or with the next. */
  begin(bytes: Buffer, length: number): void;
  /** It comes to nothing. */
  close(): void;
  onClose(): void;
}

export class Opening implements ConnectionHandler {
  #stage: number;
  readonly #greeting: Greeting | undefined;
  /** The beginning of what may be the preface of HTTP/2. */
  #begun: Buffer = NO_BYTES;

  constructor(readonly client: OpeningClient) {
    const { proxyProtocol, tls } = client.address;
    const greets = proxyProtocol || tls;
    this.#greeting = greets ? new Greeting(proxyProtocol, tls) : undefined;
    this.#stage = greets ? GREETING : WAITING_FOR_PREFACE;
  }

  /** Whether connections to that address have more before them than HTTP/1. */
  static wanted({ proxyProtocol, tls, http2, fallback }: AddressConf): boolean {
    return proxyProtocol || tls || http2 || fallback.http2;
  }

  /** A handshake goes on, which a worker that drains does not cut short. */
  get shaking(): boolean {
    return this.#stage === SHAKING;
  }

  onRead(bytes: Buffer, length: number): void {
    if (this.#stage === GREETING && this.#greeting) this.#greet(this.#greeting, bytes, length);
    else if (this.#stage === WAITING_FOR_PREFACE) this.#testPreface(bytes.subarray(0, length));
  }

  /** A PROXY header or the beginning of a handshake. */
  #greet(greeting: Greeting, bytes: Buffer, length: number): void {
    const { client } = this;
    const found = greeting.read(bytes, length);
    client.proxyProtocol = greeting.proxyProtocol;
    if (found === WAITING) return;
    if (found === BROKEN) {
      const { reason } = greeting;
      if (reason !== '') client.log(ERROR, `${reason} while reading PROXY protocol`);
      client.close();
      return;
    }
    const { rest, restLength } = greeting;
    const { tls, http2, fallback } = client.address;
    if (found === HANDSHAKE) {
      this.#startTls(greeting.host, rest, restLength);
    } else if (!tls && (http2 || fallback.http2)) {
      this.#stage = WAITING_FOR_PREFACE;
      if (restLength > 0) this.#testPreface(rest.subarray(0, restLength));
    } else {
      client.begin(rest, restLength);
    }
  }

  /** The handshake, with what the server offers that the client asks for by `name`; `hello` has begun it. */
  #startTls(name: string, hello: Buffer, length: number): void {
    const { client } = this;
    const { names, fallback, http2 } = client.address;
    const named = name === '' ? undefined : names.findForName(name);
    if (named) {
      client.server = named;
      client.sniHost = name;
    }
    const { server } = client;
    // Certificates are those of the context, which may be the default server's.
    const keeper = server.tls.context ? server : fallback;
    const { certify, examine } = keeper.tls;
    const connection = startTls(
      client.connection,
      {
        fallback: fallback.tls,
        server: server.tls,
        alpn: server.http2 || http2 ? http2Alpn() : http1Alpn(),
        certify:
          certify &&
          ((tls) => {
            const problem = certify(client.certificateRequest(keeper), tls);
            if (problem !== '') client.logTls(ERROR, problem, 'SSL handshaking');
            return problem === '';
          }),
        examine: examine && ((tls) => examine(tls, (level, message) => client.log(level, message))),
      },
      this,
    );
    client.connection = connection;
    client.tls = connection;
    this.#stage = SHAKING;
    // It has run since the client is here.
    const { client_header_timeout: timeout } = fallback.location.core;
    connection.timer.start(Math.max(1, timeout - (monotonic() - client.started)));
    connection.start(hello, length);
  }

  /** The handshake is done. */
  onConnect(): void {
    const { client } = this;
    client.secure = true;
    const { tls, address, server } = client;
    const http2 = (address.http2 || server.http2) && tls?.alpn === 'h2';
    if (tls && tls.leftover !== '') {
      const action = http2 ? 'processing HTTP/2 connection' : 'waiting for request';
      client.logTls(ALERT, `ignoring stale global SSL error${tls.leftover}`, action);
    }
    if (http2) client.host.toHttp2(client, NO_BYTES, 0);
    else client.begin(NO_BYTES, 0);
  }

  /** The first bytes may be the preface of HTTP/2. */
  #testPreface(bytes: Buffer): void {
    const all = this.#begun.length === 0 ? bytes : Buffer.concat([this.#begun, bytes]);
    const begun = all.latin1Slice(0, Math.min(all.length, PREFACE.length));
    if (!PREFACE.startsWith(begun)) this.client.begin(all, all.length);
    else if (begun.length < PREFACE.length) this.#begun = Buffer.from(all);
    else this.client.host.toHttp2(this.client, all, all.length);
  }

  onEnd(): void {
    const { client } = this;
    if (this.#stage === SHAKING) {
      client.connection.destroy();
      return;
    }
    const greeting = this.#stage === GREETING ? this.#greeting : undefined;
    const cutShort = greeting?.cutShort(false) ?? '';
    if (greeting?.inHandshake) {
      const reason = greeting.begun ? CUT : 'client closed connection';
      client.logTls(INFO, reason, 'SSL handshaking');
    } else if (cutShort !== '') {
      client.log(ERROR, `${cutShort} while reading PROXY protocol`);
    } else {
      const action = greeting ? 'reading PROXY protocol' : 'waiting for request';
      client.log(INFO, `client closed connection while ${action}`);
    }
    client.close();
  }

  onTimeout(): void {
    const { client } = this;
    const stage = this.#stage;
    // Said once: the close that follows says no more.
    this.#stage = GREETING;
    if (stage === SHAKING || (stage === GREETING && this.#greeting?.inHandshake)) {
      client.logTls(INFO, CLIENT_TIMED_OUT, 'SSL handshaking');
    } else {
      const action = stage === GREETING ? 'reading PROXY protocol' : 'waiting for request';
      client.log(INFO, `${CLIENT_TIMED_OUT} while ${action}`);
    }
    client.close();
  }

  onDrain(): void {}

  /** Why the connection has ended, where the client did not just close it. */
  get #why(): string {
    const { error } = this.client.connection;
    return error ? ` (${errorText(error)})` : '';
  }

  #logReset(): void {
    const { client } = this;
    const greeting = this.#stage === GREETING ? this.#greeting : undefined;
    const cutShort = greeting?.cutShort(true) ?? '';
    const failed = `recv() failed${this.#why}`;
    if (greeting?.inHandshake) {
      client.logTls(INFO, greeting.begun ? `${CUT}${this.#why}` : failed, 'SSL handshaking');
    } else if (cutShort !== '') {
      client.log(ERROR, `${cutShort} while reading PROXY protocol`);
    } else {
      client.log(INFO, `${failed} while ${greeting ? 'reading PROXY protocol' : 'waiting for request'}`);
    }
  }

  onClose(): void {
    const { client } = this;
    if (this.#stage === SHAKING && client.tls) {
      const { text, level } = client.tls.failure ?? { text: `${CUT}${this.#why}`, level: INFO };
      client.logTls(level, text, 'SSL handshaking');
    } else if (this.#why !== '') {
      this.#logReset();
    }
    client.onClose();
  }
}
