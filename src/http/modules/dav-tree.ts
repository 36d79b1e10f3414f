/** Folders with all that is in them, for DELETE, COPY and MOVE: walked, removed, copied. */
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  type Stats,
  statSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';
import { ALERT, CRIT } from '../../log/levels.ts';
import { nativePath } from '../../platform/byte-path.ts';
import { errorText } from '../../platform/errno.ts';
import { copyFile, folderMode } from '../move-file.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { OK } from '../verdict.ts';
import { davError } from './dav-error.ts';

/** What is done with what stands in a folder. */
interface Visitor {
  file(path: string, stat: Stats): void;
  enter(path: string, stat: Stats): void;
  leave(path: string, stat: Stats): void;
  /** Links, sockets, devices. */
  special(path: string): void;
}

/**
 * Visits everything below `folder`, which has no slash at its end; `look` follows links or does not. False, logged,
 * when it can't be read.
 */
const walk = (request: Request, folder: string, look: typeof statSync, visitor: Visitor): boolean => {
  let names: Buffer[];
  try {
    names = readdirSync(nativePath(folder), { encoding: 'buffer' });
  } catch (error) {
    logRequest(request, CRIT, `opendir() "${folder}" failed (${errorText(error)})`);
    return false;
  }
  for (const name of names) {
    const path = `${folder}/${name.toString('latin1')}`;
    let stat: Stats;
    try {
      stat = look(nativePath(path));
    } catch (error) {
      logRequest(request, CRIT, `stat() "${path}" failed (${errorText(error)})`);
      continue;
    }
    if (stat.isFile()) visitor.file(path, stat);
    else if (stat.isDirectory()) {
      visitor.enter(path, stat);
      walk(request, path, look, visitor);
      visitor.leave(path, stat);
    } else visitor.special(path);
  }
  return true;
};

const removeFile = (request: Request, path: string, absent: number): number => {
  try {
    unlinkSync(nativePath(path));
    return OK;
  } catch (error) {
    return davError(request, error, absent, 'unlink', path);
  }
};

const removeFolder = (request: Request, path: string, absent: number): number => {
  try {
    rmdirSync(nativePath(path));
    return OK;
  } catch (error) {
    return davError(request, error, absent, 'rmdir', path);
  }
};

/** Removes a file, or a folder and all that is in it: links, but not what they lead to. Answers OK or a status, logged. */
export const removePath = (request: Request, path: string, folder: boolean): number => {
  if (!folder) return removeFile(request, path, 404);
  const remove = (one: string): void => {
    removeFile(request, one, 0);
  };
  const walked = walk(request, path.replace(/\/$/, ''), lstatSync, {
    file: remove,
    enter: () => undefined,
    leave: (one) => {
      removeFolder(request, one, 0);
    },
    special: remove,
  });
  return walked ? removeFolder(request, path, 404) : 500;
};

const PERMISSIONS = 0o777;
const modeOf = (stat: Stats): number => stat.mode & PERMISSIONS;
const timeOf = (stat: Stats): number => Math.floor(stat.mtimeMs / 1000);

/** Copies what is in the folder `from` into the folder `to`; neither has a slash at its end. Links are followed. */
export const copyTree = (request: Request, from: string, to: string): boolean => {
  const target = (path: string): string => to + path.slice(from.length);
  return walk(request, from, statSync, {
    file(path, stat) {
      copyFile(request, path, target(path), { mode: modeOf(stat), time: timeOf(stat) });
    },
    enter(path, stat) {
      try {
        mkdirSync(nativePath(target(path)), { mode: folderMode(modeOf(stat)) });
      } catch (error) {
        davError(request, error, 0, 'mkdir', target(path));
      }
    },
    leave(path, stat) {
      try {
        utimesSync(nativePath(target(path)), Math.floor(Date.now() / 1000), timeOf(stat));
      } catch (error) {
        logRequest(request, ALERT, `utimes() "${target(path)}" failed (${errorText(error)})`);
      }
    },
    special: () => undefined,
  });
};
