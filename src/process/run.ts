/** From a command line to running processes: reads the configuration, binds, goes into the background, serves. */
import type { Console } from '../log/error-log-file.ts';
import { ALERT, EMERG, NOTICE, WARN } from '../log/levels.ts';
import { LibcMissing, libcAvailable } from '../platform/libc.ts';
import type { Program } from './contract.ts';
import { exitOnCrash, surviveCrash } from './crash.ts';
import { type Cycle, CycleFailure, readCycle } from './cycle.ts';
import { becomeDaemon, daemonize, isDaemon, redirectStderr, reportUp } from './daemon.ts';
import type { Invocation, WorkerEntry } from './invocation.ts';
import { warnOfLimits } from './limits.ts';
import { inheritedSockets, Listeners, ListenFailure, openListeners } from './listeners.ts';
import { Master } from './master.ts';
import { ProcessLog } from './process-log.ts';
import { masterLog } from './reign.ts';
import { Single } from './single.ts';
import { INHERITED } from './upgrade.ts';

/** What is lost where koffi has no binary. */
const WITHOUT_LIBC =
  'the package koffi could not be loaded: zones are per worker, options of "listen" have no effect, ' +
  'and sockets are not handed over to a new program';

export interface RunOptions {
  readonly program: Program;
  readonly invocation: Invocation;
  readonly worker: WorkerEntry;
  /** Shows a message where the program was started: `[emerg] MESSAGE`. */
  readonly console: Console;
  /** Shows what helps to mend an error, where a person sees it. */
  readonly hint: ((lines: readonly string[]) => void) | undefined;
  /** The program's name and version, for the log's first line. */
  readonly version: string;
}

/** The built-in log, or the terminal alone where its file cannot be opened. */
export const builtInLog = (invocation: Invocation, console: Console): ProcessLog => {
  try {
    return ProcessLog.builtIn(invocation, console);
  } catch (error) {
    console(ALERT, `could not open error log file: ${error instanceof Error ? error.message : error}`);
    return ProcessLog.console(console);
  }
};

/** Runs until the program is told to leave; the exit code. With `daemon on` that is once the copy serves. */
export const run = async (options: RunOptions): Promise<number> => {
  const daemon = isDaemon();
  // What the copy says of the configuration has been said by the process that started it.
  const early = daemon
    ? ProcessLog.console((level, message) => level <= ALERT && options.console(level, message))
    : builtInLog(options.invocation, options.console);
  try {
    return await start(options, early, daemon);
  } catch (error) {
    const logged = error instanceof CycleFailure || error instanceof ListenFailure;
    if (!logged && !isExpected(error)) throw error;
    if (!logged && error instanceof Error) early.write(EMERG, error.message);
    return 1;
  } finally {
    early.close();
  }
};

/** Errors whose message says it all; the rest are faults of the program and show their stack. */
const isExpected = (error: unknown): boolean =>
  error instanceof LibcMissing || (error instanceof Error && error.message.startsWith('open() '));

const start = async (options: RunOptions, early: ProcessLog, daemon: boolean): Promise<number> => {
  const { program, invocation, console } = options;
  const inherited = inheritedSockets(process.env[INHERITED], early);
  delete process.env[INHERITED];
  const cycle: Cycle = readCycle(program, invocation, early, { hint: options.hint });
  const { settings, listens } = cycle;
  const log = masterLog(cycle, invocation, console);
  const workers = settings.master ? settings.workers : 1;
  const listeners = await openListeners(listens, workers, Listeners.none, inherited, log);
  if (settings.daemon && !daemon && inherited.length === 0) {
    // Without the C library the copy has to make its sockets itself.
    if (!libcAvailable()) listeners.close(log, false);
    log.close();
    return daemonize(libcAvailable() ? listeners : Listeners.none);
  }
  if (!libcAvailable()) log.write(WARN, WITHOUT_LIBC);
  warnOfLimits(settings, log);
  if (daemon) becomeDaemon();
  log.write(NOTICE, options.version);
  const up = (): void => {
    log.takeOver();
    if (!daemon) return;
    redirect(log);
    reportUp();
  };
  if (!settings.master) {
    const single = new Single({ program, invocation, cycle, listeners, log });
    exitOnCrash(() => single.log, 1);
    return single.run(up);
  }
  process.title = `sluice: master process ${process.argv.slice(1).join(' ')}`;
  const master = new Master({
    program,
    invocation,
    worker: options.worker,
    cycle,
    listeners,
    log,
    daemonized: daemon || inherited.length > 0,
    inherited: inherited.length > 0 && !daemon,
  });
  surviveCrash(() => master.log);
  return master.run(up);
};

const redirect = (log: ProcessLog): void => {
  const { fd } = log;
  if (fd === undefined || !libcAvailable()) return;
  try {
    redirectStderr(fd);
  } catch (error) {
    log.write(ALERT, `dup2(STDERR) failed: ${error instanceof Error ? error.message : error}`);
  }
};
