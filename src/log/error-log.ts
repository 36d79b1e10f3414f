/** The error log as the rest of the program sees it: a level to ask first, and a line to write. */

/**
 * One configured set of error logs (`error_log` may be repeated). Callers test `level` before they build a
 * message: `if (log.level >= DEBUG) log.write(DEBUG, ...)`.
 */
export interface ErrorLog {
  /** The most talkative level that any of the destinations takes; see levels.ts. */
  readonly level: number;
  /**
   * Writes `2026/01/31 12:00:00 [error] PID#0: *CONNECTION MESSAGE`. `connection` is left out when 0.
   * `message` is one line; control characters are the caller's to escape.
   */
  write(level: number, message: string, connection?: number): void;
}
