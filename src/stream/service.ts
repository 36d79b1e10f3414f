/** The stream protocol as a service of the process: its listening sockets, its sessions, its end. */
import type net from 'node:net';
import { ConfError } from '../config/contract.ts';
import type { ErrorLog } from '../log/error-log.ts';
import { ConfiguredErrorLog } from '../log/error-log-file.ts';
import { ALERT, CRIT, INFO } from '../log/levels.ts';
import type { LogRegistry } from '../log/registry.ts';
import { acceptOn, undelayed } from '../net/acceptor.ts';
import { Chain } from '../net/chain.ts';
import { accepted, Connection, localAddressOf, nextNumber, type StreamHandle } from '../net/connection.ts';
import { canWait } from '../net/datagram-socket.ts';
import { type Endpoint, listensAt, type Reachable, type Taker } from '../net/passed.ts';
import { type ServedSocket, servedSockets } from '../process/bound-sockets.ts';
import { type ListenSpec, type Service, socketId, type WorkerContext } from '../process/contract.ts';
import type { DebugConnections } from '../process/debug-connections.ts';
import { eventsKey } from '../process/events-module.ts';
import { isServerName, type ServerName, ServerNames } from '../values/server-names.ts';
import type { AddressBuild, StreamBuild } from './build.ts';
import type { DatagramClient } from './datagram-client.ts';
import { DatagramListener } from './datagram-listener.ts';
import type { AnyStreamModule } from './module.ts';
import type { AddressConf, Server } from './server.ts';
import { Session, type SessionHost } from './session.ts';

/** What a server without `server_name` is called. */
const UNNAMED: readonly ServerName<Session>[] = [{ text: '', regex: undefined }];

/** The names that clients at an address may ask for; with one server they only matter for what patterns capture. */
const namesAt = ({ servers }: AddressBuild): readonly (readonly [ServerName<Session>, Server])[] => {
  if (servers.length === 1 && !servers[0]?.names.some(({ regex }) => regex)) return [];
  return servers.flatMap(({ names, runtime }) =>
    (names.length > 0 ? names : UNNAMED).map((name) => [name, runtime] as const),
  );
};

const addressConf = (build: StreamBuild, address: AddressBuild): AddressConf => {
  const at = address.listen.spec.key;
  const names = namesAt(address);
  const shared = address.servers.length > 1;
  for (const [{ text, regex }] of names) {
    if (shared && !regex && !isServerName(text))
      throw new ConfError(`invalid server name or wildcard "${text}" on ${at}`, undefined);
  }
  const warn = (name: string): void => {
    if (shared) build.scope.load.warn(`conflicting server name "${name}" on ${at}, ignored`);
  };
  const fallback = address.fallback.runtime;
  return {
    names: new ServerNames<Server, Session>(fallback, names, warn),
    fallback,
    proxyProtocol: address.listen.proxyProtocol,
    ssl: address.listen.ssl,
  };
};

export class StreamService implements Service, SessionHost, Reachable {
  readonly listens: readonly ListenSpec[];
  readonly logFiles: readonly string[];
  readonly slots: number;
  log!: ErrorLog;
  readonly #sockets: readonly ServedSocket<AddressConf>[];
  readonly #servers: net.Server[] = [];
  readonly #datagrams: DatagramListener[] = [];
  readonly #sessions = new Chain<Session>();
  readonly #debug: DebugConnections | undefined;
  #connections = 0;
  /** Who takes the connections that sessions hand on. */
  reachable: readonly Reachable[] = [];
  #draining = false;
  #drained: (() => void) | undefined = undefined;
  #logs: LogRegistry | undefined = undefined;

  constructor(
    readonly build: StreamBuild,
    readonly modules: readonly AnyStreamModule[],
  ) {
    this.#sockets = servedSockets(build.addresses.values(), (one) => addressConf(build, one));
    this.listens = this.#sockets.map(({ spec }) => spec);
    this.logFiles = [...build.logFiles];
    this.slots = build.variables.slots;
    this.#debug = build.scope.find(eventsKey)?.debug;
  }

  prepare(context: WorkerContext): void {
    this.log = context.log;
    this.#logs = context.logs;
    this.#connections = context.connections;
    for (const { runtime } of this.build.servers)
      runtime.errorLog = context.logs.errorLog(runtime.errorLogConf);
    for (const module of this.modules) module.prepare?.(this.build, context);
  }

