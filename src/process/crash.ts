/** What becomes of an error that nobody caught: a line in the log, and a process that is replaced. */
import type { ErrorLog } from '../log/error-log.ts';
import { ALERT } from '../log/levels.ts';

/** An error with its stack on one line. */
export const oneLine = (error: unknown): string => {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return text
    .split('\n')
    .map((line) => line.trim())
    .join(' | ');
};

/** Logs an uncaught exception or rejection as an alert and exits with `code`. */
export const exitOnCrash = (log: () => ErrorLog, code: number): void => {
  const crash = (kind: string, error: unknown): void => {
    log().write(ALERT, `${kind}: ${oneLine(error)}`);
    process.exit(code);
  };
  process.on('uncaughtException', (error) => crash('uncaught exception', error));
  process.on('unhandledRejection', (error) => crash('unhandled rejection', error));
};

/** As `exitOnCrash`, for the master: it goes on, since its workers do. */
export const surviveCrash = (log: () => ErrorLog): void => {
  process.on('uncaughtException', (error) => log().write(ALERT, `uncaught exception: ${oneLine(error)}`));
  process.on('unhandledRejection', (error) => log().write(ALERT, `unhandled rejection: ${oneLine(error)}`));
};
