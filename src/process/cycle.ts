/** One configuration as processes need it: read, checked, and turned into services that do nothing yet. */
import { ConfError, type Scope } from '../config/contract.ts';
import { hints } from '../config/diagnostics.ts';
import { load } from '../config/loader.ts';
import { disk, diskSince, type Source, type SourceRecord } from '../config/source.ts';
import type { ErrorLog } from '../log/error-log.ts';
import { EMERG, WARN } from '../log/levels.ts';
import { type Zone, zonesOf } from '../zone/zones.ts';
import type { ListenSpec, Program, Service } from './contract.ts';
import type { Invocation } from './invocation.ts';
import { checkConnections, type Settings, settingsOf } from './settings.ts';

/** The configuration is wrong; every mistake found has been logged. */
export class CycleFailure extends Error {
  override readonly name = 'CycleFailure';
}

export interface Cycle {
  readonly main: Scope;
  readonly settings: Settings;
  readonly services: readonly Service[];
  readonly listens: readonly ListenSpec[];
  /** Shared memory that the services will want. */
  readonly zones: readonly Zone[];
  /** All that was read, for the workers. */
  readonly record: SourceRecord;
}

/** What a read may do besides reading. */
export interface ReadOptions {
  /** `-t`: nothing may be created, bound or opened for writing. */
  readonly testing?: boolean;
  /** Where the text comes from; the disk when left out. */
  readonly source?: Source;
  /** Shows, below each error, the line at fault and what may be meant: people at a terminal want it. */
  readonly hint?: ((lines: readonly string[]) => void) | undefined;
  /** Called when all statements are read and right; what the whole lacks is found after that. */
  readonly syntaxOk?: () => void;
}

/** How the configuration after `before` is read: files that have not changed are taken over (`ssl_object_cache_inheritable`). */
export const sinceCycle = ({ settings, record }: Cycle): ReadOptions => ({
  source: settings.inheritObjects ? diskSince(record) : disk,
});

/** Reads a configuration. Throws CycleFailure after logging every mistake, in nginx's words. */
export const readCycle = (
  program: Program,
  invocation: Invocation,
  log: ErrorLog,
  { testing = false, source = disk, hint, syntaxOk }: ReadOptions = {},
): Cycle => {
  const loaded = load({
    file: invocation.file,
    prefix: invocation.prefix,
    confPrefix: invocation.confPrefix,
    builtIn: invocation.builtIn,
    ...(invocation.globals === undefined ? {} : { globals: invocation.globals }),
    modules: program.modules,
    testing,
    source,
    warn: (message) => log.write(WARN, message),
  });
  const report = (error: ConfError): void => {
    log.write(EMERG, error.message);
    hint?.(hints(error, loaded.record.files));
  };
  loaded.errors.forEach(report);
  if (loaded.errors.length > 0) throw new CycleFailure('the configuration has mistakes');
  const { main } = loaded;
  try {
    const services = program.services(main);
    syntaxOk?.();
    const settings = settingsOf(main, invocation.pidFile);
    const listens = services.flatMap((service) => service.listens);
    checkConnections(settings, listens.length);
    const zones = zonesOf(main).complete((reason) => {
      throw new ConfError(reason, undefined);
    });
    return { main, settings, services, listens, zones, record: loaded.record };
  } catch (error) {
    if (!(error instanceof ConfError)) throw error;
    report(error);
    throw new CycleFailure(error.message);
  }
};
