/**
 * What the process room (master, workers) and the protocols it runs (http and stream) know of
 * each other: which sockets to listen on, and when to start and stop serving.
 */
import { type AnyModule, key, type Place, type Scope } from '../config/contract.ts';
import type { ErrorLog } from '../log/error-log.ts';
import type { LogRegistry } from '../log/registry.ts';

/** A socket to listen on, as `listen` describes it. Two specs with the same `socketId` are one socket. */
export interface ListenSpec {
  /** `0.0.0.0:80`, `[::]:80`, `unix:/path`: how nginx prints it. */
  readonly key: string;
  /** For datagrams (`udp`), not for connections. */
  readonly datagram: boolean;
  readonly family: 'ipv4' | 'ipv6' | 'unix';
  /** The numeric address without brackets, or the path of a unix socket. */
  readonly address: string;
  /** 0 for unix. */
  readonly port: number;
  readonly backlog: number;
  readonly reuseport: boolean;
  readonly ipv6only: boolean;
  readonly deferred: boolean;
  /** Bytes; undefined leaves the system's. */
  readonly rcvbuf: number | undefined;
  readonly sndbuf: number | undefined;
  readonly fastopen: number | undefined;
  /** `so_keepalive`: off, on, or with idle, interval (seconds) and count; undefined leaves the system's. */
  readonly keepalive: undefined | boolean | { idle?: number; interval?: number; count?: number };
  /** The `listen` directive, for messages. */
  readonly place: Place;
}

/** The identity of a socket, also across reloads. */
export const socketId = ({ key, datagram }: Pick<ListenSpec, 'key' | 'datagram'>): string =>
  datagram ? `udp ${key}` : key;

/** What a worker serves, built from one configuration. Building has no side effects; `open` has. */
export interface Service {
  readonly listens: readonly ListenSpec[];
  /**
   * The log files that workers open, by full path. Before workers open them again (USR1) the master makes them
   * and gives them to `user`, who could not make them in a folder of root's.
   */
  readonly logFiles?: readonly string[];
  /** What must be made before privileges are dropped (logs, temporary folders, keys). Throws with a reason. */
  prepare(context: WorkerContext): void;
  /** Begins to accept. `fds`: the listening descriptors by `socketId`; with reuseport one a worker. */
  open(fds: ReadonlyMap<string, number>): void;
  /** Graceful: stop accepting, close idle connections, call `done` when the last busy one has finished. */
  drain(done: () => void): void;
  /** At once: every connection is closed. */
  close(): void;
  /** USR1: what the service opened itself is opened again; `WorkerContext.logs` are already. */
  reopen(): void;
}

/** What a worker tells its services. */
export interface WorkerContext {
  /** 0-based; the master's own (master_process off) is 0. */
  readonly worker: number;
  readonly workers: number;
  /** uid and gid to give to files made before privileges are dropped; undefined when not root. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly log: ErrorLog;
  /** All log files of the process: where services open theirs. The process room opens them again at USR1. */
  readonly logs: LogRegistry;
  /** The process id of the master (of this process without one): names what the workers share. */
  readonly master: number;
  /** Counts the configurations that this master has served, from 1. */
  readonly generation: number;
  /** `worker_connections`: the most connections of one worker. */
  readonly connections: number;
}

/** The program: its modules in order, and how a read configuration becomes services. */
export interface Program {
  readonly modules: readonly AnyModule[];
  /** Called once when the whole file has been read without an error. */
  services(main: Scope): readonly Service[];
  /** Lines that a configuration test adds after its verdict; see `-t`. */
  advise?(main: Scope): readonly string[];
}

/** Carried by the file's top where something connects from addresses of other machines: workers keep the right to. */
export const transparentKey = key<true>('transparent proxying');
