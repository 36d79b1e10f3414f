/** What the main and events directives come to, for those who run processes. */
import { ConfError, resolve, type Scope } from '../config/contract.ts';
import { groupByName, userByName } from '../platform/accounts.ts';
import { transparentKey } from './contract.ts';
import { coreModule } from './core-module.ts';
import { eventsKey } from './events-module.ts';
import { isRoot, type User } from './user.ts';

export interface Settings {
  readonly daemon: boolean;
  readonly master: boolean;
  /** How many workers. */
  readonly workers: number;
  /** undefined when not root: then nobody changes. */
  readonly user: User | undefined;
  /** A full path. */
  readonly pidFile: string;
  /** Open files a worker; undefined leaves the system's. */
  readonly rlimitNofile: number | undefined;
  /** Bytes. */
  readonly rlimitCore: number | undefined;
  /** A nice value. */
  readonly priority: number;
  /** Milliseconds a draining worker may take; 0 is without end. */
  readonly shutdownTimeout: number;
  readonly workingDirectory: string | undefined;
  /** A reload takes over files that have not changed (`ssl_object_cache_inheritable`). */
  readonly inheritObjects: boolean;
  /** The words of `env`: `NAME` or `NAME=value`. */
  readonly environment: readonly string[];
  /** `worker_connections`. */
  readonly connections: number;
  /** Workers connect from addresses of other machines. */
  readonly transparent: boolean;
}

/**
 * The environment of the workers: TZ and what `env` lists, nothing else. `outer` is the master's.
 */
export const workerEnvironment = (
  listed: readonly string[],
  outer: Readonly<Record<string, string | undefined>>,
): Record<string, string> => {
  const environment: Record<string, string> = {};
  for (const word of ['TZ', ...listed]) {
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    const value = equals < 0 ? outer[name] : word.slice(equals + 1);
    if (value !== undefined) environment[name] = value;
  }
  return environment;
};

/** nginx's user and group where `user` is not set; the group has one name on some systems, another on others. */
const defaultUser = (): User => {
  const found = userByName('nobody');
  if (found === undefined) throw new ConfError('getpwnam("nobody") failed', undefined);
  const gid = groupByName('nobody') ?? groupByName('nogroup');
  if (gid === undefined) throw new ConfError('getgrnam("nobody") failed', undefined);
  return { name: 'nobody', uid: found.uid, gid };
};

/**
 * The settings of a whole configuration. `pidFile` is where the pid goes when `pid` is not set. Throws a
 * ConfError for what is only known at its end.
 */
export const settingsOf = (main: Scope, pidFile: string): Settings => {
  const conf = resolve(coreModule, [main]);
  const events = main.find(eventsKey);
  const user = conf.user ?? (isRoot() ? defaultUser() : undefined);
  if (events === undefined) throw new ConfError('no "events" section in configuration', undefined);
  return {
    daemon: conf.daemon,
    master: conf.master_process,
    workers: conf.worker_processes,
    user,
    pidFile: conf.pid ?? pidFile,
    rlimitNofile: conf.worker_rlimit_nofile,
    rlimitCore: conf.worker_rlimit_core,
    priority: conf.worker_priority,
    shutdownTimeout: conf.worker_shutdown_timeout,
    workingDirectory: conf.working_directory,
    inheritObjects: conf.ssl_object_cache_inheritable,
    environment: conf.env,
    connections: events.connections,
    transparent: main.find(transparentKey) === true,
  };
};

/** As nginx, each worker needs a connection for every listening socket and one for its channel. */
export const checkConnections = (settings: Settings, sockets: number): void => {
  if (settings.connections >= sockets + 1) return;
  throw new ConfError(
    `${settings.connections} worker_connections are not enough for ${sockets} listening sockets`,
    undefined,
  );
};
