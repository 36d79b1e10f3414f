/**
 * Users and groups by name: from the system's files, where most are, else from whatever databases the C library is set
 * up to ask. Loading what asks it takes longer than a small configuration.
 */
import { readFileSync } from 'node:fs';
import { libc, libcAvailable } from './libc.ts';

/** The fields of a name's line; undefined where the file has none, or there is no file. */
const lineOf = (file: string, name: string): readonly string[] | undefined => {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
  for (const line of text.split('\n')) if (line.startsWith(`${name}:`)) return line.split(':');
  return undefined;
};

/** An id as the files write it; undefined for anything else, which the C library may make sense of. */
const idOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;

/** The user id and main group id of a name, from the system's databases; undefined when unknown. */
export const userByName = (name: string): { readonly uid: number; readonly gid: number } | undefined => {
  const line = lineOf('/etc/passwd', name);
  const [listedUid, listedGid] = [idOf(line?.[2]), idOf(line?.[3])];
  if (listedUid !== undefined && listedGid !== undefined) return { uid: listedUid, gid: listedGid };
  if (!libcAvailable()) return undefined;
  const { koffi, library } = libc();
  const record = koffi.struct({ name: 'char *', password: 'char *', uid: 'uint32', gid: 'uint32' });
  const found = library.func('getpwnam', koffi.pointer(record), ['str'])(name);
  if (!found) return undefined;
  const { uid, gid }: { uid: number; gid: number } = koffi.decode(found, record);
  return { uid, gid };
};

/** The group id of a name; undefined when unknown. */
export const groupByName = (name: string): number | undefined => {
  const listed = idOf(lineOf('/etc/group', name)?.[2]);
  if (listed !== undefined) return listed;
  if (!libcAvailable()) return undefined;
  const { koffi, library } = libc();
  const record = koffi.struct({ name: 'char *', password: 'char *', gid: 'uint32' });
  const found = library.func('getgrnam', koffi.pointer(record), ['str'])(name);
  if (!found) return undefined;
  const { gid }: { gid: number } = koffi.decode(found, record);
  return gid;
};
