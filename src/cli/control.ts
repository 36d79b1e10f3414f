/** `-s stop|quit|reopen|reload`: a word to the running master, and for a reload what became of it. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { ErrorLog } from '../log/error-log.ts';
import { ALERT, ERROR, NOTICE } from '../log/levels.ts';
import { bytePath } from '../platform/byte-path.ts';
import { errorCode, errorText } from '../platform/errno.ts';
import { readStatus } from '../process/status-file.ts';
import type { ControlSignal } from './arguments.ts';

const NAMES = { stop: 'SIGTERM', quit: 'SIGQUIT', reopen: 'SIGUSR1', reload: 'SIGHUP' } as const;
const NUMBERS = { stop: 15, quit: 3, reopen: 10, reload: 1 } as const;

/** How often the master's answer is looked for, and for how long, in milliseconds. */
const POLL = 20;
const PATIENCE = 120_000;

/** The process id in a pid file; undefined when there is none, which is logged. */
const readPid = (path: string, log: ErrorLog): number | undefined => {
  let text: string;
  try {
    text = readFileSync(bytePath(path), 'latin1').replace(/[\r\n]+$/, '');
  } catch (error) {
    log.write(ERROR, `open() "${path}" failed (${errorText(error)})`);
    return undefined;
  }
  if (/^\d+$/.test(text) && Number(text) > 0) return Number(text);
  log.write(ERROR, `invalid PID number "${text}" in "${path}"`);
  return undefined;
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
};

/** Waits for the reload that answers our signal; the exit code. */
const awaitReload = async (pidPath: string, pid: number, wanted: number, log: ErrorLog): Promise<number> => {
  const until = Date.now() + PATIENCE;
  while (Date.now() < until) {
    const status = readStatus(pidPath, pid);
    if (status && status.finished >= wanted) {
      for (const reason of status.errors) log.write(ALERT, `reload refused: ${reason}`);
      return status.errors.length > 0 ? 1 : 0;
    }
    if (!isAlive(pid)) {
      log.write(ALERT, `process ${pid} ended before it had reloaded`);
      return 1;
    }
    await delay(POLL);
  }
  log.write(ALERT, `process ${pid} has not reloaded within ${PATIENCE / 1000}s`);
  return 1;
};

/** Sends the signal to the process of the pid file; the exit code. */
export const control = async (signal: ControlSignal, pidPath: string, log: ErrorLog): Promise<number> => {
  log.write(NOTICE, 'signal process started');
  const pid = readPid(pidPath, log);
  if (pid === undefined) return 1;
  // A master that leaves no status (nginx itself) is only told, as nginx does.
  const before = signal === 'reload' ? readStatus(pidPath, pid) : undefined;
  try {
    process.kill(pid, NAMES[signal]);
  } catch (error) {
    log.write(ALERT, `kill(${pid}, ${NUMBERS[signal]}) failed (${errorText(error)})`);
    return 1;
  }
  return before ? awaitReload(pidPath, pid, before.received + 1, log) : 0;
};
