/** What a worker gives up before it serves: its limits, its user, its folder. */
import type { ErrorLog } from '../log/error-log.ts';
import { ALERT, EMERG } from '../log/levels.ts';
import { bytePath } from '../platform/byte-path.ts';
import { errorText } from '../platform/errno.ts';
import { LibcMissing, SystemError } from '../platform/libc.ts';
import {
  allowCoreDump,
  initGroups,
  keepCapabilities,
  onlyRawNetwork,
  setLimit,
  setPriority,
} from '../platform/process-calls.ts';
import type { Settings } from './settings.ts';
import { isRoot } from './user.ts';

/** Runs what nginx only complains about when it fails. */
const attempt = (log: ErrorLog, act: () => void): void => {
  try {
    act();
  } catch (error) {
    if (!(error instanceof SystemError) && !(error instanceof LibcMissing)) throw error;
    log.write(ALERT, error.message);
  }
};

/** `worker_priority`, `worker_rlimit_nofile`, `worker_rlimit_core`: failures are logged and no more. */
export const setLimits = (settings: Settings, log: ErrorLog): void => {
  const { priority, rlimitNofile, rlimitCore } = settings;
  if (priority !== 0) attempt(log, () => setPriority(priority));
  if (rlimitNofile !== undefined) attempt(log, () => setLimit('RLIMIT_NOFILE', rlimitNofile));
  if (rlimitCore !== undefined) attempt(log, () => setLimit('RLIMIT_CORE', rlimitCore));
};

/** Becomes `user` when this is root. Throws when that fails, after logging it: the worker must not serve. */
export const dropPrivileges = (settings: Settings, log: ErrorLog): void => {
  const { user } = settings;
  if (!isRoot() || user === undefined) return;
  const step = (call: string, act: () => void): void => {
    try {
      act();
    } catch (error) {
      log.write(EMERG, error instanceof SystemError ? error.message : `${call} failed (${errorText(error)})`);
      throw error;
    }
  };
  step(`setgid(${user.gid})`, () => process.setgid?.(user.gid));
  step('initgroups()', () => initGroups(user.name, user.gid));
  const raw = settings.transparent && user.uid !== 0;
  if (raw) step('prctl(PR_SET_KEEPCAPS, 1)', keepCapabilities);
  step(`setuid(${user.uid})`, () => process.setuid?.(user.uid));
  if (raw) step('capset()', onlyRawNetwork);
  // Without a core file wanted there is nothing to allow, and no system call to look up.
  if (settings.rlimitCore !== undefined) attempt(log, allowCoreDump);
};

/** `working_directory`. Throws when it cannot be entered, after logging it. */
export const enterDirectory = (settings: Settings, log: ErrorLog): void => {
  if (settings.workingDirectory === undefined) return;
  try {
    // The one call that takes no bytes.
    process.chdir(bytePath(settings.workingDirectory).toString());
  } catch (error) {
    log.write(ALERT, `chdir("${settings.workingDirectory}") failed (${errorText(error)})`);
    throw error;
  }
};
