/** One client's connection and what is done with it: nginx's session. */
import type { ErrorLog } from '../log/error-log.ts';
import { ALERT, DEBUG, ERROR, INFO } from '../log/levels.ts';
import type { Link } from '../net/chain.ts';
import type { Connection, ConnectionHandler } from '../net/connection.ts';
import type { EndName } from '../net/handle.ts';
import type { HelloFacts } from '../net/hello-facts.ts';
import { latin1 } from '../net/latin1.ts';
import { type Endpoint, isAnywhere, type Passed, type Taker } from '../net/passed.ts';
import {
  INCOMPLETE,
  INVALID,
  type ProxyProtocol,
  parseProxyHeader,
  whyInvalid,
} from '../net/proxy-header.ts';
import { wallClock } from '../net/timers.ts';
import { EAGAIN } from '../platform/datagrams.ts';
import { errnoText, errorText } from '../platform/errno.ts';
import { TlsConnection } from '../tls/connection.ts';
import type { Asker, UnderWay } from '../upstream/contract.ts';
import { validateHost } from '../values/host.ts';
import type { LimitStatus } from '../values/limit-conn.ts';
import type { Subject } from '../values/variables.ts';
import { type DatagramClient, sendFailureLevel } from './datagram-client.ts';
import { runPhases } from './phases.ts';
import type { AddressConf, Server } from './server.ts';
import { BAD_REQUEST, STATUS_OK } from './verdict.ts';

/** What the sessions of one worker share. */
export interface SessionHost {
  /** How many slots for variables a session needs. */
  readonly slots: number;
  /** The log for a client that `debug_connection` names. */
  debugLog(session: Session): ErrorLog | undefined;
  /** The worker is on its way out: the sockets that datagrams come to are closed already. */
  readonly draining: boolean;
  /** Who takes connections to that address; undefined where nobody of this process listens. */
  takerFor(to: Endpoint): Taker | undefined;
  /** The session is over, its connection closed or handed on. */
  gone(session: Session): void;
}

/** One attempt at one peer, as variables tell of it. Times in ms; -1 while not known. */
export interface SessionAttempt {
  readonly peer: string;
  readonly connectTime: number;
  readonly firstByteTime: number;
  readonly responseTime: number;
  readonly received: number;
  readonly sent: number;
}

/** What a session has under way to a peer. */
export interface SessionUpstream extends UnderWay {
  readonly attempts: readonly SessionAttempt[];
  /** Ends the session from outside. */
  abort(): void;
  /** For the log: `, upstream: "127.0.0.1:80", bytes from/to client:1/2, bytes from/to upstream:3/4`. */
  describe(): string;
}

/** What is being read of the client before the content takes over. */
const NOTHING = 0;
const PROXY_HEADER = 1;
const PREREAD = 2;

const NO_BYTES = Buffer.alloc(0);
/** How long a client of TLS may take to read what is sent with the end, ms. */
const CLOSE_TIMEOUT = 5000;

export class Session implements ConnectionHandler, Link<Session>, Asker, Subject {
  /** Its neighbours among the sessions of the worker. */
  before: Session | undefined = undefined;
  after: Session | undefined = undefined;
  /** Replaced where TLS stands between. */
  connection!: Connection;
  /** The client sends datagrams. */
  datagrams: DatagramClient | undefined = undefined;
  /** The server whose configuration holds: the address's default, or the one that TLS was asked for. */
  server: Server;
  readonly values: (string | null | undefined)[];
  captures: RegExpExecArray | undefined = undefined;
  remoteAddress = '';
  remotePort = 0;
  /** The client came over a unix socket. */
  unix = false;
  proxyProtocol: ProxyProtocol | undefined = undefined;
  /** Who is connected in truth, where another address is taken for the client's. */
  peer: { readonly text: string; readonly port: number } | undefined = undefined;
  /** The connection, where it speaks TLS, once the handshake has begun. */
  tls: TlsConnection | undefined = undefined;
  /** When it began, ms since 1970. */
  readonly started: number = wallClock();
  /** 0 until it is over. */
  status = 0;
  /** Bytes that were taken from the client, a PROXY header left out. */
  received = 0;
  /** Bytes that have come and nobody has taken. */
  peeked: Buffer = NO_BYTES;
  /** What a TLS hello says that is only read along (`ssl_preread`). */
  hello: HelloFacts | undefined = undefined;
  /** What is being done, in nginx's words, behind `while` in the log; '' for nothing. */
  action = 'initializing session';
  upstream: SessionUpstream | undefined = undefined;
  /** Where it stands; see phases.ts. */
  phase = 0;
  handler = 0;
  over = false;
  /** The preread phase has seen `peeked`. */
  inspected = false;
  /** How often its connection was handed on before. */
  passes = 0;
  /** What became of it at `limit_conn`. */
  limitConnStatus: LimitStatus | undefined = undefined;
  debugLog: ErrorLog | undefined = undefined;
  #reading = NOTHING;
  #endings: (() => void)[] | undefined = undefined;
  /** What its own end is taken for, where the connection was handed on. */
  #local: EndName | undefined = undefined;

