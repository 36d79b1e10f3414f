/** USR2: starts the program anew with the listening sockets, beside this one. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { ErrorLog } from '../log/error-log.ts';
import { ALERT, NOTICE } from '../log/levels.ts';
import type { Listeners } from './listeners.ts';
import type { PidFile } from './pid-file.ts';

/** The variable that names inherited descriptors: nginx's own, so that either can take over from the other. */
export const INHERITED = 'NGINX';

const FIRST_SOCKET = 3;

/** How this program is started once more: Node, its script and the same words. */
export const ownCommand = (): { readonly file: string; readonly words: string[] } => ({
  file: process.execPath,
  words: [...process.execArgv, ...process.argv.slice(1)],
});

export class Upgrade {
  #child: ChildProcess | undefined = undefined;

  /** Whether a new program has been started and has not ended. */
  get running(): boolean {
    return this.#child !== undefined;
  }

  /** Starts it; `ended` is called when it is gone again and the pid file has its name back. */
  run(listeners: Listeners, pid: PidFile, log: ErrorLog, ended: () => void): void {
    const { file, words } = ownCommand();
    const program = words[0] ?? file;
    if (!pid.stepAside(program, log)) return;
    const fds = listeners.all();
    const value = fds.map((_, index) => `${FIRST_SOCKET + index};`).join('');
    const end = (): void => {
      if (this.#child === undefined) return;
      this.#child = undefined;
      pid.stepBack(program, log);
      ended();
    };
    try {
      const child = spawn(file, words, {
        detached: true,
        env: { ...process.env, [INHERITED]: value },
        stdio: ['ignore', 'inherit', 'inherit', ...fds],
      });
      this.#child = child;
      child.on('error', (error) => {
        log.write(
          ALERT,
          `execve() failed while executing new binary process "${program}" (${error.message})`,
        );
        end();
      });
      child.on('exit', (code, signal) => {
        if (signal !== null) log.write(ALERT, `new binary process ${child.pid} exited on signal ${signal}`);
        else log.write(NOTICE, `new binary process ${child.pid} exited with code ${code}`);
        end();
      });
      log.write(NOTICE, `start new binary process ${child.pid}`);
    } catch (error) {
      log.write(ALERT, `fork() failed while spawning "new binary process" (${error})`);
      pid.stepBack(program, log);
    }
  }
}
