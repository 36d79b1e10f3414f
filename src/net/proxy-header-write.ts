/** The PROXY protocol's header as it is sent to peers, versions 1 and 2. */
import { addressBytes } from './addresses.ts';

/** The two ends of a client's connection; without an address for unix sockets. */
export interface Ends {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** The client sends datagrams. */
  readonly datagram?: boolean;
}

/** Version 1, as text. */
export const proxyHeaderV1 = (ends: Ends): string => {
  const { remoteAddress, remotePort, localAddress, localPort } = ends;
  if (addressBytes(remoteAddress) === undefined) return 'PROXY UNKNOWN\r\n';
  const family = remoteAddress.includes(':') ? 'TCP6' : 'TCP4';
  return `PROXY ${family} ${remoteAddress} ${localAddress} ${remotePort} ${localPort}\r\n`;
};

const SIGNATURE = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10];
const VERSION = 0x20;
const LOCAL = 0;
const PROXY = 1;
const STREAM = 1;
const DATAGRAM = 2;
const INET = 0x10;
const INET6 = 0x20;
const CRC32C = 3;
/** The header's fixed part, and a checksum with its type and length. */
const HEAD = 16;
const CHECKSUM = 7;

/** What an IPv4 address within IPv6 begins with. */
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255];

/** The Castagnoli polynomial, reflected. */
const POLYNOMIAL = 0x82f63b78;

const crc32c = (bytes: Uint8Array): number => {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 1 ? POLYNOMIAL : 0);
  }
  return ~crc >>> 0;
};

const isMapped = (bytes: readonly number[]): boolean =>
  bytes.length === 16 && MAPPED.every((byte, i) => bytes[i] === byte);
const asV6 = (bytes: readonly number[]): readonly number[] =>
  bytes.length === 16 ? bytes : [...MAPPED, ...bytes];
const portBytes = (port: number): readonly number[] => [port >> 8, port & 0xff];

/** Version 2, with a checksum. */
export const proxyHeaderV2 = (ends: Ends): Buffer => {
  let source = addressBytes(ends.remoteAddress);
  let target = addressBytes(ends.localAddress);
  let command = LOCAL;
  let family = 0;
  let addresses: readonly number[] = [];
  if (source && target) {
    if (isMapped(source) && isMapped(target)) [source, target] = [source.slice(12), target.slice(12)];
    command = PROXY;
    const v6 = source.length === 16 || target.length === 16;
    family = (v6 ? INET6 : INET) | (ends.datagram ? DATAGRAM : STREAM);
    const both = v6 ? [...asV6(source), ...asV6(target)] : [...source, ...target];
    addresses = [...both, ...portBytes(ends.remotePort), ...portBytes(ends.localPort)];
  }
  const rest = [...portBytes(addresses.length + CHECKSUM), ...addresses, CRC32C, 0, 4, 0, 0, 0, 0];
  const header = Buffer.from([...SIGNATURE, VERSION | command, family, ...rest]);
  header.writeUInt32BE(crc32c(header), HEAD + addresses.length + CHECKSUM - 4);
  return header;
};