  constructor(
    readonly host: SessionHost,
    readonly address: AddressConf,
    /** How the socket's address is printed, for the log. */
    readonly listening: string,
  ) {
    this.server = address.fallback;
    this.values = new Array<string | null | undefined>(host.slots);
  }

  /** The client's address in messages and `$remote_addr`. */
  get clientText(): string {
    return this.unix ? `unix:${this.datagrams?.ends.path ?? ''}` : this.remoteAddress;
  }

  /** Its own end, for variables and PROXY headers. */
  get local(): EndName {
    return this.#local ?? this.connection.socket.localName();
  }

  /** Takes another address for the client's (`set_real_ip_from`). */
  actAs(address: string, port: number): void {
    this.peer = { text: this.clientText, port: this.remotePort };
    this.remoteAddress = address;
    this.remotePort = port;
    this.unix = false;
  }

  /** Bytes that the system has taken for the client. */
  get sent(): number {
    return this.connection.sent - this.connection.unsent;
  }

  /** Begins with an accepted connection, or with one that was handed on. */
  start(connection: Connection, passed?: Passed): void {
    this.connection = connection;
    connection.pause();
    if (passed) this.#adopt(passed);
    const { address = '', port = 0 } = passed?.remote ?? connection.socket.peerName();
    this.remoteAddress = address;
    this.remotePort = port;
    this.unix = address === '';
    if (this.unix && !passed && !this.listening.startsWith('unix:')) {
      // Reset before it was accepted: nobody knows any more whose it was, least of all those who allow `unix:`.
      this.over = true;
      connection.destroy();
      this.host.gone(this);
      return;
    }
    this.#introduce();
    if (!this.address.proxyProtocol) {
      runPhases(this);
      return;
    }
    this.action = 'reading PROXY protocol';
    this.#read(PROXY_HEADER, this.server.core.proxy_protocol_timeout);
    if (this.peeked.length > 0) this.#readHeader();
    else if (connection.ended) this.onEnd();
  }

