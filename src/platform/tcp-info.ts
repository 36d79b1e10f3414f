/** What the kernel measures on a TCP connection: `getsockopt(TCP_INFO)`. */
import { libc, libcAvailable } from './libc.ts';

const IPPROTO_TCP = 6;
const TCP_INFO = 11;
/** The part of `struct tcp_info` that every kernel since 2.6 fills. */
const SIZE = 104;

/** Where the 32-bit numbers stand in `struct tcp_info`; times are microseconds. */
const OFFSETS = { rtt: 68, rttvar: 72, snd_cwnd: 80, rcv_space: 96 } as const;
export type TcpMeasure = keyof typeof OFFSETS;

const bytes = Buffer.alloc(SIZE);
const size = Buffer.alloc(4);
let available: boolean | undefined;

/** One measure of the socket behind a descriptor; undefined for what is no TCP socket, or without the C library. */
export const tcpMeasure = (descriptor: number, measure: TcpMeasure): number | undefined => {
  available ??= libcAvailable();
  if (!available || descriptor < 0) return undefined;
  size.writeUInt32LE(SIZE);
  if (libc().getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, bytes, size) < 0) return undefined;
  return bytes.readUInt32LE(OFFSETS[measure]);
};
