/** The HUP signals that have come and the reloads that answer them, one after another; told in the status file. */
import { writeStatus } from './status-file.ts';

/** Who reloads. */
export interface Reloader {
  /** Reads the configuration anew and changes over to it; why not, or nothing. */
  reload(): Promise<readonly string[]>;
  /** Where the status goes: beside this; undefined while another program has the name. */
  pidPath(): string | undefined;
  /** The configuration being served; 0 before the first is. */
  generation(): number;
}

export class ReloadQueue {
  readonly #reloader: Reloader;
  #received = 0;
  #finished = 0;
  #errors: readonly string[] = [];
  /** Signals wait while there is nothing to reload yet, while a reload runs, and at the end. */
  #state: 'early' | 'idle' | 'busy' | 'closed' = 'early';

  constructor(reloader: Reloader) {
    this.#reloader = reloader;
  }

  /** A signal has come. */
  hup(): void {
    this.#received++;
    this.save();
    void this.#answer();
  }

  /** The first configuration is served: answers what has come meanwhile. */
  open(): void {
    this.#state = 'idle';
    this.save();
    void this.#answer();
  }

  /** No reload is begun any more. */
  close(): void {
    this.#state = 'closed';
  }

  /** Writes the status file, until the end: then it is being removed. */
  save(): void {
    const path = this.#reloader.pidPath();
    if (path === undefined || this.#state === 'closed') return;
    writeStatus(path, {
      pid: process.pid,
      received: this.#received,
      finished: this.#finished,
      generation: this.#reloader.generation(),
      errors: this.#errors,
    });
  }

  async #answer(): Promise<void> {
    while (this.#state === 'idle' && this.#finished < this.#received) {
      const answered = this.#received;
      this.#state = 'busy';
      try {
        this.#errors = await this.#reloader.reload();
      } finally {
        if (this.#state === 'busy') this.#state = 'idle';
      }
      this.#finished = answered;
      this.save();
    }
  }
}
