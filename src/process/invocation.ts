/** How the program was called: plain data that the master hands to its workers. */
import type { BuiltInPaths } from '../config/contract.ts';

/** How the program was called, as far as reading its configuration goes. Plain data: workers are given it. */
export interface Invocation {
  /** The main configuration file, a full path. */
  readonly file: string;
  /** Ends in a slash: what relative paths (logs, root) are resolved against. */
  readonly prefix: string;
  /** Ends in a slash: the folder of `file`. */
  readonly confPrefix: string;
  /** `-g`: directives read before the file. */
  readonly globals: string | undefined;
  /** `-e`: where errors go until `error_log` says otherwise; a full path, or `stderr`. */
  readonly errorLog: string;
  /** Where the pid goes when `pid` does not say; a full path. */
  readonly pidFile: string;
  /** What the configuration need not name. */
  readonly builtIn: BuiltInPaths;
}

/** The module that a worker process runs, and what Node is told about it. */
export interface WorkerEntry {
  /** A script that calls `runWorker`. */
  readonly script: string;
}
