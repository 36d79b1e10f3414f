/** What one configuration runs on in the master: sockets, shared memory, a log, workers. */
import type { Console } from '../log/error-log-file.ts';
import type { ZoneChange } from '../zone/registry.ts';
import type { Cycle } from './cycle.ts';
import type { Generation } from './generation.ts';
import type { Invocation } from './invocation.ts';
import type { Listeners } from './listeners.ts';
import { ProcessLog } from './process-log.ts';
import { isRoot } from './user.ts';

export interface Reign {
  readonly cycle: Cycle;
  readonly listeners: Listeners;
  readonly log: ProcessLog;
  readonly generation: Generation;
  readonly zones: ZoneChange;
}

/**
 * The master's log for a configuration. It holds every log file of the workers too, as root, so that USR1 can
 * make the files they could not. Throws `open() "PATH" failed (N: TEXT)`.
 */
export const masterLog = (cycle: Cycle, invocation: Invocation, console?: Console): ProcessLog => {
  const owner = isRoot() ? cycle.settings.user : undefined;
  const log = ProcessLog.configured(cycle.main, invocation, owner, console);
  try {
    for (const { logFiles } of cycle.services) log.hold(logFiles ?? []);
    return log;
  } catch (error) {
    log.close();
    throw error;
  }
};
