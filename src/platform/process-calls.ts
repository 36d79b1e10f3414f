/** System calls on this process itself: its limits, its priority, its groups, its core file. */
import type { KoffiFunc } from 'koffi';
import { check, libc, libcAvailable } from './libc.ts';

type Int = (...args: number[]) => number;

const LIMITS = { RLIMIT_CORE: 4, RLIMIT_NOFILE: 7 } as const;

/** Sets both the soft and the hard limit. Throws SystemError. */
export const setLimit = (limit: keyof typeof LIMITS, value: number): void => {
  const call: KoffiFunc<(resource: number, limits: Buffer) => number> = libc().library.func(
    'int setrlimit(int resource, const void *limits)',
  );
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64LE(BigInt(value), 0);
  bytes.writeBigUInt64LE(BigInt(value), 8);
  check(`setrlimit(${limit}, ${value})`, call(LIMITS[limit], bytes));
};

/** The soft and the hard limit; Infinity for none. Throws SystemError. */
export const getLimit = (limit: keyof typeof LIMITS): { readonly soft: number; readonly hard: number } => {
  const call: KoffiFunc<(resource: number, limits: Buffer) => number> = libc().library.func(
    'int getrlimit(int resource, void *limits)',
  );
  const bytes = Buffer.alloc(16);
  check(`getrlimit(${limit})`, call(LIMITS[limit], bytes));
  const value = (at: number): number => {
    const raw = bytes.readBigUInt64LE(at);
    return raw === 0xffffffffffffffffn ? Number.POSITIVE_INFINITY : Number(raw);
  };
  return { soft: value(0), hard: value(8) };
};

/** `worker_priority`: the nice value of this process. Throws SystemError. */
export const setPriority = (nice: number): void => {
  const call: KoffiFunc<Int> = libc().library.func('int setpriority(int which, uint32 who, int nice)');
  check(`setpriority(${nice})`, call(0, 0, nice));
};

const PR_SET_DUMPABLE = 4;

/** Allows a core file after the user was changed. Throws SystemError. */
export const allowCoreDump = (): void => {
  const call: KoffiFunc<Int> = libc().library.func('int prctl(int option, long a, long b, long c, long d)');
  check('prctl(PR_SET_DUMPABLE)', call(PR_SET_DUMPABLE, 1, 0, 0, 0));
};

const PR_SET_KEEPCAPS = 8;

/** What root may stays permitted after `setuid`. Throws SystemError. */
export const keepCapabilities = (): void => {
  const call: KoffiFunc<Int> = libc().library.func('int prctl(int option, long a, long b, long c, long d)');
  check('prctl(PR_SET_KEEPCAPS, 1)', call(PR_SET_KEEPCAPS, 1, 0, 0, 0));
};

const CAPABILITY_VERSION = 0x20080522;
const CAP_NET_RAW = 13;

/** Of what root may keeps CAP_NET_RAW alone, for this thread. Throws SystemError. */
export const onlyRawNetwork = (): void => {
  const call: KoffiFunc<(header: Buffer, data: Buffer) => number> = libc().library.func(
    'int capset(void *header, const void *data)',
  );
  const header = Buffer.alloc(8);
  header.writeUInt32LE(CAPABILITY_VERSION);
  // Effective, permitted, inheritable, and the same for capabilities from 32 on.
  const data = Buffer.alloc(24);
  data.writeUInt32LE(1 << CAP_NET_RAW, 0);
  data.writeUInt32LE(1 << CAP_NET_RAW, 4);
  check('capset()', call(header, data));
};

/** The groups of a user, `gid` among them, become this process's. Throws SystemError. */
export const initGroups = (user: string, gid: number): void => {
  if (!libcAvailable()) {
    // Node has it, its types do not.
    const own: unknown = Reflect.get(process, 'initgroups');
    if (typeof own === 'function') own.call(process, user, gid);
    return;
  }
  const call: KoffiFunc<(user: string, gid: number) => number> = libc().library.func(
    'int initgroups(str user, uint32 gid)',
  );
  check(`initgroups(${user}, ${gid})`, call(user, gid));
};
