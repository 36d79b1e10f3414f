/** The folders of temporary files: made at start, while the process may still give them to `user`. */
import { chmodSync, chownSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { bytePath } from '../platform/byte-path.ts';
import { errorCode, errorText } from '../platform/errno.ts';

/** What its owner needs of a folder. */
const OWN = 0o700;

/** Runs one call. Throws an Error in nginx's words: `mkdir() "PATH" failed (13: Permission denied)`. */
const attempt = <T>(call: string, path: string, act: () => T): T => {
  try {
    return act();
  } catch (error) {
    throw new Error(`${call}() "${path}" failed (${errorText(error)})`);
  }
};

const make = (path: string): void => {
  const bytes = bytePath(path);
  try {
    mkdirSync(bytes, { mode: OWN });
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return;
    if (errorCode(error) !== 'ENOENT') throw error;
    mkdirSync(bytePath(dirname(path)), { recursive: true });
    mkdirSync(bytes, { mode: OWN });
  }
};

/** Makes each folder that is not there, with those above it; `owner` gets it. Throws an Error in nginx's words. */
export const makeTempFolders = (
  paths: Iterable<string>,
  owner: { readonly uid: number } | undefined,
): void => {
  for (const path of paths) {
    attempt('mkdir', path, () => make(path));
    if (owner === undefined) continue;
    const bytes = bytePath(path);
    const { uid, gid, mode } = attempt('stat', path, () => statSync(bytes));
    if (uid !== owner.uid) attempt('chown', path, () => chownSync(bytes, owner.uid, gid));
    if ((mode & OWN) !== OWN) attempt('chmod', path, () => chmodSync(bytes, (mode & 0o7777) | OWN));
  }
};
