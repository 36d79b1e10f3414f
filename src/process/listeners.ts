/** The listening sockets that the master owns: opened, kept over reloads, handed to workers, closed. */
import { chmodSync, closeSync, lstatSync, unlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { ErrorLog } from '../log/error-log.ts';
import { ALERT, EMERG, NOTICE } from '../log/levels.ts';
import { bytePath } from '../platform/byte-path.ts';
import { datagramsAvailable } from '../platform/datagrams.ts';
import { errnoText, errorText } from '../platform/errno.ts';
import {
  bindSocket,
  closeOnExec,
  connectsTo,
  datagramSocket,
  type ListeningName,
  libcAvailable,
  listeningName,
  listenSocket,
  type SocketOption,
  SystemError,
  sameAddress,
  setOption,
  streamSocket,
} from '../platform/libc.ts';
import { boundSocket, closeBound } from '../platform/plain-listener.ts';
import { type ListenSpec, socketId } from './contract.ts';
import { isWildcard } from './listen-directive.ts';

/** The sockets could not be opened; what failed has been logged. */
export class ListenFailure extends Error {
  override readonly name = 'ListenFailure';
}

interface Listener {
  readonly spec: ListenSpec;
  /** One descriptor, or with `reuseport` one a worker. */
  readonly fds: readonly number[];
}

/** A descriptor that was open when the program started (`NGINX=6;7;`). */
export interface Inherited {
  readonly fd: number;
  readonly name: ListeningName;
}

const TRIES = 5;
const RETRY_MS = 500;
const EADDRINUSE = 98;

/** The sockets of one configuration. Never changes: a reload makes the next set from this one. */
export class Listeners {
  static readonly none = new Listeners(new Map(), []);

  constructor(
    readonly sockets: ReadonlyMap<string, Listener>,
    /** What this set has opened itself; the rest it took over. */
    readonly opened: readonly { readonly fd: number; readonly spec: ListenSpec }[],
  ) {}

  /** The descriptors that worker number `worker` serves, by `socketId`. */
  forWorker(worker: number): Map<string, number> {
    const fds = new Map<string, number>();
    for (const [id, { fds: all }] of this.sockets) {
      const fd = all[worker % all.length];
      if (fd !== undefined) fds.set(id, fd);
    }
    return fds;
  }

  /** Every descriptor, for a process that takes all of them over. */
  all(): number[] {
    return [...this.sockets.values()].flatMap(({ fds }) => fds);
  }

  /** Closes what `next` does not keep. */
  closeMissing(next: Listeners, log: ErrorLog): void {
    const kept = new Set(next.all());
    for (const [id, { spec, fds }] of this.sockets) {
      for (const fd of fds) if (!kept.has(fd)) closeListener(fd, spec, log);
      if (!next.sockets.has(id)) removePath(spec, log);
    }
  }

  /** Closes what this set opened itself: the reload that wanted it failed. */
  rollback(log: ErrorLog): void {
    for (const { fd, spec } of this.opened) {
      closeListener(fd, spec, log);
      removePath(spec, log);
    }
  }

  /** Closes everything; `keepPaths` when another process serves the same unix sockets. */
  close(log: ErrorLog, keepPaths: boolean): void {
    for (const { spec, fds } of this.sockets.values()) {
      for (const fd of fds) closeListener(fd, spec, log);
      if (!keepPaths) removePath(spec, log);
    }
  }
}

const closeListener = (fd: number, spec: ListenSpec, log: ErrorLog): void => {
  if (closeBound(fd)) return;
  try {
    closeSync(fd);
  } catch (error) {
    log.write(EMERG, `close() socket ${spec.key} failed (${errorText(error)})`);
  }
};

const removePath = (spec: ListenSpec, log: ErrorLog): void => {
  // Without the C library the path went with its socket.
  if (spec.family !== 'unix' || !libcAvailable()) return;
  try {
    unlinkSync(bytePath(spec.address));
  } catch (error) {
    log.write(EMERG, `unlink() ${spec.address} failed (${errorText(error)})`);
  }
};

/** Sets an option and only notes a failure. */
const tryOption = (
  fd: number,
  option: SocketOption,
  value: number,
  spec: ListenSpec,
  log: ErrorLog,
): void => {
  try {
    setOption(fd, option, value);
  } catch (error) {
    const text = error instanceof SystemError ? errnoText(error.errno) : errorText(error);
    log.write(ALERT, `setsockopt(${option}, ${value}) ${spec.key} failed, ignored (${text})`);
  }
};

/** What may change while a socket is open. */
const configure = (fd: number, spec: ListenSpec, before: ListenSpec | undefined, log: ErrorLog): void => {
  if (spec.rcvbuf !== undefined) tryOption(fd, 'SO_RCVBUF', spec.rcvbuf, spec, log);
  if (spec.sndbuf !== undefined) tryOption(fd, 'SO_SNDBUF', spec.sndbuf, spec, log);
  const { keepalive } = spec;
  if (keepalive !== undefined) tryOption(fd, 'SO_KEEPALIVE', keepalive === false ? 0 : 1, spec, log);
  if (typeof keepalive === 'object') {
    if (keepalive.idle !== undefined) tryOption(fd, 'TCP_KEEPIDLE', keepalive.idle, spec, log);
    if (keepalive.interval !== undefined) tryOption(fd, 'TCP_KEEPINTVL', keepalive.interval, spec, log);
    if (keepalive.count !== undefined) tryOption(fd, 'TCP_KEEPCNT', keepalive.count, spec, log);
  }
  if (spec.fastopen !== undefined) tryOption(fd, 'TCP_FASTOPEN', spec.fastopen, spec, log);
  if (spec.datagram && isWildcard(spec)) {
    if (spec.family === 'ipv4') tryOption(fd, 'IP_PKTINFO', 1, spec, log);
    else tryOption(fd, 'IPV6_RECVPKTINFO', 1, spec, log);
  }
  if (spec.deferred !== (before?.deferred ?? false)) {
    tryOption(fd, 'TCP_DEFER_ACCEPT', spec.deferred ? 1 : 0, spec, log);
  }
};

/** Nobody answers at this path any more: its process was killed before it could remove it. */
const isStale = (path: string, datagram: boolean): boolean => {
  if (!lstatSync(bytePath(path), { throwIfNoEntry: false })?.isSocket()) return false;
  const probe = datagram ? datagramSocket('unix') : streamSocket('unix');
  try {
    return !connectsTo(probe, path);
  } finally {
    closeSync(probe);
  }
};

const bindAt = (fd: number, spec: ListenSpec, log: ErrorLog): void => {
  try {
    bindSocket(fd, spec);
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== EADDRINUSE) throw error;
    if (spec.family !== 'unix' || !isStale(spec.address, spec.datagram)) throw error;
    log.write(NOTICE, `removing stale socket "${spec.address}"`);
    unlinkSync(bytePath(spec.address));
    bindSocket(fd, spec);
  }
};

