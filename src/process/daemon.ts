/** `daemon on`: this process starts a copy of itself in the background and leaves when that one serves. */
import { spawn } from 'node:child_process';
import { replaceDescriptor } from '../platform/libc.ts';
import type { Listeners } from './listeners.ts';
import { INHERITED, ownCommand } from './upgrade.ts';

/** Set in the copy's environment; the copy takes it out before anything else is started. */
const MARK = 'SLUICE_DAEMON';
/** 0 to 2 are the standard streams, 3 is the channel. */
const FIRST_SOCKET = 4;
const STDERR = 2;

/** Whether this process is such a copy. */
export const isDaemon = (): boolean => process.env[MARK] !== undefined && process.send !== undefined;

/** Starts the copy with the sockets that are open already; the exit code for this process. */
export const daemonize = (listeners: Listeners): Promise<number> => {
  const { file, words } = ownCommand();
  const fds = listeners.all();
  const value = fds.map((_, index) => `${FIRST_SOCKET + index};`).join('');
  const child = spawn(file, words, {
    detached: true,
    env: { ...process.env, [MARK]: '1', [INHERITED]: value },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc', ...fds],
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('message', () => {
      child.disconnect();
      child.unref();
      resolve(0);
    });
    child.on('exit', (code) => resolve(code === 0 || code === null ? 1 : code));
  });
};

/** In the copy: forgets how it was started. */
export const becomeDaemon = (): void => {
  delete process.env[MARK];
  process.umask(0);
};

/** In the copy: it serves, so the process that started it may leave. */
export const reportUp = (): void => {
  process.send?.('up', undefined, undefined, () => {
    if (process.connected) process.disconnect();
  });
};

/** What is written to standard error from here on goes to the log. */
export const redirectStderr = (fd: number): void => {
  if (fd !== STDERR) replaceDescriptor(fd, STDERR);
};
