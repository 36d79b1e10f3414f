/** The http protocol as a service of the process: its listening sockets, its client connections, its end. */
import type net from 'node:net';
import { ConfError } from '../config/contract.ts';
import type { ErrorLog } from '../log/error-log.ts';
import { ConfiguredErrorLog } from '../log/error-log-file.ts';
import { ALERT, CRIT } from '../log/levels.ts';
import type { LogRegistry } from '../log/registry.ts';
import { acceptOn, undelayed } from '../net/acceptor.ts';
import { Chain } from '../net/chain.ts';
import { accepted, localAddressOf, type StreamHandle } from '../net/connection.ts';
import type { EndName } from '../net/handle.ts';
import { type Endpoint, goOn, listensAt, type Reachable, type Taker } from '../net/passed.ts';
import { errnoText } from '../platform/errno.ts';
import { libcAvailable } from '../platform/libc.ts';
import { getLimit } from '../platform/process-calls.ts';
import { type ServedSocket, servedSockets } from '../process/bound-sockets.ts';
import type { ListenSpec, Service, WorkerContext } from '../process/contract.ts';
import type { DebugConnections } from '../process/debug-connections.ts';
import { eventsKey } from '../process/events-module.ts';
import type { AddressBuild, HttpBuild } from './build.ts';
import type { ClientCounters } from './counters.ts';
import { Client } from './http1/client.ts';
import type { AddressConf, ClientFacts, ClientHost, DebugClient, Served } from './http1/host.ts';
import { Session } from './http2/session.ts';
import type { Server } from './location.ts';
import type { AnyHttpModule } from './module.ts';
import { http2Rules, speaksHttp2 } from './modules/http2.ts';
import { sslModule } from './modules/ssl.ts';
import { isServerName, type ServerName, ServerNames } from './server-names.ts';
import { makeTempFolders } from './temp-folders.ts';

const EMFILE = 24;

/** What a server without `server_name` is called. */
const UNNAMED: readonly ServerName[] = [{ text: '', regex: undefined }];

/** The names that requests to an address are told apart by. With one server they only matter for what patterns capture. */
const namesAt = ({ servers }: AddressBuild): readonly (readonly [ServerName, Server])[] => {
  if (servers.length === 1 && !servers[0]?.names.some(({ regex }) => regex)) return [];
  return servers.flatMap(({ names, runtime }) =>
    (names.length > 0 ? names : UNNAMED).map((name) => [name, runtime] as const),
  );
};

/** The local end of an address's connections, as the system would write it. */
const localEnd = ({ family, address, port, key }: ListenSpec, wildcard: boolean): EndName | undefined => {
  if (family === 'unix') return { address: key, port };
  return family === 'ipv4' && !wildcard ? { address, port } : undefined;
};

const addressConf = (build: HttpBuild, address: AddressBuild): AddressConf => {
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
  const { spec, wildcard } = address.listen;
  return {
    names: new ServerNames(fallback, names, warn),
    fallback,
    proxyProtocol: address.listen.proxyProtocol,
    http2: address.listen.http2,
    text: at,
    local: localEnd(spec, wildcard),
    tls: address.listen.ssl,
  };
};

export class HttpService implements Service, ClientHost, Reachable {
  readonly listens: readonly ListenSpec[];
  readonly logFiles: readonly string[];
  readonly counters: ClientCounters;
  readonly slots: number;
  draining = false;
  log!: ErrorLog;
  readonly #sockets: readonly ServedSocket<AddressConf>[];
  readonly #servers: net.Server[] = [];
  readonly #clients = new Chain<Served>();
  #connections = 0;
  /** The highest that this process may have; the lowest free one is always the next. */
  #lastDescriptor = Number.POSITIVE_INFINITY;
  #drained: (() => void) | undefined = undefined;
  readonly #debug: DebugConnections | undefined;
  #logs: LogRegistry | undefined = undefined;

