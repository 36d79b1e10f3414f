/**
 * The C library, reached through koffi: what Node does not offer, sockets first. The one file that loads koffi; the
 * others of this folder ask it for their calls. Everything is loaded at the first use, and where koffi has no binary
 * for the machine `LibcMissing` says what needs it.
 */
import { createRequire } from 'node:module';
import type { KoffiFunc, LibraryHandle } from 'koffi';
import { bytePath } from './byte-path.ts';
import { errnoText, errorText } from './errno.ts';
import { ipv6Text } from './ipv6-text.ts';

type Koffi = typeof import('koffi');
type Int = (...args: number[]) => number;

/** koffi has no binary for this machine, or this is not Linux. */
export class LibcMissing extends Error {
  override readonly name = 'LibcMissing';
}

/** A call of the C library failed; `message` is `bind() failed (98: Address already in use)`. */
export class SystemError extends Error {
  override readonly name = 'SystemError';
  constructor(
    readonly call: string,
    readonly errno: number,
  ) {
    super(`${call} failed (${errnoText(errno)})`);
  }
}

interface Calls {
  readonly koffi: Koffi;
  readonly library: LibraryHandle;
  readonly socket: KoffiFunc<Int>;
  readonly setsockopt: KoffiFunc<
    (fd: number, level: number, name: number, value: Buffer, size: number) => number
  >;
  readonly getsockopt: KoffiFunc<
    (fd: number, level: number, name: number, value: Buffer, size: Buffer) => number
  >;
  readonly bind: KoffiFunc<(fd: number, address: Buffer, size: number) => number>;
  readonly connect: KoffiFunc<(fd: number, address: Buffer, size: number) => number>;
  readonly listen: KoffiFunc<Int>;
  readonly getsockname: KoffiFunc<(fd: number, address: Buffer, size: Buffer) => number>;
  readonly fcntl: KoffiFunc<Int>;
  readonly dup2: KoffiFunc<Int>;
}

const require = createRequire(import.meta.url);
let calls: Calls | undefined;

const load = (): Calls => {
  if (process.platform !== 'linux') throw new LibcMissing(`system calls are known for linux only`);
  let koffi: Koffi;
  try {
    koffi = require('koffi');
  } catch (error) {
    const [reason] = errorText(error).split('\n');
    throw new LibcMissing(`the package koffi could not be loaded (${reason})`);
  }
  const library = koffi.load(null);
  return {
    koffi,
    library,
    socket: library.func('int socket(int domain, int type, int protocol)'),
    setsockopt: library.func('int setsockopt(int fd, int level, int name, const void *value, uint32 size)'),
    getsockopt: library.func('int getsockopt(int fd, int level, int name, void *value, void *size)'),
    bind: library.func('int bind(int fd, const void *address, uint32 size)'),
    connect: library.func('int connect(int fd, const void *address, uint32 size)'),
    listen: library.func('int listen(int fd, int backlog)'),
    getsockname: library.func('int getsockname(int fd, void *address, void *size)'),
    fcntl: library.func('int fcntl(int fd, int command, int value)'),
    dup2: library.func('int dup2(int from, int to)'),
  };
};

/** The library's calls, and koffi for those that only one file wants. Throws LibcMissing. */
export const libc = (): Calls => {
  calls ??= load();
  return calls;
};

/** Whether the C library can be reached at all; without it zones are per worker. */
export const libcAvailable = (): boolean => {
  try {
    libc();
    return true;
  } catch {
    return false;
  }
};

/** `errno` as the last call left it. */
export const lastErrno = (): number => libc().koffi.errno();

/** Throws the SystemError of a call that has just failed. */
export const fail = (call: string): never => {
  throw new SystemError(call, libc().koffi.errno());
};
/** The result of a call, unless it says by being negative that it failed: throws SystemError. */
export const check = (call: string, result: number): number => (result < 0 ? fail(call) : result);

const FAMILY = { unix: 1, ipv4: 2, ipv6: 10 } as const;
export type Family = keyof typeof FAMILY;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;

