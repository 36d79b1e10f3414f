/** Files moved and copied as nginx does it, over the borders of file systems too. Failures are logged, not thrown. */
import { randomInt } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fstatSync,
  futimesSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { ALERT, CRIT } from '../log/levels.ts';
import { nativePath } from '../platform/byte-path.ts';
import { errorCode, errorText } from '../platform/errno.ts';
import type { Request } from './request.ts';
import { logRequest } from './request-log.ts';

const PIECE = 65536;
const PERMISSIONS = 0o777;

/** The mode of a folder whose files have `mode`: who may read may enter. nginx's ngx_dir_access. */
export const folderMode = (mode: number): number => mode | ((mode & 0o444) >> 2);

const seconds = (): number => Math.floor(Date.now() / 1000);

/** Runs one call on a path; false, logged, when it fails. */
const attempt = (request: Request, level: number, call: string, path: string, act: () => void): boolean => {
  try {
    act();
    return true;
  } catch (error) {
    logRequest(request, level, `${call}() "${path}" failed (${errorText(error)})`);
    return false;
  }
};

/** What a copy gets that the original does not have. */
export interface CopyOptions {
  /** Permissions; 0: the original's. */
  readonly mode: number;
  /** Seconds since 1970; -1: the original's time. */
  readonly time: number;
}

const pump = (
  request: Request,
  source: number,
  target: number,
  from: string,
  to: string,
  size: number,
): boolean => {
  const bytes = Buffer.allocUnsafe(Math.min(PIECE, size));
  for (let left = size; left > 0; ) {
    const wanted = Math.min(bytes.length, left);
    let got = 0;
    if (!attempt(request, ALERT, 'read', from, () => (got = readSync(source, bytes, 0, wanted, null))))
      return false;
    if (got !== wanted) {
      logRequest(request, ALERT, `read() has read only ${got} of ${left} from ${from}`);
      return false;
    }
    let put = 0;
    if (!attempt(request, ALERT, 'write', to, () => (put = writeSync(target, bytes, 0, wanted, null))))
      return false;
    if (put !== wanted) {
      logRequest(request, ALERT, `write() has written only ${put} of ${left} to ${to}`);
      return false;
    }
    left -= wanted;
  }
  return true;
};

/** Copies the bytes, the permissions and the time of a file. False, logged, when something fails. */
export const copyFile = (request: Request, from: string, to: string, options: CopyOptions): boolean => {
  let source = -1;
  let target = -1;
  try {
    if (!attempt(request, CRIT, 'open', from, () => (source = openSync(nativePath(from), 'r')))) return false;
    const { size, mode, mtimeMs } = fstatSync(source);
    const permissions = options.mode === 0 ? mode & PERMISSIONS : options.mode;
    const time = options.time === -1 ? Math.floor(mtimeMs / 1000) : options.time;
    const created = attempt(
      request,
      CRIT,
      'open',
      to,
      () => (target = openSync(nativePath(to), 'w', permissions)),
    );
    if (!created || !pump(request, source, target, from, to, size)) return false;
    return attempt(request, ALERT, 'utimes', to, () => futimesSync(target, seconds(), time));
  } finally {
    if (target >= 0) closeSync(target);
    if (source >= 0) closeSync(source);
  }
};

export interface MoveOptions {
  /** Permissions that the file gets; 0: it keeps its own. */
  readonly mode: number;
  /** Permissions from which those of new folders follow. */
  readonly pathMode: number;
  /** Seconds since 1970 that it is said to be modified at; -1: as it is. */
  readonly time: number;
  /** Folders above the target are made. */
  readonly createPath: boolean;
  /** The source is removed when it can't be moved. */
  readonly deleteSource: boolean;
}

/** Makes every folder above `path`; the error, or undefined. Those that may not be made may be there already. */
const createFolders = (path: string, mode: number): unknown => {
  let failure: unknown;
  for (let slash = path.indexOf('/', 1); slash > 0; slash = path.indexOf('/', slash + 1)) {
    try {
      mkdirSync(nativePath(path.slice(0, slash)), { mode });
    } catch (error) {
      const code = errorCode(error);
      failure = code === 'EEXIST' ? undefined : error;
      if (failure !== undefined && code !== 'EACCES') return failure;
    }
  }
  return failure;
};

const rename = (from: string, to: string): unknown => {
  try {
    renameSync(nativePath(from), nativePath(to));
    return undefined;
  } catch (error) {
    return error;
  }
};

/** Over the border of a file system: copied beside its target under another name, so that none sees half of it. */
const moveByCopy = (request: Request, from: string, to: string, options: MoveOptions): boolean => {
  const name = `${to}.${String(randomInt(1, 9_999_999_999)).padStart(10, '0')}`;
  if (!copyFile(request, from, name, options)) return false;
  const failure = rename(name, to);
  if (failure === undefined)
    return attempt(request, CRIT, 'unlink', from, () => unlinkSync(nativePath(from)));
  logRequest(request, CRIT, `rename() "${name}" to "${to}" failed (${errorText(failure)})`);
  attempt(request, CRIT, 'unlink', name, () => unlinkSync(nativePath(name)));
  return false;
};

/** Sets what the file is to have, and renames it. What remains to be logged, or true and false. */
const tryMove = (request: Request, from: string, to: string, options: MoveOptions): unknown => {
  const { mode, time } = options;
  if (mode !== 0 && !attempt(request, CRIT, 'chmod', from, () => chmodSync(nativePath(from), mode)))
    return false;
  if (
    time !== -1 &&
    !attempt(request, CRIT, 'utimes', from, () => utimesSync(nativePath(from), seconds(), time))
  ) {
    return false;
  }
  let failure = rename(from, to);
  if (errorCode(failure) === 'ENOENT') {
    if (!options.createPath) return failure;
    const denied = createFolders(to, folderMode(options.pathMode));
    if (denied !== undefined) {
      logRequest(request, CRIT, `mkdir() "${to}" failed (${errorText(denied)})`);
      return false;
    }
    failure = rename(from, to);
  }
  if (failure === undefined) return true;
  return errorCode(failure) === 'EXDEV' ? moveByCopy(request, from, to, options) : failure;
};

/** Moves a file to its place. False, logged, when it can't be moved. nginx's ngx_ext_rename_file. */
export const moveFile = (request: Request, from: string, to: string, options: MoveOptions): boolean => {
  const result = tryMove(request, from, to, options);
  if (result === true) return true;
  if (options.deleteSource) attempt(request, CRIT, 'unlink', from, () => unlinkSync(nativePath(from)));
  if (result !== false)
    logRequest(request, CRIT, `rename() "${from}" to "${to}" failed (${errorText(result)})`);
  return false;
};
