/** The program's beginning: what the command line asks for. Only what an option needs is loaded. */
import type { Program } from '../process/contract.ts';
import type { WorkerEntry } from '../process/invocation.ts';
import { versionText } from '../process/version.ts';
import { type ControlSignal, type Options, parseArguments, UsageError } from './arguments.ts';
import { helpText } from './help.ts';
import { complain, print, showMessage, terminalHint } from './terminal.ts';

/** What the command line runs. */
export interface CliProgram {
  /** Loads the program; not called for `-v` and `-h`. */
  load(): Promise<Program>;
  readonly worker: WorkerEntry;
}

const showVersion = async (options: Options, { load }: CliProgram): Promise<void> => {
  print(2, `nginx version: ${versionText()}\n`);
  if (options.help) print(2, helpText());
  if (!options.configure) return;
  const { configureArguments } = await import('./configure-arguments.ts');
  const { modules } = await load();
  print(2, `built with OpenSSL ${process.versions.openssl}\nTLS SNI support enabled\n`);
  print(2, `configure arguments: ${configureArguments(modules).join(' ')}\n`);
};

const signalProcess = async (signal: ControlSignal, options: Options, program: Program): Promise<number> => {
  const [{ control }, { invocationOf }, { builtInLog }, { CycleFailure, readCycle }] = await Promise.all([
    import('./control.ts'),
    import('./invocation.ts'),
    import('../process/run.ts'),
    import('../process/cycle.ts'),
  ]);
  const invocation = invocationOf(options);
  const early = builtInLog(invocation, showMessage);
  try {
    const cycle = readCycle(program, invocation, early, { hint: terminalHint() });
    return await control(signal, cycle.settings.pidFile, early);
  } catch (error) {
    if (!(error instanceof CycleFailure)) throw error;
    return 1;
  } finally {
    early.close();
  }
};

const perform = async (options: Options, cli: CliProgram): Promise<number> => {
  if (options.version) {
    await showVersion(options, cli);
    if (!options.test) return 0;
  }
  const program = await cli.load();
  if (options.test) {
    const [{ invocationOf }, { testConfiguration }] = await Promise.all([
      import('./invocation.ts'),
      import('./test-config.ts'),
    ]);
    const { quiet, dump } = options;
    return testConfiguration(program, invocationOf(options), {
      quiet,
      dump,
      console: showMessage,
      hint: terminalHint(),
    });
  }
  if (options.signal) return signalProcess(options.signal, options, program);
  const [{ invocationOf }, { run }] = await Promise.all([
    import('./invocation.ts'),
    import('../process/run.ts'),
  ]);
  return run({
    program,
    invocation: invocationOf(options),
    worker: cli.worker,
    console: showMessage,
    hint: terminalHint(),
    version: versionText(),
  });
};

/** Runs the program with the words of a command line; the exit code. */
export const main = async (words: readonly string[], cli: CliProgram): Promise<number> => {
  try {
    return await perform(parseArguments(words), cli);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    complain(error.message);
    return 1;
  }
};
