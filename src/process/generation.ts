/** The workers of one configuration: started together, replaced when they die, told to leave together. */
import type { ErrorLog } from '../log/error-log.ts';
import { ALERT, EMERG, NOTICE } from '../log/levels.ts';
import type { WorkerStart } from './messages.ts';
import { logChildSignal } from './signals.ts';
import { WorkerHandle, type WorkerSpawn } from './worker-handle.ts';

/** The workers could not begin; why has been logged. */
export class StartFailure extends Error {
  override readonly name = 'StartFailure';
}

/** What a generation asks of its master. */
export interface GenerationHost {
  /** The log in use: a later configuration replaces it. */
  log(): ErrorLog;
  /** What worker number `worker` is started with. */
  spawn(worker: number): WorkerSpawn;
  /** A worker has ended; nothing of it is left. */
  reaped(): void;
}

/** A worker that lived this long died of its work, not of its start, and is replaced at once. */
const STABLE_MS = 1000;
const FIRST_DELAY_MS = 100;
const MOST_DELAY_MS = 5000;
/** How often a worker may be killed while the generation starts before that counts as a failure. */
const START_TRIES = 3;
/** After TERM a worker has this long before KILL. */
const KILL_AFTER_MS = 1500;

export class Generation {
  readonly #live = new Set<WorkerHandle>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #started: { resolve(): void; reject(reason: Error): void } | undefined = undefined;
  #pending = new Set<number>();
  #leaving = false;
  #deaths = 0;
  #delay = FIRST_DELAY_MS;

  constructor(
    readonly count: number,
    readonly start: Pick<WorkerStart, 'invocation' | 'record' | 'zones' | 'generation'>,
    readonly host: GenerationHost,
  ) {}

  /** Workers that have not ended. */
  get live(): number {
    return this.#live.size;
  }

  /** Starts all; resolves when all serve. Rejects with StartFailure when one cannot: the others are stopped. */
  run(): Promise<void> {
    this.host.log().write(NOTICE, 'start worker processes');
    return new Promise((resolve, reject) => {
      this.#started = { resolve, reject };
      for (let worker = 0; worker < this.count; worker++) this.#pending.add(worker);
      for (let worker = 0; worker < this.count && !this.#leaving; worker++) this.#spawn(worker);
      if (this.count === 0) this.#settle(undefined);
    });
  }

  /** Graceful: what is busy finishes. */
  drain(): void {
    this.#leave();
    for (const worker of this.#live) worker.send({ kind: 'drain' });
  }

  /** At once; whoever has not gone after a while is killed. */
  stop(): void {
    this.#leave();
    for (const worker of this.#live) worker.send({ kind: 'stop' });
    const timer = setTimeout(() => {
      for (const worker of this.#live) worker.kill('SIGKILL');
    }, KILL_AFTER_MS);
    timer.unref();
  }

  /** Log files are opened again. */
  reopen(): void {
    for (const worker of this.#live) worker.send({ kind: 'reopen' });
  }

  #leave(): void {
    this.#leaving = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#settle(new StartFailure('stopped'));
  }

  #settle(error: Error | undefined): void {
    const started = this.#started;
    this.#started = undefined;
    if (error) started?.reject(error);
    else started?.resolve();
  }

  #spawn(worker: number): void {
    const log = this.host.log();
    let handle: WorkerHandle;
    try {
      handle = new WorkerHandle(worker, this.host.spawn(worker), this.start, {
        ready: (one) => this.#ready(one),
        failed: (_, reason) => this.#failed(reason),
        exit: (one, code, signal) => this.#exit(one, code, signal),
        refused: (one, error) => {
          this.#live.delete(one);
          this.#refused(worker, error);
        },
      });
    } catch (error) {
      this.#refused(worker, error);
      return;
    }
    this.#live.add(handle);
    if (handle.pid > 0) log.write(NOTICE, `start worker process ${handle.pid}`);
  }

  #refused(worker: number, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `fork() failed while spawning "worker process" (${reason})`;
    this.host.log().write(ALERT, message);
    this.#died(worker, message);
  }

  #ready(one: WorkerHandle): void {
    this.#pending.delete(one.worker);
    if (this.#pending.size === 0) this.#settle(undefined);
  }

  #failed(reason: string): void {
    this.host.log().write(EMERG, reason);
    if (!this.#started) return;
    this.#settle(new StartFailure(reason));
    this.stop();
  }

  #exit(one: WorkerHandle, code: number, signal: number): void {
    const log = this.host.log();
    this.#live.delete(one);
    logChildSignal(log, one.pid);
    const how = signal > 0 ? `exited on signal ${signal}` : `exited with code ${code}`;
    log.write(signal > 0 ? ALERT : NOTICE, `worker process ${one.pid} ${how}`);
    if (!one.leaving && !this.#leaving) {
      const lived = one.ready && Date.now() - one.startedAt > STABLE_MS;
      if (lived) {
        this.#delay = FIRST_DELAY_MS;
        this.#spawn(one.worker);
      } else if (!one.ready && this.#started && signal === 0) {
        this.#failed(`worker process ${how}`);
      } else this.#died(one.worker, `worker process ${how}`);
    }
    this.host.reaped();
  }

  /** A worker that did not last: the next one waits, longer each time. */
  #died(worker: number, how: string): void {
    if (this.#leaving) return;
    if (this.#started && ++this.#deaths > START_TRIES) {
      this.#failed(how);
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#spawn(worker);
    }, this.#delay);
    this.#timers.add(timer);
    this.#delay = Math.min(this.#delay * 2, MOST_DELAY_MS);
  }
}
