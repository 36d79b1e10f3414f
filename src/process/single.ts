/** `master_process off`: one process owns the sockets and serves on them, with its user unchanged. */
import { EMERG, NOTICE, WARN } from '../log/levels.ts';
import { duplicate } from '../platform/libc.ts';
import { mapZones, ZoneStore } from '../zone/registry.ts';
import type { Program } from './contract.ts';
import { type Cycle, readCycle, sinceCycle } from './cycle.ts';
import type { Invocation } from './invocation.ts';
import { warnOfLimits } from './limits.ts';
import { type Listeners, openListeners } from './listeners.ts';
import { PidFile } from './pid-file.ts';
import { ProcessLog, Witness } from './process-log.ts';
import { useLinearRegexps } from './regexp-engine.ts';
import { ReloadQueue } from './reload-queue.ts';
import { Serving } from './serving.ts';
import { listenToSignals } from './signals.ts';
import { removeStatus } from './status-file.ts';

export interface SingleStart {
  readonly program: Program;
  readonly invocation: Invocation;
  readonly cycle: Cycle;
  readonly listeners: Listeners;
  readonly log: ProcessLog;
}

export class Single {
  readonly #start: SingleStart;
  readonly #pid: PidFile;
  readonly #zones = new ZoneStore();
  #log: ProcessLog;
  #listeners: Listeners;
  #serving: Serving;
  /** The configuration in use. */
  #cycle: Cycle;
  readonly #reloads = new ReloadQueue({
    reload: () => this.#reload(),
    pidPath: () => this.#pid.path,
    generation: () => this.#number,
  });
  #number = 1;
  #leaving = false;
  #exited = false;
  #ended: (code: number) => void = () => undefined;

  constructor(start: SingleStart) {
    useLinearRegexps();
    this.#start = start;
    this.#log = start.log;
    this.#listeners = start.listeners;
    this.#cycle = start.cycle;
    this.#serving = new Serving(start.cycle, start.log);
    this.#pid = new PidFile(start.cycle.settings.pidFile);
  }

  /** The log in use: a reload changes it. */
  get log(): ProcessLog {
    return this.#log;
  }

  /** Runs to the end; the exit code. `up` is called when it serves. */
  async run(up: () => void): Promise<number> {
    const { cycle } = this.#start;
    const ended = new Promise<number>((resolve) => {
      this.#ended = resolve;
    });
    const deaf = listenToSignals(() => this.#log, {
      SIGHUP: () => [', reconfiguring', () => this.#reloads.hup()],
      SIGQUIT: () => [', shutting down', () => this.#quit()],
      SIGTERM: () => [', exiting', () => this.#terminate()],
      SIGINT: () => [', exiting', () => this.#terminate()],
      SIGUSR1: () => [', reopening logs', () => this.#serving.reopen()],
      SIGUSR2: () => [', ignoring'],
      SIGWINCH: () => [''],
    });
    // Not earlier: whoever finds the file may send a signal at once.
    if (!this.#pid.write(this.#log)) {
      deaf();
      this.#listeners.close(this.#log, false);
      return 1;
    }
    try {
      this.#serve(this.#serving, cycle, this.#listeners, this.#log, this.#number);
    } catch (error) {
      this.#log.write(EMERG, error instanceof Error ? error.message : String(error));
      this.#pid.remove(this.#log);
      return 1;
    }
    up();
    this.#reloads.open();
    const code = await ended;
    deaf();
    return code;
  }

  #serve(serving: Serving, cycle: Cycle, listeners: Listeners, log: ProcessLog, number: number): void {
    const zones = this.#zones.change(cycle.zones);
    try {
      mapZones(cycle.zones, zones.zones, (reason) => log.write(WARN, reason));
      this.#prepare(serving, cycle, log, number);
      // Each configuration closes its own copy, so that the socket lives through reloads.
      serving.open(new Map([...listeners.forWorker(0)].map(([key, fd]) => [key, duplicate(fd)])));
    } catch (error) {
      zones.refuse();
      throw error;
    }
    zones.accept();
  }

  #prepare(serving: Serving, cycle: Cycle, log: ProcessLog, number: number): void {
    serving.prepare({
      worker: 0,
      workers: 1,
      owner: undefined,
      log,
      logs: log.registry,
      master: process.pid,
      generation: number,
      connections: cycle.settings.connections,
    });
  }

  async #reload(): Promise<readonly string[]> {
    this.#log.write(NOTICE, 'reconfiguring');
    const { program, invocation } = this.#start;
    const before = { log: this.#log, listeners: this.#listeners, serving: this.#serving };
    const witness = new Witness(before.log, EMERG);
    let listeners: Listeners | undefined;
    let serving: Serving | undefined;
    let log: ProcessLog | undefined;
    let cycle: Cycle;
    try {
      cycle = readCycle(program, invocation, witness, sinceCycle(this.#cycle));
      listeners = await openListeners(cycle.listens, 1, before.listeners, [], witness);
      log = ProcessLog.configured(cycle.main, invocation, undefined);
      warnOfLimits(cycle.settings, log);
      serving = new Serving(cycle, log);
      this.#serve(serving, cycle, listeners, log, this.#number + 1);
    } catch (error) {
      if (witness.errors.length === 0)
        witness.write(EMERG, error instanceof Error ? error.message : String(error));
      serving?.close();
      listeners?.rollback(witness);
      log?.close();
      return witness.errors;
    }
    this.#log = log;
    this.#cycle = cycle;
    this.#listeners = listeners;
    this.#serving = serving;
    this.#number++;
    before.listeners.closeMissing(listeners, log);
    before.serving.drain(() => before.log.close());
    return [];
  }

  #quit(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    this.#reloads.close();
    this.#log.write(NOTICE, 'gracefully shutting down');
    this.#listeners.close(this.#log, false);
    this.#serving.drain(() => this.#exit());
  }

  #terminate(): void {
    if (!this.#leaving) this.#listeners.close(this.#log, false);
    this.#leaving = true;
    this.#reloads.close();
    this.#serving.close();
    this.#exit();
  }

  #exit(): void {
    if (this.#exited) return;
    this.#exited = true;
    setImmediate(() => {
      this.#pid.remove(this.#log);
      removeStatus(this.#pid.path);
      this.#log.write(NOTICE, 'exit');
      this.#log.close();
      this.#ended(0);
    });
  }
}
