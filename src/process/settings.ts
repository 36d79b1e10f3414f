/** What the main and events directives come to, for those who run processes. */

/** Who a worker becomes. */
export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

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
  /** The words of `env`: `NAME` or `NAME=value`. */
  readonly environment: readonly string[];
  /** `worker_connections`. */
  readonly connections: number;
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
