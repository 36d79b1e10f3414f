/** The client's address behind proxies that are trusted, from the values of X-Forwarded-For and its like. */
import { addressBytes, type Cidr, inCidr, unmapped } from './addresses.ts';

/** The address of one entry: bare, with a port, or in brackets. */
const entryAddress = (text: string): readonly number[] | undefined => {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(text);
  if (bracketed) return addressBytes(bracketed[1] ?? '');
  return addressBytes(text) ?? addressBytes(text.replace(/:\d+$/, ''));
};

export const isTrusted = (address: readonly number[], proxies: readonly Cidr[]): boolean => {
  const plain = unmapped(address);
  return proxies.some((proxy) => inCidr(plain, proxy));
};

/**
 * The address that the last entry names when `address` is a trusted proxy; with `recursive`, entries of trusted
 * proxies are passed over. `address` itself where there is no such entry.
 */
export const forwardedAddress = (
  address: readonly number[],
  value: string | undefined,
  proxies: readonly Cidr[],
  recursive: boolean,
): readonly number[] => {
  let current = address;
  const entries = (value ?? '').split(/[ ,]+/).filter((entry) => entry !== '');
  for (let i = entries.length - 1; i >= 0; i--) {
    if (!isTrusted(current, proxies)) return current;
    const next = entryAddress(entries[i] ?? '');
    if (!next) return current;
    current = next;
    if (!recursive) return current;
  }
  return current;
};
