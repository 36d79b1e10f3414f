/** `-t` and `-T`: reads the configuration, says what is wrong with it, and changes nothing. */
import type { Console } from '../log/error-log-file.ts';
import type { Program } from '../process/contract.ts';
import { type Cycle, CycleFailure, readCycle } from '../process/cycle.ts';
import type { Invocation } from '../process/invocation.ts';
import { ProcessLog } from '../process/process-log.ts';
import { complain, print } from './terminal.ts';

export interface TestOptions {
  readonly quiet: boolean;
  readonly dump: boolean;
  readonly console: Console;
}

/** Tests a configuration; the exit code. */
export const testConfiguration = (program: Program, invocation: Invocation, options: TestOptions): number => {
  const log = ProcessLog.console(options.console);
  let cycle: Cycle;
  try {
    cycle = readCycle(program, invocation, log, { testing: true });
  } catch (error) {
    if (!(error instanceof CycleFailure)) throw error;
    complain(`configuration file ${invocation.file} test failed`);
    return 1;
  }
  if (!options.quiet) {
    complain(`the configuration file ${invocation.file} syntax is ok`);
    complain(`configuration file ${invocation.file} test is successful`);
    for (const line of program.advise?.(cycle.main) ?? []) complain(line);
  }
  if (options.dump) print(1, dumpOf(cycle));
  return 0;
};

/** Each file once, in nginx's form. */
const dumpOf = (cycle: Cycle): string =>
  cycle.record.files.map(({ path, text }) => `# configuration file ${path}:\n${text}\n`).join('');
