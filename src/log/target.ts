/** Where a log goes, as the configuration says it; plain data. */
import type { SyslogSpec } from './syslog-spec.ts';

/** A file, by its full path. */
export interface FileTarget {
  readonly kind: 'file';
  readonly path: string;
}
/** A file by its full path, standard error, a syslog server, or a ring of memory of `bytes`. */
export type LogTarget =
  | FileTarget
  | { readonly kind: 'stderr' }
  | ({ readonly kind: 'syslog' } & SyslogSpec)
  | { readonly kind: 'memory'; readonly bytes: number };

/** What lines are written to: a file, standard error, a ring of memory or a syslog server. */
export interface Destination {
  /** One line without its line feed, bytes as a latin1 string. Levels 1 to 8 become a syslog severity. */
  write(line: string, level: number): void;
  /** Hands to the system what is still held, now. Never throws. */
  flush(): void;
  /** Opens a file again by its name; on failure the old one stays in use and the reason is returned. */
  reopen(): string | undefined;
  /** Flushes and lets go. */
  close(): void;
}
