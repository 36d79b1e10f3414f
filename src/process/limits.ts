/** What the system allows a worker, beside what the configuration wants for it. */
import type { ErrorLog } from '../log/error-log.ts';
import { WARN } from '../log/levels.ts';
import { libcAvailable } from '../platform/libc.ts';
import { getLimit } from '../platform/process-calls.ts';
import type { Settings } from './settings.ts';

/** Warns, in nginx's words, where `worker_connections` are more than the files that a worker may open. */
export const warnOfLimits = (
  { connections, rlimitNofile }: Pick<Settings, 'connections' | 'rlimitNofile'>,
  log: ErrorLog,
): void => {
  if (!libcAvailable()) return;
  const { soft } = getLimit('RLIMIT_NOFILE');
  if (connections <= soft || (rlimitNofile !== undefined && connections <= rlimitNofile)) return;
  const limit = rlimitNofile ?? soft;
  log.write(WARN, `${connections} worker_connections exceed open file resource limit: ${limit}`);
};
