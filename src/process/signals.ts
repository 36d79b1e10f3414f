/** The signals that control the program, and what the log says when one arrives. */
import type { ErrorLog } from '../log/error-log.ts';
import { NOTICE } from '../log/levels.ts';

const NUMBERS = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGTERM: 15,
  SIGCHLD: 17,
  SIGWINCH: 28,
} as const;
export type Signal = Exclude<keyof typeof NUMBERS, 'SIGCHLD'>;

/** The end of the log line (`, reconfiguring`), and what to do once it is written. */
export type Reaction = readonly [says: string, act?: () => void];
/** Decides at each signal. */
export type Reactions = Readonly<Record<Signal, () => Reaction>>;

/** The longest that a timer of Node's can wait, in milliseconds. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Listens to every signal. Each is logged first, as `signal 1 (SIGHUP) received, reconfiguring`. Returns a
 * function that stops listening. `log` is asked for at each signal, since a reload replaces it.
 */
export const listenToSignals = (log: () => ErrorLog, reactions: Reactions): (() => void) => {
  const listeners: [Signal, () => void][] = [];
  for (const signal of Object.keys(reactions) as Signal[]) {
    const listener = (): void => {
      const [says, act] = reactions[signal]();
      log().write(NOTICE, `signal ${NUMBERS[signal]} (${signal}) received${says}`);
      act?.();
    };
    process.on(signal, listener);
    listeners.push([signal, listener]);
  }
  // Listening alone does not keep a process alive: a master without workers (WINCH) still waits for its signals.
  const alive = setInterval(() => undefined, LONGEST_MS);
  return () => {
    clearInterval(alive);
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
};

/** The line for a child's end. */
export const logChildSignal = (log: ErrorLog, pid: number): void =>
  log.write(NOTICE, `signal ${NUMBERS.SIGCHLD} (SIGCHLD) received from ${pid}`);
