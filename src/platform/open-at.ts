/** Files opened one step of their path at a time, so that no symbolic link is followed unseen (openat(2)). */
import { closeSync, constants, fstatSync } from 'node:fs';
import type { KoffiFunc } from 'koffi';
import { bytePath } from './byte-path.ts';
import { libc, SystemError } from './libc.ts';

const { O_APPEND, O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
const ELOOP = 40;

type OpenAt = (folder: number, name: Buffer, flags: number, mode: number) => number;
let openAt: KoffiFunc<OpenAt> | undefined;

const call = (folder: number, name: string, flags: number, mode = 0): number => {
  openAt ??= libc().library.func(
    'int openat(int folder, const void *name, int flags, uint32 mode)',
  ) as KoffiFunc<OpenAt>;
  const fd = openAt(folder, bytePath(`${name}\0`), flags | O_CLOEXEC, mode);
  if (fd < 0) throw new SystemError('openat()', libc().koffi.errno());
  return fd;
};

/** What happens to symbolic links: none is followed, or those are whose owner also owns what they lead to. */
export type Links = 'none' | 'same-owner';

/**
 * Opens a name in a folder, and follows it when it is a link only to what belongs to the link's owner. The name is
 * looked at after it was opened: what it was at that time can't be known, so owners are compared in any case.
 */
const openOwned = (folder: number, name: string, flags: number): number => {
  const fd = call(folder, name, flags);
  try {
    const itself = call(folder, name, O_PATH | O_NOFOLLOW);
    const owner = fstatSync(itself).uid;
    closeSync(itself);
    if (fstatSync(fd).uid !== owner) throw new SystemError('openat()', ELOOP);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
};

const step = (folder: number, name: string, flags: number, links: Links): number =>
  links === 'none' ? call(folder, name, flags | O_NOFOLLOW) : openOwned(folder, name, flags);

const AT_FDCWD = -100;
const SEARCH = O_PATH | O_DIRECTORY | O_NONBLOCK;

/** Opens the folder that holds the last name of the path, and calls `act` with it and that name; '' for a folder. */
const inFolder = (
  path: string,
  links: Links,
  trusted: number,
  act: (folder: number, name: string) => number,
): number => {
  let at = trusted > 0 ? trusted + 1 : 1;
  let folder = call(AT_FDCWD, trusted > 0 ? path.slice(0, trusted) : '/', SEARCH);
  try {
    for (let slash = path.indexOf('/', at); slash >= 0; slash = path.indexOf('/', at)) {
      if (slash > at) {
        const inner = step(folder, path.slice(at, slash), SEARCH, links);
        closeSync(folder);
        folder = inner;
      }
      at = slash + 1;
    }
    return act(folder, path.slice(at));
  } finally {
    closeSync(folder);
  }
};

/**
 * Opens a file or folder for reading. The first `trusted` characters of the path may hold any links. Throws
 * SystemError: ELOOP or ENOTDIR at a link that is not followed.
 */
export const openGuarded = (path: string, links: Links, trusted: number): number =>
  inFolder(path, links, trusted, (folder, name) =>
    name === '' ? call(folder, '.', O_RDONLY | O_NONBLOCK) : step(folder, name, O_RDONLY | O_NONBLOCK, links),
  );

/** Opens a file for appending, and makes it when it is not there; it must not be a link. Throws SystemError. */
export const appendGuarded = (path: string, links: Links, trusted: number, mode: number): number =>
  inFolder(path, links, trusted, (folder, name) =>
    call(folder, name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode),
  );
