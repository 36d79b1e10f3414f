/** Users and groups by name, from whatever databases the system is set up to ask. */
import { libc } from './libc.ts';

/** The user id and main group id of a name, from the system's databases; undefined when unknown. */
export const userByName = (name: string): { readonly uid: number; readonly gid: number } | undefined => {
  const { koffi, library } = libc();
  const record = koffi.struct({ name: 'char *', password: 'char *', uid: 'uint32', gid: 'uint32' });
  const found = library.func('getpwnam', koffi.pointer(record), ['str'])(name);
  if (!found) return undefined;
  const { uid, gid }: { uid: number; gid: number } = koffi.decode(found, record);
  return { uid, gid };
};

/** The group id of a name; undefined when unknown. */
export const groupByName = (name: string): number | undefined => {
  const { koffi, library } = libc();
  const record = koffi.struct({ name: 'char *', password: 'char *', gid: 'uint32' });
  const found = library.func('getgrnam', koffi.pointer(record), ['str'])(name);
  if (!found) return undefined;
  const { gid }: { gid: number } = koffi.decode(found, record);
  return gid;
};
