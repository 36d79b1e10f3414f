/**
 * The master process: owns the listening sockets and the pid file, takes the signals, starts and replaces
 * workers, and never serves a request itself.
 */
import { ALERT, EMERG, NOTICE } from '../log/levels.ts';
import { type ZoneChange, ZoneStore } from '../zone/registry.ts';
import type { Program } from './contract.ts';
import { type Cycle, CycleFailure, readCycle, sinceCycle } from './cycle.ts';
import { Generation, type GenerationHost, StartFailure } from './generation.ts';
import type { Invocation, WorkerEntry } from './invocation.ts';
import { warnOfLimits } from './limits.ts';
import { type Listeners, ListenFailure, openListeners } from './listeners.ts';
import { PidFile } from './pid-file.ts';
import { type ProcessLog, Witness } from './process-log.ts';
import { masterLog, type Reign } from './reign.ts';
import { ReloadQueue } from './reload-queue.ts';
import { workerEnvironment } from './settings.ts';
import { listenToSignals } from './signals.ts';
import { removeStatus } from './status-file.ts';
import { Upgrade } from './upgrade.ts';

/** What a master begins with. */
export interface MasterStart {
  readonly program: Program;
  readonly invocation: Invocation;
  readonly worker: WorkerEntry;
  /** The configuration, read already. */
  readonly cycle: Cycle;
  readonly listeners: Listeners;
  readonly log: ProcessLog;
  /** In the background, so that WINCH means what it says (a terminal sends it too). */
  readonly daemonized: boolean;
  /** Whether another program handed its sockets over and may still run. */
  readonly inherited: boolean;
}

export class Master {
  readonly #start: MasterStart;
  #pid: PidFile;
  readonly #upgrade: Upgrade;
  readonly #generations = new Set<Generation>();
  readonly #zones = new ZoneStore();
  readonly #reloads = new ReloadQueue({
    reload: () => this.#reload(),
    pidPath: () => (this.#upgrade.running ? undefined : this.#pid.path),
    generation: () => (this.#up ? this.#number : 0),
  });
  #reign: Reign;
  /** What a reload is changing over to. */
  #next: Reign | undefined = undefined;
  #number = 1;
  #up = false;
  #stopping = false;
  #closed = false;
  #exited = false;
  #accepting = true;
  readonly #parent = process.ppid;
  #ended: (code: number) => void = () => undefined;

  constructor(start: MasterStart) {
    this.#start = start;
    const { cycle, listeners, log } = start;
    this.#pid = new PidFile(cycle.settings.pidFile);
    this.#upgrade = new Upgrade();
    const zones = this.#zones.change(cycle.zones);
    zones.accept();
    const generation = this.#generation(cycle, listeners, zones, this.#number);
    this.#reign = { cycle, listeners, log, generation, zones };
  }

  /** The log in use: a reload changes it. */
  get log(): ProcessLog {
    return this.#reign.log;
  }

