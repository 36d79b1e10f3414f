/** Addresses and ranges of addresses (CIDR) as rules name them. */
import { isIPv6 } from 'node:net';

/** nginx takes leading zeros for decimal ones, and no digits for a zero. */
const ipv4Bytes = (text: string): readonly number[] | undefined => {
  if (!/^\d*\.\d*\.\d*\.\d*$/.test(text)) return undefined;
  const bytes = text.split('.').map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : undefined;
};

/** The 4 or 16 bytes of a numeric address; undefined when it is none. */
export const addressBytes = (text: string): readonly number[] | undefined => {
  const short = ipv4Bytes(text);
  if (short) return short;
  if (!isIPv6(text) || text.includes('%')) return undefined;
  let plain = text;
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted) {
    const [a = 0, b = 0, c = 0, d = 0] = (dotted[2] ?? '').split('.').map(Number);
    plain = `${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const [head = '', tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...new Array<string>(zeros).fill('0'), ...right];
  return groups.flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
};

/** A range of addresses; `bits` of `bytes` count. */
export interface Cidr {
  readonly bytes: readonly number[];
  readonly bits: number;
  /** The address had bits set that the length leaves out: nginx warns of it. */
  readonly strayBits: boolean;
}

const maskOf = (bits: number, index: number): number => {
  const here = Math.min(8, Math.max(0, bits - index * 8));
  return (0xff << (8 - here)) & 0xff;
};

/** `10.0.0.0/8`, `2001:db8::/32`, `192.168.1.1`, `10.0.0.0/255.0.0.0`; undefined when it is none. */
export const parseCidr = (text: string): Cidr | undefined => {
  const slash = text.indexOf('/');
  const address = addressBytes(slash < 0 ? text : text.slice(0, slash));
  if (!address) return undefined;
  const most = address.length * 8;
  let bits = most;
  if (slash >= 0) {
    const length = text.slice(slash + 1);
    if (!/^\d+$/.test(length)) return undefined;
    bits = Number(length);
    if (bits > most) return undefined;
  }
  const bytes = address.map((byte, index) => byte & maskOf(bits, index));
  return { bytes, bits, strayBits: bytes.some((byte, index) => byte !== address[index]) };
};

/** Whether an address lies in a range of its own family. */
export const inCidr = (address: readonly number[], { bytes, bits }: Cidr): boolean => {
  if (address.length !== bytes.length) return false;
  for (let i = 0; i * 8 < bits; i++) {
    if (((address[i] ?? 0) & maskOf(bits, i)) !== bytes[i]) return false;
  }
  return true;
};

/** An IPv4 address inside an IPv6 one (`::ffff:1.2.3.4`) as itself; others as they are. */
export const unmapped = (address: readonly number[]): readonly number[] => {
  if (address.length !== 16 || address[10] !== 0xff || address[11] !== 0xff) return address;
  for (let i = 0; i < 10; i++) if (address[i] !== 0) return address;
  return address.slice(12);
};