/** The same, as far as Node alone can make one. */
const openPlainly = (spec: ListenSpec, log: ErrorLog): number | undefined => {
  if (spec.datagram) {
    log.write(EMERG, `datagrams to ${spec.key} cannot be received without the package koffi`);
    throw new ListenFailure('no datagrams');
  }
  try {
    const fd = boundSocket(spec);
    if (spec.family === 'unix') chmodSync(bytePath(spec.address), 0o666);
    return fd;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    log.write(EMERG, `bind() to ${spec.key} failed (${errnoText(error.errno)})`);
    if (error.errno !== EADDRINUSE) throw new ListenFailure(error.message);
    return undefined;
  }
};

/** A new listening socket; undefined when its address is in use, which has been logged. */
const openListener = (spec: ListenSpec, log: ErrorLog): number | undefined => {
  if (!libcAvailable() || (spec.datagram && !datagramsAvailable())) return openPlainly(spec, log);
  const fd = spec.datagram ? datagramSocket(spec.family) : streamSocket(spec.family);
  try {
    setOption(fd, 'SO_REUSEADDR', 1);
    if (spec.reuseport) setOption(fd, 'SO_REUSEPORT', 1);
    if (spec.family === 'ipv6') setOption(fd, 'IPV6_V6ONLY', spec.ipv6only ? 1 : 0);
    bindAt(fd, spec, log);
    if (spec.family === 'unix') chmodSync(bytePath(spec.address), 0o666);
    configure(fd, spec, undefined, log);
    if (!spec.datagram) listenSocket(fd, spec.backlog);
    return fd;
  } catch (error) {
    closeSync(fd);
    if (!(error instanceof SystemError)) throw error;
    const text = errnoText(error.errno);
    if (error.call === 'bind()') log.write(EMERG, `bind() to ${spec.key} failed (${text})`);
    else if (error.call === 'listen()') {
      log.write(EMERG, `listen() to ${spec.key}, backlog ${spec.backlog} failed (${text})`);
    } else log.write(EMERG, `${error.call} ${spec.key} failed (${text})`);
    if (error.errno !== EADDRINUSE) throw new ListenFailure(error.message);
    return undefined;
  }
};