  /** Runs to the end; the exit code. `up` is called when all workers serve. */
  async run(up: () => void): Promise<number> {
    const { log } = this.#reign;
    const ended = new Promise<number>((resolve) => {
      this.#ended = resolve;
    });
    const deaf = listenToSignals(() => this.#reign.log, {
      SIGHUP: () => [', reconfiguring', () => this.#reloads.hup()],
      SIGQUIT: () => [', shutting down', () => this.#quit()],
      SIGTERM: () => [', exiting', () => this.#terminate()],
      SIGINT: () => [', exiting', () => this.#terminate()],
      SIGUSR1: () => [', reopening logs', () => this.#reopen()],
      SIGUSR2: () =>
        this.#upgrade.running || this.#parentServes()
          ? [', ignoring']
          : [', changing binary', () => this.#changeBinary()],
      SIGWINCH: () =>
        this.#start.daemonized ? [', stop accepting connections', () => this.#noAccept()] : [''],
    });
    // Not earlier: whoever finds the file may send a signal at once.
    if (!this.#pid.write(log)) {
      deaf();
      this.#reign.listeners.close(log, this.#start.inherited);
      return 1;
    }
    this.#reloads.save();
    try {
      await this.#reign.generation.run();
      this.#up = true;
      up();
      this.#reloads.open();
    } catch (error) {
      if (!(error instanceof StartFailure)) throw error;
      if (!this.#stopping) {
        log.write(EMERG, `worker processes could not be started: ${error.message}`);
        this.#terminate();
        await ended;
        deaf();
        return 1;
      }
    }
    const code = await ended;
    deaf();
    return code;
  }

  #generation(cycle: Cycle, listeners: Listeners, zones: ZoneChange, number: number): Generation {
    const environment = workerEnvironment(cycle.settings.environment, process.env);
    const { invocation, worker: entry, daemonized } = this.#start;
    const host: GenerationHost = {
      log: () => this.log,
      spawn: (worker) => ({
        script: entry.script,
        environment,
        sockets: listeners.forWorker(worker),
        // In the background nothing may hold on to the terminal, or to the pipe of whoever started us.
        stderr: daemonized ? (this.log.fd ?? 'inherit') : 'inherit',
      }),
      reaped: () => this.#reaped(),
    };
    const generation = new Generation(
      cycle.settings.workers,
      { invocation, record: cycle.record, zones: zones.zones, generation: number },
      host,
    );
    this.#generations.add(generation);
    return generation;
  }

  #reaped(): void {
    for (const generation of this.#generations) {
      if (generation.live === 0 && generation !== this.#reign.generation)
        this.#generations.delete(generation);
    }
    if (!this.#stopping || this.#exited) return;
    for (const { live } of this.#generations) if (live > 0) return;
    this.#exited = true;
    this.#exit();
  }

  #exit(): void {
    const { log } = this.#reign;
    this.#pid.remove(log);
    if (!this.#upgrade.running) removeStatus(this.#pid.path);
    log.write(NOTICE, 'exit');
    this.#closeListeners();
    log.close();
    this.#ended(0);
  }

  #closeListeners(): void {
    const { log, listeners } = this.#reign;
    // Another program that has the sockets goes on serving the unix paths.
    if (!this.#closed) listeners.close(log, this.#upgrade.running || this.#parentServes());
    this.#closed = true;
  }

  /** Whether the program that handed us its sockets still runs. */
  #parentServes(): boolean {
    return this.#start.inherited && process.ppid === this.#parent;
  }

  #quit(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#reloads.close();
    for (const generation of this.#generations) generation.drain();
    this.#closeListeners();
    setImmediate(() => this.#reaped());
  }

  #terminate(): void {
    this.#stopping = true;
    this.#reloads.close();
    for (const generation of this.#generations) generation.stop();
    setImmediate(() => this.#reaped());
  }

  /** Reads the configuration anew and changes over to it; why not, or nothing. */
  async #reload(): Promise<readonly string[]> {
    const before = this.#reign;
    const { log } = before;
    if (this.#upgrade.running && !this.#accepting) {
      // The way back from an upgrade: the old workers start again on the old configuration.
      await this.#restart();
      return [];
    }
    log.write(NOTICE, 'reconfiguring');
    const { program, invocation } = this.#start;
    const witness = new Witness(log, EMERG);
    let next: Reign | undefined;
    try {
      const cycle = readCycle(program, invocation, witness, sinceCycle(before.cycle));
      const { settings, listens } = cycle;
      const listeners = await openListeners(listens, settings.workers, before.listeners, [], witness);
      next = this.#change(cycle, listeners, before);
      this.#next = next;
      await next.generation.run();
    } catch (error) {
      return this.#refuse(error, next, witness);
    }
    this.#reign = next;
    this.#next = undefined;
    this.#number++;
    next.zones.accept();
    this.#movePid(next.cycle.settings.pidFile);
    before.generation.drain();
    before.listeners.closeMissing(next.listeners, log);
    before.log.close();
    this.#accepting = true;
    this.#reaped();
    return [];
  }

  /** The next reign, with its own log and workers that are not started yet. Undoes itself when it throws. */
  #change(cycle: Cycle, listeners: Listeners, before: Reign): Reign {
    let log: ProcessLog | undefined;
    try {
      if (this.#stopping) throw new StartFailure('stopped');
      log = masterLog(cycle, this.#start.invocation);
      warnOfLimits(cycle.settings, log);
      const zones = this.#zones.change(cycle.zones);
      const generation = this.#generation(cycle, listeners, zones, this.#number + 1);
      return { cycle, listeners, log, generation, zones };
    } catch (error) {
      log?.close();
      listeners.rollback(before.log);
      throw error;
    }
  }

  /** Undoes what a failed reload has begun; the reasons. */
  #refuse(error: unknown, next: Reign | undefined, witness: Witness): readonly string[] {
    this.#next = undefined;
    if (next) {
      next.generation.stop();
      next.listeners.rollback(witness);
      next.zones.refuse();
      next.log.close();
    }
    if (error instanceof StartFailure) return [...witness.errors, error.message];
    const logged = error instanceof CycleFailure || error instanceof ListenFailure;
    if (!logged) witness.write(EMERG, error instanceof Error ? error.message : String(error));
    return witness.errors;
  }

  /** `pid` has changed: the file follows. */
  #movePid(path: string): void {
    const before = this.#pid;
    if (before.path === path) return;
    const after = new PidFile(path);
    if (!after.write(this.log)) return;
    this.#pid = after;
    before.remove(this.log);
    removeStatus(before.path);
  }

  #reopen(): void {
    const { log } = this.#reign;
    log.write(NOTICE, 'reopening logs');
    log.reopen();
    this.#next?.log.reopen();
    for (const generation of this.#generations) generation.reopen();
  }

  #noAccept(): void {
    this.#accepting = false;
    for (const generation of this.#generations) generation.drain();
  }

  /** The workers of the present configuration, once more. */
  async #restart(): Promise<void> {
    const { cycle, listeners, log, zones } = this.#reign;
    const generation = this.#generation(cycle, listeners, zones, this.#number);
    this.#reign = { ...this.#reign, generation };
    this.#accepting = true;
    try {
      await generation.run();
    } catch (error) {
      log.write(ALERT, `worker processes could not be started again: ${error}`);
    }
  }

  #changeBinary(): void {
    const { log, listeners } = this.#reign;
    log.write(NOTICE, 'changing binary');
    this.#upgrade.run(listeners, this.#pid, log, () => {
      this.#reloads.save();
      if (!this.#accepting && !this.#stopping) void this.#restart();
    });
  }
}
