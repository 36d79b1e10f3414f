/** The `error_log` directive, at every level that has it, and where logs go when it is not there. */
import { isAbsolute, join } from 'node:path';
import { type Args, defineModule, directive, type Parser } from '../config/contract.ts';
import { parseSize } from '../config/numbers.ts';
import { DEBUG, ERROR, LEVELS } from './levels.ts';
import { parseSyslog } from './syslog-spec.ts';
import type { LogTarget } from './target.ts';

/** One `error_log` statement. */
export interface ErrorLogSpec {
  readonly target: LogTarget;
  /** 1 to 8. */
  readonly level: number;
  /** Lines are pino's JSON: our extension, the last parameter `json`. */
  readonly json: boolean;
}

/** The statements of one level of the configuration. */
export interface ErrorLogConf {
  readonly specs: readonly ErrorLogSpec[];
  /** They stand in the main block, whose logs always include a file. */
  readonly main: boolean;
}

/** nginx's path when neither `error_log` nor `-e` names another, below the prefix. */
export const DEFAULT_ERROR_LOG = 'logs/error.log';

/** nginx has a switch for each of its parts; here each of them turns everything on. */
const DEBUG_PARTS = ['core', 'alloc', 'mutex', 'event', 'http', 'mail', 'stream'].map(
  (part) => `debug_${part}`,
);
/** The least ring of memory that has room for one line and its heading. */
const LEAST_MEMORY = 4096;

/** The full path of a log, as nginx resolves it: against the prefix, which ends in a slash. */
export const logPath = (path: string, prefix: string): string =>
  isAbsolute(path) ? path : join(prefix, path);

/** The log file before any configuration is read, and where none is configured: `-e`, or nginx's default. */
export const defaultErrorLog = (option: string | undefined, prefix: string): LogTarget =>
  option === 'stderr' || option === ''
    ? { kind: 'stderr' }
    : { kind: 'file', path: logPath(option ?? DEFAULT_ERROR_LOG, prefix) };

const memoryTarget = (size: string, args: Args): LogTarget => {
  const bytes = parseSize(size) ?? 0;
  if (bytes < LEAST_MEMORY) args.fail(`invalid buffer size "${size}"`);
  return { kind: 'memory', bytes };
};

const targetOf = (text: string, args: Args): LogTarget => {
  if (text === 'stderr' || text === '') return { kind: 'stderr' };
  if (text.startsWith('memory:')) return memoryTarget(text.slice(7), args);
  if (text.startsWith('syslog:')) {
    return { kind: 'syslog', ...parseSyslog(text, (reason) => args.fail(reason), args.scope.load.addresses) };
  }
  return { kind: 'file', path: logPath(text, args.scope.load.prefix) };
};

const levelOf = (names: readonly string[], args: Args): number => {
  if (names.length === 0) return ERROR;
  let plain = 0;
  let parts = false;
  for (const name of names) {
    const level = LEVELS.findIndex((known, index) => index > 0 && known === name);
    if (level > 0) {
      if (plain > 0 || parts) args.fail(`duplicate log level "${name}"`);
      plain = level;
    } else {
      if (!DEBUG_PARTS.includes(name) || plain > 0) args.fail(`invalid log level "${name}"`);
      parts = true;
    }
  }
  return parts ? DEBUG : plain;
};

const errorLogParser: Parser<ErrorLogConf> = {
  arity: { min: 1, max: Number.POSITIVE_INFINITY },
  repeats: true,
  parse(args, own) {
    const [where = '', ...rest] = args.texts;
    const json = rest.at(-1) === 'json';
    const target = targetOf(where, args);
    const level = levelOf(json ? rest.slice(0, -1) : rest, args);
    return { specs: [...(own?.specs ?? []), { target, level, json }], main: args.scope.context === 'main' };
  },
};

/** Merged as in nginx: a level with statements of its own takes none from outside. */
export const errorLogModule = defineModule({
  name: 'errlog',
  directives: {
    error_log: directive(errorLogParser, {
      in: ['main', 'http', 'server', 'location', 'stream', 'stream-server'],
      initial: { specs: [], main: true },
    }),
  },
});

/**
 * What a level writes to. The main block's logs get `fallback` at level `error` where none of them is a file;
 * those of other levels are exactly what is written there.
 */
export const errorLogSpecs = (conf: ErrorLogConf, fallback: LogTarget): readonly ErrorLogSpec[] => {
  const toFile = ({ target }: ErrorLogSpec): boolean => target.kind === 'file' || target.kind === 'stderr';
  if (!conf.main || conf.specs.some(toFile)) return conf.specs;
  return [...conf.specs, { target: fallback, level: ERROR, json: false }];
};
