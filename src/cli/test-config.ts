/** `-t` and `-T`: reads the configuration, says what is wrong with it, and changes nothing. */
import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { dump } from '../config/dump.ts';
import type { ErrorLog } from '../log/error-log.ts';
import type { Console } from '../log/error-log-file.ts';
import { EMERG, INFO, WARN } from '../log/levels.ts';
import { bytePath } from '../platform/byte-path.ts';
import { errnoText, errorText } from '../platform/errno.ts';
import type { Program } from '../process/contract.ts';
import { CycleFailure, readCycle } from '../process/cycle.ts';
import type { Invocation } from '../process/invocation.ts';
import { warnOfLimits } from '../process/limits.ts';
import { mainLogFiles, mainLogLevel, ProcessLog } from '../process/process-log.ts';
import { tryListen } from '../process/try-listen.ts';
import { complain, print } from './terminal.ts';

export interface TestOptions {
  readonly quiet: boolean;
  readonly dump: boolean;
  readonly console: Console;
  readonly hint: ((lines: readonly string[]) => void) | undefined;
}

const ENXIO = 6;
const ENOTDIR = 20;
const EISDIR = 21;

/** Why a start could not open a file for writing; asked without touching it. */
const obstacle = (path: string): string | undefined => {
  const there = statSync(bytePath(path), { throwIfNoEntry: false });
  const folder = there ? undefined : statSync(bytePath(dirname(path)), { throwIfNoEntry: false });
  // Standard output may be a socket, which /dev/stdout cannot open.
  if (there?.isSocket()) return errnoText(ENXIO);
  if (there?.isDirectory()) return errnoText(EISDIR);
  if (folder && !folder.isDirectory()) return errnoText(ENOTDIR);
  accessSync(bytePath(there ? path : dirname(path)), constants.W_OK);
  return undefined;
};

const isWritable = (path: string, log: ErrorLog): boolean => {
  let reason: string | undefined;
  try {
    reason = obstacle(path);
  } catch (error) {
    reason = errorText(error);
  }
  if (reason !== undefined) log.write(EMERG, `open() "${path}" failed (${reason})`);
  return reason === undefined;
};

/** Tests a configuration; the exit code. */
export const testConfiguration = (program: Program, invocation: Invocation, options: TestOptions): number => {
  const { quiet, console, hint } = options;
  // Without -e stderr nginx writes to its log too: here nothing is opened for writing.
  const log =
    invocation.errorLog === 'stderr'
      ? ProcessLog.builtIn(invocation, console, INFO)
      : ProcessLog.console(console);
  const say = (message: string): void => {
    if (!quiet) complain(message);
  };
  try {
    const syntaxOk = (): void => say(`the configuration file ${invocation.file} syntax is ok`);
    const cycle = readCycle(program, invocation, log, { testing: true, hint, syntaxOk });
    const { settings, services, main } = cycle;
    const files = [
      settings.pidFile,
      ...mainLogFiles(main, invocation),
      ...services.flatMap((one) => one.logFiles ?? []),
    ];
    for (const file of files) if (!isWritable(file, log)) throw new CycleFailure(file);
    if (!tryListen(cycle.listens, log)) throw new CycleFailure('an address cannot be bound');
    // As nginx, which says what comes behind the reading to the logs of the configuration.
    if (mainLogLevel(main, invocation) >= WARN) warnOfLimits(settings, log);
    say(`configuration file ${invocation.file} test is successful`);
    if (!quiet) for (const line of program.advise?.(main) ?? []) complain(line);
    if (options.dump) print(1, dump(cycle.record.files));
    return 0;
  } catch (error) {
    if (!(error instanceof CycleFailure)) throw error;
    complain(`configuration file ${invocation.file} test failed`);
    return 1;
  }
};
