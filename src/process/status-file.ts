/**
 * What became of the last reload, in a small file beside the pid file, so that `-s reload` can wait for it and
 * say why it was refused. The master writes it; any process that may read the pid file may read it.
 */
import { readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { bytePath } from '../platform/byte-path.ts';

export interface ReloadStatus {
  /** The master that wrote it; a file left by another says nothing. */
  readonly pid: number;
  /** How many HUP signals it has taken. */
  readonly received: number;
  /** The last of them whose reload has ended, well or not. */
  readonly finished: number;
  /** The configuration being served: 0 until all workers serve, and one more with every reload that succeeds. */
  readonly generation: number;
  /** Why the last reload was refused; empty when it was not. */
  readonly errors: readonly string[];
}

/** Where a pid file's status stands. */
export const statusPath = (pidPath: string): string => `${pidPath}.status`;

/** Writes it whole; a folder that cannot be written costs `-s reload` its answer and nothing else. */
export const writeStatus = (pidPath: string, status: ReloadStatus): void => {
  const path = statusPath(pidPath);
  try {
    writeFileSync(bytePath(`${path}.new`), `${JSON.stringify(status)}\n`, { mode: 0o644 });
    renameSync(bytePath(`${path}.new`), bytePath(path));
  } catch {
    removeStatus(pidPath);
  }
};

export const removeStatus = (pidPath: string): void => {
  try {
    unlinkSync(bytePath(statusPath(pidPath)));
  } catch {
    // It was never written.
  }
};

const isStatus = (value: unknown): value is ReloadStatus =>
  typeof value === 'object' &&
  value !== null &&
  'pid' in value &&
  'received' in value &&
  'finished' in value &&
  'errors' in value &&
  Array.isArray(value.errors);

/** The status that the master `pid` wrote; undefined when there is none. */
export const readStatus = (pidPath: string, pid: number): ReloadStatus | undefined => {
  try {
    const value: unknown = JSON.parse(readFileSync(bytePath(statusPath(pidPath)), 'utf8'));
    return isStatus(value) && value.pid === pid ? value : undefined;
  } catch {
    return undefined;
  }
};
