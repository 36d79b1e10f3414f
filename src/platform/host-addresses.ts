/** Names to addresses at once, through the system's resolver: while a configuration is read nothing can wait. */
import type { KoffiFunc } from 'koffi';
import { libc } from './libc.ts';

const AI_ADDRCONFIG = 0x20;
const SOCK_STREAM = 1;
const [AF_INET, AF_INET6] = [2, 10];
const TRANSIENT = new Set([-3]);

interface AddressInfo {
  readonly family: number;
  readonly size: number;
  readonly address: bigint;
  readonly next: bigint | null;
}

const addressOf = (family: number, bytes: Buffer): string | undefined => {
  if (family === AF_INET) return bytes.subarray(4, 8).join('.');
  if (family !== AF_INET6) return undefined;
  const groups: string[] = [];
  for (let at = 8; at < 24; at += 2) groups.push(bytes.readUInt16BE(at).toString(16));
  // A URL's host is written as short as can be: `::1`.
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
};

/**
 * The addresses of `host` in the system's order, v6 without brackets; none when there is no such
 * name. Blocks. Throws LibcMissing, and an Error when the resolver could not be asked just now.
 */
export const hostAddresses = (host: string): readonly string[] => {
  const { koffi, library } = libc();
  const info = koffi.struct({
    flags: 'int',
    family: 'int',
    type: 'int',
    protocol: 'int',
    size: 'uint32',
    address: 'void *',
    name: 'void *',
    next: 'void *',
  });
  const lookUp = library.func('getaddrinfo', 'int', [
    'str',
    'void *',
    koffi.pointer(info),
    koffi.out(koffi.pointer('void *')),
  ]);
  const release: KoffiFunc<(list: bigint) => void> = library.func('void freeaddrinfo(void *list)');
  const hints = { flags: AI_ADDRCONFIG, family: 0, type: SOCK_STREAM, protocol: 0, size: 0 };
  const list: (bigint | null)[] = [null];
  const result: number = lookUp(host, null, { ...hints, address: null, name: null, next: null }, list);
  if (TRANSIENT.has(result))
    throw new Error(`"${host}" could not be resolved (temporary failure in name resolution)`);
  const [first] = list;
  if (result !== 0 || !first) return [];
  const addresses: string[] = [];
  for (let at: bigint | null = first; at; ) {
    const entry: AddressInfo = koffi.decode(at, info);
    // The view is on memory that is about to be released.
    const address = addressOf(entry.family, Buffer.from(koffi.view(entry.address, entry.size)));
    if (address !== undefined) addresses.push(address);
    at = entry.next;
  }
  release(first);
  return [...new Set(addresses)];
};