/** Socket options by name, as [level, number]. */
const OPTIONS = {
  SO_REUSEADDR: [1, 2],
  SO_TYPE: [1, 3],
  SO_SNDBUF: [1, 7],
  SO_RCVBUF: [1, 8],
  SO_KEEPALIVE: [1, 9],
  SO_REUSEPORT: [1, 15],
  SO_ACCEPTCONN: [1, 30],
  IP_PKTINFO: [0, 8],
  IP_TRANSPARENT: [0, 19],
  IP_BIND_ADDRESS_NO_PORT: [0, 24],
  TCP_NODELAY: [6, 1],
  TCP_KEEPIDLE: [6, 4],
  TCP_KEEPINTVL: [6, 5],
  TCP_KEEPCNT: [6, 6],
  TCP_DEFER_ACCEPT: [6, 9],
  TCP_FASTOPEN: [6, 23],
  IPV6_V6ONLY: [41, 26],
  IPV6_RECVPKTINFO: [41, 49],
  IPV6_TRANSPARENT: [41, 75],
} as const;
export type SocketOption = keyof typeof OPTIONS;

/** A stream socket that does not block and is not inherited unless it is asked for. Throws SystemError. */
export const streamSocket = (family: Family): number =>
  check('socket()', libc().socket(FAMILY[family], SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));

/** The same for datagrams. */
export const datagramSocket = (family: Family): number =>
  check('socket()', libc().socket(FAMILY[family], SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));

/** Sets an integer option. Throws SystemError named `setsockopt(NAME)`. */
export const setOption = (fd: number, option: SocketOption, value: number): void => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  const [level, name] = OPTIONS[option];
  check(`setsockopt(${option})`, libc().setsockopt(fd, level, name, bytes, 4));
};

/** Reads an integer option. Throws SystemError named `getsockopt(NAME)`. */
export const getOption = (fd: number, option: SocketOption): number => {
  const value = Buffer.alloc(4);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(4);
  const [level, name] = OPTIONS[option];
  check(`getsockopt(${option})`, libc().getsockopt(fd, level, name, value, size));
  return value.readInt32LE();
};

/** A socket's own name; `address` is numeric without brackets, or a path. */
export interface SocketName {
  readonly family: Family;
  readonly address: string;
  readonly port: number;
}

const ipv6Groups = (address: string): number[] => {
  const v4 = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const text = v4
    ? `${v4[1]}${(Number(v4[2]) * 256 + Number(v4[3])).toString(16)}:${(Number(v4[4]) * 256 + Number(v4[5])).toString(16)}`
    : address;
  const [head = '', tail] = text.split('::');
  const left = head === '' ? [] : head.split(':').map((group) => Number.parseInt(group, 16));
  if (tail === undefined) return left;
  const right = tail === '' ? [] : tail.split(':').map((group) => Number.parseInt(group, 16));
  return [...left, ...new Array<number>(Math.max(0, 8 - left.length - right.length)).fill(0), ...right];
};

const socketAddress = (name: SocketName): Buffer => {
  if (name.family === 'unix') {
    const path = bytePath(name.address);
    if (path.length > 107) throw new SystemError('bind()', 36);
    const bytes = Buffer.alloc(2 + path.length + 1);
    bytes.writeUInt16LE(FAMILY.unix);
    path.copy(bytes, 2);
    return bytes;
  }
  const bytes = Buffer.alloc(name.family === 'ipv4' ? 16 : 28);
  bytes.writeUInt16LE(FAMILY[name.family]);
  bytes.writeUInt16BE(name.port, 2);
  if (name.family === 'ipv4')
    for (const [i, part] of name.address.split('.').entries()) bytes[4 + i] = Number(part);
  else for (const [i, group] of ipv6Groups(name.address).entries()) bytes.writeUInt16BE(group, 8 + 2 * i);
  return bytes;
};

/** Binds a socket to an address or path. Throws SystemError. */
export const bindSocket = (fd: number, name: SocketName): void => {
  const bytes = socketAddress(name);
  check('bind()', libc().bind(fd, bytes, bytes.length));
};

/** Gives a datagram socket its peer. Throws SystemError. */
export const connectSocket = (fd: number, peer: SocketName): void => {
  const bytes = socketAddress(peer);
  check('connect()', libc().connect(fd, bytes, bytes.length));
};

/** Connects a socket to a unix path; false when nobody listens there any more. */
export const connectsTo = (fd: number, path: string): boolean => {
  const bytes = socketAddress({ family: 'unix', address: path, port: 0 });
  return (
    libc().connect(fd, bytes, bytes.length) === 0 ||
    libc().koffi.errno() !== libc().koffi.os.errno.ECONNREFUSED
  );
};

