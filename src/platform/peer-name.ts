/** getpeername() of IPv4 sockets: every connection is asked once, and by way of Node that takes 3 us. */
import type { KoffiFunc } from 'koffi';
import { libc, libcAvailable } from './libc.ts';

type GetPeerName = KoffiFunc<(fd: number, name: number, size: number) => number>;

const AF_INET = 2;
/** `struct sockaddr_in6` is the longest that TCP has. */
const NAME_SIZE = 28;
/** So many addresses are remembered as text. */
const REMEMBERED = 1024;

/** The size stands behind the name. */
const bytes = Buffer.allocUnsafeSlow(4096);
/** undefined before the first question. */
let call: { readonly get: GetPeerName | undefined } | undefined;
let nameAt = 0;
const texts = new Map<number, string>();

const textOf = (address: number): string => {
  const known = texts.get(address);
  if (known !== undefined) return known;
  const text = `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
  if (texts.size >= REMEMBERED) texts.clear();
  texts.set(address, text);
  return text;
};

const load = (): GetPeerName | undefined => {
  if (!libcAvailable()) return undefined;
  const { library, koffi } = libc();
  nameAt = Number(koffi.address(bytes));
  return library.func('getpeername', 'int', ['int', 'int64', 'int64']);
};

/** The other end of a connected socket; undefined for what is not IPv4, has no other end any more, or can't be asked. */
export const ipv4PeerName = (fd: number): { address: string; port: number } | undefined => {
  call ??= { get: load() };
  if (!call.get || fd < 0) return undefined;
  bytes.writeUInt32LE(NAME_SIZE, NAME_SIZE);
  if (call.get(fd, nameAt, nameAt + NAME_SIZE) < 0 || bytes.readUInt16LE(0) !== AF_INET) return undefined;
  return { address: textOf(bytes.readUInt32BE(4)), port: bytes.readUInt16BE(2) };
};