  constructor(
    readonly build: HttpBuild,
    readonly modules: readonly AnyHttpModule[],
  ) {
    for (const { runtime } of build.servers) runtime.tls = runtime.location.confOf(sslModule).tls;
    this.#sockets = servedSockets(build.addresses.values(), (one) => addressConf(build, one));
    for (const { runtime } of build.servers) runtime.http2 = speaksHttp2(runtime);
    this.listens = this.#sockets.map(({ spec }) => spec);
    this.logFiles = [...build.logFiles];
    this.counters = build.counters;
    this.slots = build.variables.slots;
    this.#debug = build.scope.find(eventsKey)?.debug;
  }

  prepare(context: WorkerContext): void {
    this.log = context.log;
    this.#logs = context.logs;
    this.#connections = context.connections;
    for (const location of this.build.compiled)
      location.errorLog = context.logs.errorLog(location.errorLogConf);
    makeTempFolders(this.build.tempFolders, context.owner);
    for (const module of this.modules) module.prepare?.(this.build, context);
  }

  debugLog(client: DebugClient): ErrorLog | undefined {
    if (this.#debug === undefined || this.#debug.empty) return undefined;
    if (!this.#debug.has(client.unix ? undefined : client.remoteAddress)) return undefined;
    const { errorLogConf } = client.address.fallback.location;
    const log = this.#logs?.errorLog(errorLogConf);
    return log instanceof ConfiguredErrorLog ? log.verbose() : undefined;
  }

  open(fds: ReadonlyMap<string, number>): void {
    if (libcAvailable()) this.#lastDescriptor = getLimit('RLIMIT_NOFILE').soft - 1;
    for (const socket of this.#sockets) {
      const fd = fds.get(socket.spec.key);
      if (fd === undefined) throw new Error(`no descriptor for ${socket.spec.key}`);
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
    // With no descriptor left libuv closes the connections that come next, and tells nobody.
    if (handle.fd === this.#lastDescriptor) this.log.write(CRIT, `accept4() failed (${errnoText(EMFILE)})`);
    if (this.#clients.size >= this.#connections) {
      const { errorLog } = socket.fallback.fallback.location;
      errorLog.write(ALERT, `${this.#connections} worker_connections are not enough`);
      handle.close();
      return;
    }
    const local = socket.byAddress.size > 0 ? localAddressOf(handle) : undefined;
    const conf = (local === undefined ? undefined : socket.byAddress.get(local)) ?? socket.fallback;
    const client = new Client(this, conf);
    this.#clients.add(client);
    const connection = accepted(handle, client, socket.delays);
    client.start(connection);
    // Reset before it was accepted: nobody knows any more whose it was, least of all those who allow `unix:`.
    if (client.unix && socket.spec.family !== 'unix') connection.destroy();
  }

  takerAt(to: Endpoint): Taker | undefined {
    const socket = this.#sockets.find(({ spec }) => listensAt(spec, to));
    return (
      socket &&
      ((passed) => {
        const { connection, local } = passed;
        const client = new Client(this, socket.byAddress.get(local.address ?? '') ?? socket.fallback);
        this.#clients.add(client);
        connection.handler = client;
        client.start(connection, passed);
        goOn(passed);
      })
    );
  }

  gone(client: Served): void {
    this.#clients.delete(client);
    if (this.draining && this.#clients.size === 0) this.#done();
  }

  toHttp2(client: ClientFacts, bytes: Buffer, length: number): void {
    const session = new Session(client, this, http2Rules);
    this.#clients.delete(client);
    this.#clients.add(session);
    client.connection.handler = session;
    session.start(bytes, length);
  }

  #done(): void {
    const done = this.#drained;
    this.#drained = undefined;
    done?.();
  }

  drain(done: () => void): void {
    this.draining = true;
    this.#drained = done;
    for (const server of this.#servers) server.close();
    this.build.upstreams.drain();
    for (const client of [...this.#clients]) client.drain();
    if (this.#clients.size === 0) this.#done();
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const client of [...this.#clients]) client.destroy();
    this.build.upstreams.drain();
    for (const module of this.modules) module.close?.(this.build);
  }

  reopen(): void {
    for (const module of this.modules) module.reopen?.(this.build);
  }
}
