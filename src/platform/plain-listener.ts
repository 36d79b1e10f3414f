/**
 * Bound sockets by Node alone, where the C library cannot be reached: without the options of `listen`, and one for all
 * workers. Node's own cluster makes its sockets this way.
 */
import net from 'node:net';
import { getSystemErrorMap } from 'node:util';
import { bytePath } from './byte-path.ts';
import { type Family, SystemError } from './libc.ts';

/** What is used of a handle. */
interface BoundHandle {
  readonly fd: number;
  /** Tells what binding came to: libuv keeps a failure until somebody asks. */
  getsockname?(into: object): number;
  close(): void;
}

const IPV6_ONLY = 1;
const TYPE = { unix: -1, ipv4: 4, ipv6: 6 } as const;

/** Kept for as long as the socket is wanted: a handle that is let go closes it. */
const handles = new Map<number, BoundHandle>();

const isHandle = (value: unknown): value is BoundHandle =>
  typeof value === 'object' && value !== null && 'fd' in value && typeof value.fd === 'number';

const failed = (code: number): SystemError => new SystemError('bind()', -code);

/** A socket bound to the address; it listens once somebody serves on it. Throws SystemError. */
export const boundSocket = (at: {
  readonly family: Family;
  readonly address: string;
  readonly port: number;
  readonly ipv6only: boolean;
}): number => {
  const make: unknown = Reflect.get(net, '_createServerHandle');
  if (typeof make !== 'function') throw failed(-38);
  const { family } = at;
  const made: unknown =
    family === 'unix'
      ? make(bytePath(at.address).toString(), -1, -1)
      : make(at.address, at.port, TYPE[family], undefined, family === 'ipv6' && at.ipv6only ? IPV6_ONLY : 0);
  if (!isHandle(made)) throw failed(typeof made === 'number' && getSystemErrorMap().has(made) ? made : -22);
  const later = made.getsockname?.({}) ?? 0;
  if (later < 0) {
    made.close();
    throw failed(later);
  }
  handles.set(made.fd, made);
  return made.fd;
};

/** Closes such a socket. False: it is none. */
export const closeBound = (fd: number): boolean => {
  const handle = handles.get(fd);
  handle?.close();
  return handles.delete(fd);
};
