/** A worker process: gets its configuration and sockets from the master, gives up root, serves. */
import { recorded } from '../config/source.ts';
import { NOTICE, WARN } from '../log/levels.ts';
import { mapZones } from '../zone/registry.ts';
import type { Program } from './contract.ts';
import { exitOnCrash } from './crash.ts';
import { readCycle } from './cycle.ts';
import { isToWorker, type ToMaster, type WorkerStart } from './messages.ts';
import { dropPrivileges, enterDirectory, setLimits } from './privileges.ts';
import { ProcessLog } from './process-log.ts';
import { Serving } from './serving.ts';
import { listenToSignals } from './signals.ts';
import { isRoot } from './user.ts';

/** The exit code of a worker that could not begin. */
const FATAL = 2;

class Worker {
  readonly #program: Program;
  /** Nothing of the configuration's warnings: the master has told them. */
  #log = ProcessLog.console(() => undefined);
  #serving: Serving | undefined = undefined;
  #exiting = false;
  #exited = false;

  constructor(program: Program) {
    this.#program = program;
  }

  run(): void {
    process.title = 'sluice: worker process';
    exitOnCrash(() => this.#log, 1);
    listenToSignals(() => this.#log, {
      SIGHUP: () => [', ignoring'],
      SIGUSR2: () => [', ignoring'],
      SIGWINCH: () => [''],
      SIGQUIT: () => [', shutting down', () => this.#drain()],
      SIGTERM: () => [', exiting', () => this.#stop()],
      SIGINT: () => [', exiting', () => this.#stop()],
      SIGUSR1: () => [', reopening logs', () => this.#serving?.reopen()],
    });
    process.on('message', (message: unknown) => {
      if (!isToWorker(message)) return;
      if (message.kind === 'start') this.#begin(message);
      else if (message.kind === 'drain') this.#drain();
      else if (message.kind === 'stop') this.#stop();
      else this.#serving?.reopen();
    });
    // The master has gone without a word: nobody would ever stop this worker.
    process.on('disconnect', () => this.#drain());
  }

  #begin(start: WorkerStart): void {
    try {
      this.#serve(start);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      // The master logs it: this process may have no log yet.
      this.#tell({ kind: 'failed', reason }, () => process.exit(FATAL));
    }
  }

  #serve(start: WorkerStart): void {
    const { invocation, record, worker } = start;
    const cycle = readCycle(this.#program, invocation, this.#log, { source: recorded(record) });
    const { settings } = cycle;
    const owner = isRoot() ? settings.user : undefined;
    this.#log = ProcessLog.configured(cycle.main, invocation, owner);
    setLimits(settings, this.#log);
    mapZones(cycle.zones, start.zones, (reason) => this.#log.write(WARN, reason));
    const serving = new Serving(cycle, this.#log);
    serving.prepare({
      worker,
      workers: settings.workers,
      owner,
      log: this.#log,
      logs: this.#log.registry,
      master: start.master,
      generation: start.generation,
      connections: settings.connections,
    });
    dropPrivileges(settings, this.#log);
    enterDirectory(settings, this.#log);
    serving.open(new Map(start.sockets));
    this.#serving = serving;
    if (!this.#exiting) this.#tell({ kind: 'ready' }, () => undefined);
  }

  #tell(message: ToMaster, then: () => void): void {
    if (process.send && process.connected) process.send(message, undefined, undefined, then);
    else then();
  }

  #drain(): void {
    if (this.#exiting) return;
    this.#exiting = true;
    this.#log.write(NOTICE, 'gracefully shutting down');
    process.title = 'sluice: worker process is shutting down';
    if (this.#serving) this.#serving.drain(() => this.#exit());
    else this.#exit();
  }

  #stop(): void {
    this.#exiting = true;
    this.#serving?.close();
    this.#exit();
  }

  /** Not before the turn is over: what was handed to sockets is written first. */
  #exit(): void {
    if (this.#exited) return;
    this.#exited = true;
    this.#log.write(NOTICE, 'exiting');
    setImmediate(() => {
      this.#log.write(NOTICE, 'exit');
      this.#log.close();
      process.exit(0);
    });
  }
}

/** Runs this process as a worker: waits for its master's word. */
export const runWorker = (program: Program): void => new Worker(program).run();