  debugLog({ unix, remoteAddress, server }: Session): ErrorLog | undefined {
    if (this.#debug === undefined || this.#debug.empty) return undefined;
    if (!this.#debug.has(unix ? undefined : remoteAddress)) return undefined;
    const log = this.#logs?.errorLog(server.errorLogConf);
    return log instanceof ConfiguredErrorLog ? log.verbose() : undefined;
  }

  open(fds: ReadonlyMap<string, number>): void {
    for (const socket of this.#sockets) {
      const fd = fds.get(socketId(socket.spec));
      if (fd === undefined) throw new Error(`no descriptor for ${socketId(socket.spec)}`);
      if (socket.spec.datagram) {
        this.#receive(socket, fd);
        continue;
      }
      socket.delays = !undelayed(fd);
      const server = acceptOn(
        fd,
        socket.spec.backlog,
        (handle) => this.#accept(socket, handle),
        (message) => this.log.write(CRIT, message),
      );
      this.#servers.push(server);
    }
  }

  #accept(socket: ServedSocket<AddressConf>, handle: StreamHandle): void {
    if (!this.#hasRoom()) {
      handle.close();
      return;
    }
    const session = this.#sessionOn(socket, socket.byAddress.size > 0 ? localAddressOf(handle) : '');
    session.start(accepted(handle, session, socket.delays));
  }

  /** False has been logged. */
  #hasRoom(): boolean {
    if (this.#sessions.size < this.#connections) return true;
    this.log.write(ALERT, `${this.#connections} worker_connections are not enough`);
    return false;
  }

  /** A new session on a socket, by the address that its client has sent to. */
  #sessionOn(socket: ServedSocket<AddressConf>, local: string): Session {
    const session = new Session(this, socket.byAddress.get(local) ?? socket.fallback, socket.spec.key);
    this.#sessions.add(session);
    return session;
  }

  /** Begins to receive datagrams on a descriptor. */
  #receive(socket: ServedSocket<AddressConf>, fd: number): void {
    const { spec } = socket;
    if (!canWait) {
      this.log.write(ALERT, `datagrams to ${spec.key} cannot be received: Node gives no handles`);
      return;
    }
    const begin = (client: DatagramClient, bytes: Buffer): void => {
      const session = this.#sessionOn(socket, client.ends.localAddress ?? '');
      session.startWith(client, new Connection(client, session, nextNumber()), bytes);
    };
    const host = { log: this.log, hasRoom: () => this.#hasRoom(), begin };
    this.#datagrams.push(new DatagramListener(fd, spec, host));
  }

  get draining(): boolean {
    return this.#draining;
  }

  takerFor(to: Endpoint): Taker | undefined {
    for (const one of this.reachable) {
      const taker = one.takerAt(to);
      if (taker) return taker;
    }
    return undefined;
  }

  takerAt(to: Endpoint): Taker | undefined {
    const socket = this.#sockets.find(({ spec }) => !spec.datagram && listensAt(spec, to));
    return (
      socket &&
      ((passed) => {
        const session = this.#sessionOn(socket, passed.local.address ?? '');
        passed.connection.handler = session;
        session.start(passed.connection, passed);
      })
    );
  }

  gone(session: Session): void {
    this.#sessions.delete(session);
    if (this.#draining && this.#sessions.size === 0) this.#done();
  }

  #done(): void {
    const done = this.#drained;
    this.#drained = undefined;
    done?.();
  }

  drain(done: () => void): void {
    this.#draining = true;
    this.#drained = done;
    this.#stopListening();
    this.build.upstreams.drain();
    if (this.#sessions.size === 0) this.#done();
  }

  #stopListening(): void {
    for (const server of this.#servers) server.close();
    for (const listener of this.#datagrams) listener.close();
  }

  close(): void {
    this.#stopListening();
    for (const session of [...this.#sessions]) {
      if (this.#draining) session.log(INFO, 'shutdown timeout');
      session.abort();
    }
    this.build.upstreams.drain();
    for (const module of this.modules) module.close?.(this.build);
  }

  reopen(): void {
    for (const module of this.modules) module.reopen?.(this.build);
  }
}
