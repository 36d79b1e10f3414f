/** The pid file (`pid`): written when the sockets are open, renamed by an upgrade, removed at the end. */
import { renameSync, unlinkSync, writeFileSync } from 'node:fs';
import type { ErrorLog } from '../log/error-log.ts';
import { ALERT, EMERG } from '../log/levels.ts';
import { bytePath } from '../platform/byte-path.ts';
import { errorText } from '../platform/errno.ts';

const OLD = '.oldbin';

export class PidFile {
  /** Whether it stands as `.oldbin` since a new program took the name. */
  #old = false;

  constructor(readonly path: string) {}

  get current(): string {
    return this.#old ? this.path + OLD : this.path;
  }

  /** Writes this process's id; false when that failed, which is logged. */
  write(log: ErrorLog): boolean {
    try {
      writeFileSync(bytePath(this.path), `${process.pid}\n`, { mode: 0o644 });
      return true;
    } catch (error) {
      log.write(EMERG, `open() "${this.path}" failed (${errorText(error)})`);
      return false;
    }
  }

  /** Makes room for the new program's file; false when that failed. */
  stepAside(program: string, log: ErrorLog): boolean {
    try {
      renameSync(bytePath(this.path), bytePath(this.path + OLD));
      this.#old = true;
      return true;
    } catch (error) {
      log.write(
        ALERT,
        `rename() ${this.path} to ${this.path}${OLD} failed before executing new binary process "${program}" (${errorText(error)})`,
      );
      return false;
    }
  }

  /** Takes the name back: the new program has gone. */
  stepBack(program: string, log: ErrorLog): void {
    try {
      renameSync(bytePath(this.path + OLD), bytePath(this.path));
      this.#old = false;
    } catch (error) {
      log.write(
        ALERT,
        `rename() ${this.path}${OLD} back to ${this.path} failed after the new binary process "${program}" exited (${errorText(error)})`,
      );
    }
  }

  /** Removes it. */
  remove(log: ErrorLog): void {
    try {
      unlinkSync(bytePath(this.current));
    } catch (error) {
      log.write(ALERT, `unlink() "${this.current}" failed (${errorText(error)})`);
    }
  }
}
