/** The services of one configuration in the process that serves them, from their preparation to their end. */
import { ALERT, NOTICE } from '../log/levels.ts';
import type { Service, WorkerContext } from './contract.ts';
import type { Cycle } from './cycle.ts';
import type { ProcessLog } from './process-log.ts';

export class Serving {
  readonly #services: readonly Service[];
  readonly #log: ProcessLog;
  readonly #shutdownTimeout: number;
  #draining = false;

  constructor(cycle: Cycle, log: ProcessLog) {
    this.#services = cycle.services;
    this.#log = log;
    this.#shutdownTimeout = cycle.settings.shutdownTimeout;
  }

  /** While still root: logs, folders, keys. Throws with a reason. */
  prepare(context: WorkerContext): void {
    for (const service of this.#services) service.prepare(context);
  }

  /** Begins to accept on the descriptors of this process. */
  open(fds: ReadonlyMap<string, number>): void {
    for (const service of this.#services) service.open(fds);
  }

  /** Finishes what is busy, for `worker_shutdown_timeout` at most; then closes all and calls `done` once. */
  drain(done: () => void): void {
    if (this.#draining) return;
    this.#draining = true;
    let left = this.#services.length;
    let ended = false;
    const end = (): void => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      this.close();
      done();
    };
    const timer = this.#shutdownTimeout > 0 ? setTimeout(end, this.#shutdownTimeout) : undefined;
    for (const service of this.#services) {
      service.drain(() => {
        left--;
        if (left === 0) end();
      });
    }
    if (this.#services.length === 0) end();
  }

  /** Every connection is closed at once. */
  close(): void {
    for (const service of this.#services) {
      try {
        service.close();
      } catch (error) {
        this.#log.write(ALERT, `closing failed: ${error instanceof Error ? error.message : error}`);
      }
    }
  }

  /** USR1. */
  reopen(): void {
    this.#log.write(NOTICE, 'reopening logs');
    this.#log.reopen();
    for (const service of this.#services) service.reopen();
  }
}
