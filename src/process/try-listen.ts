/** `-t`: whether a start could bind its addresses. Nothing stays of it, and no client can connect meanwhile. */
import { accessSync, closeSync, constants, existsSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { dirname } from 'node:path';
import type { ErrorLog } from '../log/error-log.ts';
import { EMERG } from '../log/levels.ts';
import { bytePath } from '../platform/byte-path.ts';
import { errnoText, errorText } from '../platform/errno.ts';
import {
  bindSocket,
  datagramSocket,
  LibcMissing,
  SystemError,
  setOption,
  streamSocket,
} from '../platform/libc.ts';
import type { ListenSpec } from './contract.ts';
import { isRoot } from './user.ts';

const EADDRINUSE = 98;
/** The lowest port that anybody may bind, where the system is not told otherwise. */
const FREE_PORT = 1024;

/** Whether binding can be foreseen to succeed, or to find the address in use: then the C library is not needed. */
const isCertain = ({ family, address, port }: ListenSpec, local: ReadonlySet<string>): boolean => {
  if (port < FREE_PORT && !isRoot()) return false;
  if (family === 'ipv4') return address === '0.0.0.0' || local.has(address);
  return [...local].some(isIPv6) && (address === '::' || local.has(address));
};

/** A unix socket leaves a file: the folder is asked instead. */
const tryPath = ({ address, key }: ListenSpec, log: ErrorLog): boolean => {
  if (existsSync(bytePath(address))) return true;
  try {
    accessSync(bytePath(dirname(address)), constants.W_OK | constants.X_OK);
    return true;
  } catch (error) {
    log.write(EMERG, `bind() to ${key} failed (${errorText(error)})`);
    return false;
  }
};

const tryAddress = (spec: ListenSpec, log: ErrorLog): boolean => {
  let fd: number | undefined;
  try {
    fd = spec.datagram ? datagramSocket(spec.family) : streamSocket(spec.family);
    if (!spec.datagram) setOption(fd, 'SO_REUSEADDR', 1);
    bindSocket(fd, spec);
    return true;
  } catch (error) {
    if (error instanceof LibcMissing) return true;
    if (!(error instanceof SystemError)) throw error;
    // As nginx, whose test is made while it runs.
    if (error.errno === EADDRINUSE) return true;
    const at = error.call === 'bind()' ? `to ${spec.key}` : spec.key;
    log.write(EMERG, `${error.call} ${at} failed (${errnoText(error.errno)})`);
    return false;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
};

/** Whether all of `specs` could be bound; what could not is logged in nginx's words. An address in use is none of it. */
export const tryListen = (specs: readonly ListenSpec[], log: ErrorLog): boolean => {
  const local = new Set(
    Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? []),
  );
  const failed = specs.filter((spec) => {
    if (spec.family === 'unix') return !tryPath(spec, log);
    return !isCertain(spec, local) && !tryAddress(spec, log);
  });
  return failed.length === 0;
};