  #adopt({ connection, local, proxyProtocol, bytes, passes }: Passed): void {
    if (connection instanceof TlsConnection) this.tls = connection;
    this.#local = local;
    this.proxyProtocol = proxyProtocol;
    this.peeked = bytes;
    this.passes = passes;
  }

  /** Takes the server that a client asks for by name, if there is one. */
  chooseServer(name: string): void {
    const host = name === '' ? undefined : validateHost(name)?.host;
    const found = host === undefined ? undefined : this.address.names.findNamed(host, this);
    if (found) this.server = found;
  }

  /** Begins with the first datagram of a client. */
  startWith(client: DatagramClient, connection: Connection, bytes: Buffer): void {
    this.datagrams = client;
    this.connection = connection;
    const { address = '', port = 0 } = client.peerName();
    this.remoteAddress = address;
    this.remotePort = port;
    this.unix = address === '';
    this.peeked = bytes;
    this.received = bytes.length;
    this.#introduce();
    runPhases(this);
  }

  #introduce(): void {
    this.debugLog = this.host.debugLog(this);
    const { clientText: address, remotePort: port } = this;
    const text = this.unix ? address : address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
    this.note(DEBUG, `begin stream session on ${this.listening}`);
    this.note(INFO, `${this.#kind}client ${text} connected to ${this.listening}`);
  }

  /** What stands before `client` in the log. */
  get #kind(): string {
    return this.datagrams ? 'udp ' : '';
  }

  /** Sends the client a datagram. False: it can't be sent, which has been logged. */
  tell(bytes: Uint8Array): boolean {
    const sent = this.datagrams?.send(bytes) ?? 0;
    if (sent >= 0) {
      this.connection.sent += sent;
      return true;
    }
    if (sent === -EAGAIN) this.log(ALERT, 'shared connection is busy');
    else this.log(sendFailureLevel(-sent, INFO), `sendmsg() failed (${errnoText(sent)})`);
    return false;
  }

  /** Runs the handler that answered AGAIN once more, or goes on behind one that answered DONE and moved `handler` on. */
  resume(): void {
    if (!this.over) runPhases(this);
  }

  /** Reads on for a handler of the preread phase. */
  preread(timeout: number): void {
    if (this.#reading !== PREREAD) this.#read(PREREAD, timeout);
  }

  /** No more is read for the phases. */
  stopReading(): void {
    if (this.#reading === NOTHING) return;
    this.#reading = NOTHING;
    this.connection.timer.stop();
    this.connection.pause();
  }

  #read(what: number, timeout: number): void {
    this.#reading = what;
    this.connection.timer.start(timeout);
    this.connection.resume();
  }

  /** The end: its lines are logged, its connection closed. */
  finalize(status: number): void {
    if (this.over) return;
    this.over = true;
    this.status = status;
    this.note(DEBUG, `finalize stream session: ${status}`);
    for (const log of this.server.logs) log(this);
    this.#close();
    this.#runEndings();
    this.host.gone(this);
  }

  /** Runs `done` when the session is over, after its log lines. */
  atEnd(done: () => void): void {
    this.#endings ??= [];
    this.#endings.push(done);
  }

  /** Hands the connection to whoever listens there, and is over without a line in the logs. False: nobody does. */
  pass(to: Endpoint): boolean {
    const take = this.host.takerFor(to);
    if (!take) return false;
    const { connection, unix, remoteAddress: address, remotePort: port, proxyProtocol, peeked } = this;
    const own = to.family === 'unix' ? {} : { address: to.address, port: to.port };
    this.over = true;
    this.#endWithConnection();
    take({
      connection,
      remote: unix ? {} : { address, port },
      local: isAnywhere(to) ? connection.socket.localName() : own,
      proxyProtocol,
      bytes: peeked,
      passes: this.passes + 1,
    });
    this.host.gone(this);
    return true;
  }

  /** What is to run at the end runs when the connection is gone. */
  #endWithConnection(): void {
    const endings = this.#endings;
    if (!endings) return;
    const { afterwards } = this.connection;
    this.connection.afterwards = () => {
      afterwards?.();
      for (const done of endings) done();
    };
  }

  #runEndings(): void {
    const endings = this.#endings;
    if (!endings) return;
    this.#endings = undefined;
    for (const done of endings) done();
  }

  /** With TLS the client is told that this is the end, where nothing waits before that. */
  #close(): void {
    const { connection, tls } = this;
    if (!tls || tls.queued > 0) {
      connection.destroy();
      return;
    }
    tls.handler = this;
    tls.close();
    if (tls.queued > 0) tls.timer.start(CLOSE_TIMEOUT);
  }

  /** Ends it from outside: the worker's time is over. */
  abort(): void {
    if (this.upstream) this.upstream.abort();
    else this.finalize(STATUS_OK);
  }

  // ---- logging

  /** The log that its lines go to. */
  get errorLog(): ErrorLog {
    return this.debugLog ?? this.server.errorLog;
  }

  /** Writes `message` with what is being done and who is concerned behind it. */
  log(level: number, message: string): void {
    const log = this.errorLog;
    if (log.level < level) return;
    const action = this.action === '' ? '' : ` while ${this.action}`;
    const who = `, ${this.#kind}client: ${this.clientText}, server: ${this.listening}${this.upstream?.describe() ?? ''}`;
    log.write(level, message + action + who, this.connection.number);
  }

  /** Writes `message` as it is. */
  note(level: number, message: string): void {
    const log = this.errorLog;
    if (log.level >= level) log.write(level, message, this.connection.number);
  }

  // ---- what the connection tells until the content has taken over

  onRead(bytes: Buffer, length: number): void {
    const came = Buffer.from(bytes.subarray(0, length));
    this.peeked = this.peeked.length === 0 ? came : Buffer.concat([this.peeked, came]);
    if (this.#reading === PROXY_HEADER) this.#readHeader();
    else if (this.#reading === PREREAD) runPhases(this);
  }

  #readHeader(): void {
    const text = latin1(this.peeked, 0, this.peeked.length);
    const found = parseProxyHeader(text);
    if (found === INCOMPLETE) return;
    if (found === INVALID) {
      this.#broken(text);
      return;
    }
    this.stopReading();
    this.proxyProtocol = found.addresses;
    this.peeked = this.peeked.subarray(found.length);
    this.action = 'initializing session';
    runPhases(this);
  }

  #broken(text: string): void {
    const reason = whyInvalid(text);
    if (reason !== '') this.log(ERROR, reason);
    this.finalize(BAD_REQUEST);
  }

  onEnd(): void {
    if (this.#reading === PROXY_HEADER) this.#broken(latin1(this.peeked, 0, this.peeked.length));
    else if (this.#reading === PREREAD) this.finalize(STATUS_OK);
  }

  onClose(): void {
    if (this.over) return;
    const { error } = this.connection;
    if (error) this.log(INFO, `recv() failed (${errorText(error)})`);
    this.finalize(STATUS_OK);
  }

  onTimeout(): void {
    if (this.over) this.connection.destroy();
    if (this.#reading === PROXY_HEADER) this.log(INFO, 'client timed out (110: Connection timed out)');
    this.finalize(STATUS_OK);
  }

  onDrain(): void {}

  onConnect(): void {}
}