/** The descriptors of a spec that are open already: kept from the last configuration or inherited. */
const taken = (
  spec: ListenSpec,
  previous: Listeners,
  inherited: readonly Inherited[],
  log: ErrorLog,
): number[] => {
  const kept = previous.sockets.get(socketId(spec));
  const fds = kept
    ? [...kept.fds]
    : inherited
        .filter(({ name }) => name.datagram === spec.datagram && sameAddress(name, spec))
        .map(({ fd }) => fd);
  if (!libcAvailable()) return fds;
  if (spec.reuseport && kept && !kept.spec.reuseport) {
    for (const fd of fds) tryOption(fd, 'SO_REUSEPORT', 1, spec, log);
  }
  for (const fd of fds) {
    configure(fd, spec, kept?.spec, log);
    if (!spec.datagram && spec.backlog !== kept?.spec.backlog) listenSocket(fd, spec.backlog);
  }
  return fds;
};

/**
 * The sockets of a new configuration: what `previous` has open (or was inherited) is taken over, the rest is
 * opened. An address in use is tried five times, half a second apart. Throws ListenFailure, with nothing
 * changed; every failure is logged in nginx's words.
 */
export const openListeners = async (
  specs: readonly ListenSpec[],
  workers: number,
  previous: Listeners,
  inherited: readonly Inherited[],
  log: ErrorLog,
): Promise<Listeners> => {
  const wanted = new Map(specs.map((spec) => [socketId(spec), spec]));
  const sockets = new Map<string, { spec: ListenSpec; fds: number[] }>();
  const opened: { fd: number; spec: ListenSpec }[] = [];
  try {
    for (const spec of wanted.values()) {
      const count = spec.reuseport && libcAvailable() ? workers : 1;
      sockets.set(socketId(spec), { spec, fds: taken(spec, previous, inherited, log).slice(0, count) });
    }
    for (let tries = TRIES; tries > 0; tries--) {
      let failed = false;
      for (const { spec, fds } of sockets.values()) {
        const count = spec.reuseport && libcAvailable() ? workers : 1;
        while (fds.length < count) {
          const fd = openListener(spec, log);
          if (fd === undefined) break;
          fds.push(fd);
          opened.push({ fd, spec });
        }
        if (fds.length < count) failed = true;
      }
      if (!failed) return new Listeners(sockets, opened);
      log.write(NOTICE, 'try again to bind() after 500ms');
      await delay(RETRY_MS);
    }
    log.write(EMERG, 'still could not bind()');
    throw new ListenFailure('still could not bind()');
  } catch (error) {
    new Listeners(sockets, opened).rollback(log);
    throw error;
  }
};

/**
 * The listening sockets that a process before this one handed over in the environment, as `3;4;`. A number
 * which is no listening socket is logged and left out.
 */
export const inheritedSockets = (value: string | undefined, log: ErrorLog): Inherited[] => {
  if (value === undefined || value === '') return [];
  if (!libcAvailable()) {
    log.write(EMERG, 'sockets cannot be inherited without the package koffi');
    return [];
  }
  log.write(NOTICE, `using inherited sockets from "${value}"`);
  const inherited: Inherited[] = [];
  for (const text of value.split(/[;:]/).filter((part) => part !== '')) {
    const fd = /^\d+$/.test(text) ? Number(text) : -1;
    const name = fd < 0 ? undefined : listeningName(fd);
    if (name === undefined) {
      log.write(EMERG, `invalid socket number "${text}" in NGINX environment variable, ignoring`);
      continue;
    }
    closeOnExec(fd);
    inherited.push({ fd, name });
  }
  return inherited;
};