/** Begins to queue connections, `backlog` at most. Throws SystemError. */
export const listenSocket = (fd: number, backlog: number): void => {
  check('listen()', libc().listen(fd, backlog));
};

/** The name of a socket that is listened on. */
export interface ListeningName extends SocketName {
  readonly datagram: boolean;
}

/** The name of a listening socket, or of one for datagrams; undefined for anything else, as when a descriptor is not one. */
export const listeningName = (fd: number): ListeningName | undefined => {
  let datagram: boolean;
  try {
    const type = getOption(fd, 'SO_TYPE');
    datagram = type === SOCK_DGRAM;
    if (!datagram && (type !== SOCK_STREAM || getOption(fd, 'SO_ACCEPTCONN') !== 1)) return undefined;
  } catch {
    return undefined;
  }
  const name = ownName(fd);
  return name && { ...name, datagram };
};

/** A socket's own name; undefined for what is none. */
export const ownName = (fd: number): SocketName | undefined => {
  const bytes = Buffer.alloc(112);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(bytes.length);
  if (libc().getsockname(fd, bytes, size) < 0) return undefined;
  const family = bytes.readUInt16LE();
  if (family === FAMILY.ipv4) {
    return { family: 'ipv4', address: bytes.subarray(4, 8).join('.'), port: bytes.readUInt16BE(2) };
  }
  if (family === FAMILY.ipv6) {
    return { family: 'ipv6', address: ipv6Text(bytes.subarray(8, 24)), port: bytes.readUInt16BE(2) };
  }
  if (family !== FAMILY.unix) return undefined;
  const end = bytes.indexOf(0, 2);
  return {
    family: 'unix',
    address: bytes.toString('latin1', 2, end < 0 ? size.readUInt32LE() : end),
    port: 0,
  };
};

/** Whether two addresses of the same family are one; `::1` and `0:0:0:0:0:0:0:1` are. */
export const sameAddress = (a: SocketName, b: SocketName): boolean =>
  a.family === b.family && socketAddress(a).equals(socketAddress(b));

const F_DUPFD_CLOEXEC = 1030;
const F_SETFD = 2;
const F_GETFD = 1;

/** Another descriptor for the same file or socket, not inherited. Throws SystemError. */
export const duplicate = (fd: number): number => check('fcntl()', libc().fcntl(fd, F_DUPFD_CLOEXEC, 3));

/** Puts `from` in the place of `to`, closing what was there; `to` is inherited. Throws SystemError. */
export const replaceDescriptor = (from: number, to: number): void => {
  check('dup2()', libc().dup2(from, to));
};

/** Keeps an open descriptor from being inherited by processes started later. Throws SystemError. */
export const closeOnExec = (fd: number): void => {
  const flags = check('fcntl()', libc().fcntl(fd, F_GETFD, 0));
  check('fcntl()', libc().fcntl(fd, F_SETFD, flags | 1));
};

const MSG_NOSIGNAL = 0x4000;

/** A datagram socket with one peer; `fd` is the caller's to close. */
export interface DatagramSocket {
  readonly fd: number;
  /** Sends one message, or throws SystemError; never waits. */
  send(bytes: Buffer): void;
}

/** Connects a datagram socket to a UDP or unix address. Throws SystemError. */
export const connectDatagram = (peer: SocketName): DatagramSocket => {
  const { library } = libc();
  const connect: KoffiFunc<(fd: number, address: Buffer, size: number) => number> = library.func(
    'int connect(int fd, const void *address, uint32 size)',
  );
  const transmit: KoffiFunc<(fd: number, bytes: Buffer, size: number, flags: number) => number> =
    library.func('int64_t send(int fd, const void *bytes, size_t size, int flags)');
  const address = socketAddress(peer);
  const fd = check(
    'socket()',
    libc().socket(FAMILY[peer.family], SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
  );
  if (connect(fd, address, address.length) < 0) {
    const error = new SystemError('connect()', libc().koffi.errno());
    library.func('int close(int fd)')(fd);
    throw error;
  }
  return {
    fd,
    send: (bytes) => {
      check('send()', transmit(fd, bytes, bytes.length, MSG_NOSIGNAL));
    },
  };
};
