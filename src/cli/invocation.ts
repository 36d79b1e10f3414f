/** From options to what reading a configuration needs. */
import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { builtInPaths } from '../config/loader.ts';
import { toByteString } from '../platform/byte-path.ts';
import type { Invocation } from '../process/invocation.ts';
import type { Options } from './arguments.ts';
import { PATHS, RELATIVE } from './paths.ts';

const PACKAGED_LOGS = { accessLog: PATHS.accessLog };

const against = (base: string, path: string): string => (isAbsolute(path) ? path : join(base, path));

/** A relative `-p` is kept by nginx as it is, but `daemon` and `working_directory` must not change its meaning. */
const folder = (path: string): string => {
  const full = against(process.cwd(), path === '' ? '.' : path);
  return full.endsWith('/') ? full : `${full}/`;
};

/** The files and folders that a command line means. */
export const invocationOf = (options: Options): Invocation => {
  const prefix = options.prefix === undefined ? PATHS.prefix : folder(options.prefix);
  const own = options.prefix !== undefined;
  const conf = options.conf ?? (own ? defaultConf(prefix) : PATHS.conf);
  // Without -p, nginx resolves a relative -c against its own prefix; a user means the folder they are in.
  const file = against(own || options.conf === undefined ? prefix : relativeBase(prefix, conf), conf);
  // A prefix without a folder for logs has none of its own: they go where the packages put them.
  const ownLogs = own && (existsSync(join(prefix, 'logs')) || !existsSync(dirname(PATHS.errorLog)));
  const errorLog = options.errorLog ?? (ownLogs ? RELATIVE.errorLog : PATHS.errorLog);
  const bytes = toByteString(file);
  return {
    file: bytes,
    prefix: toByteString(prefix),
    confPrefix: bytes.slice(0, bytes.lastIndexOf('/') + 1),
    globals: options.globals === undefined ? undefined : toByteString(options.globals),
    errorLog: errorLog === 'stderr' || errorLog === '' ? 'stderr' : toByteString(against(prefix, errorLog)),
    pidFile: toByteString(own ? join(prefix, RELATIVE.pid) : PATHS.pid),
    builtIn: own ? { ...builtInPaths(toByteString(prefix)), ...(ownLogs ? {} : PACKAGED_LOGS) } : PATHS,
  };
};

const defaultConf = (prefix: string): string =>
  ['conf/nginx.conf', 'nginx.conf'].find((name) => existsSync(join(prefix, name))) ?? 'conf/nginx.conf';

const relativeBase = (prefix: string, conf: string): string =>
  existsSync(join(prefix, conf)) ? prefix : `${process.cwd()}/`;
