/** Sockets that have an address of another machine (`proxy_bind ... transparent`); the right to that is CAP_NET_RAW. */
import { closeSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { bindSocket, setOption, streamSocket } from './libc.ts';

/** A stream socket bound to an address, any at all, and a port (0: the system's choice). Throws SystemError, LibcMissing. */
export const transparentSocket = (address: string, port: number): number => {
  const family = isIPv6(address) ? 'ipv6' : 'ipv4';
  const fd = streamSocket(family);
  try {
    setOption(fd, family === 'ipv6' ? 'IPV6_TRANSPARENT' : 'IP_TRANSPARENT', 1);
    // The port is chosen when the peer is known: one port serves for many peers.
    if (port === 0) setOption(fd, 'IP_BIND_ADDRESS_NO_PORT', 1);
    bindSocket(fd, { family, address, port });
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
};
