/** `set_real_ip_from`: whose word about the client's address is taken. */
import type { Parser } from '../config/contract.ts';
import { wordAt } from '../config/parsers.ts';
import { addressBytes, type Cidr, inCidr, parseCidr, unmapped } from '../net/addresses.ts';

/** Clients of unix sockets, or a range of addresses. */
export type Trusted = 'unix' | Cidr;

export const trustedFrom: Parser<readonly Trusted[]> = {
  arity: 1,
  repeats: true,
  parse(args, own = []) {
    const word = wordAt(args, 0);
    if (word.text === 'unix:') return [...own, 'unix'];
    const range = parseCidr(word.text);
    if (range) {
      if (range.strayBits) args.warn(`low address bits of ${word.text} are meaningless`);
      return [...own, range];
    }
    const found = args.scope.load.addresses(word.text);
    if (found.length === 0) args.fail(`host not found in set_real_ip_from "${word.text}"`, word);
    return [...own, ...found.flatMap((address) => parseCidr(address) ?? [])];
  },
};

export const rangesOf = (list: readonly Trusted[]): readonly Cidr[] => list.filter((one) => one !== 'unix');

/** Whether an address lies in one of the ranges. */
export const isTrusted = (address: readonly number[], ranges: readonly Cidr[]): boolean => {
  const plain = unmapped(address);
  return ranges.some((range) => inCidr(plain, range));
};

/** A client, as far as trust goes. */
interface Remote {
  readonly unix: boolean;
  readonly remoteAddress: string;
}

/** `ranges`: those of the list. */
export const trustsClient = (
  list: readonly Trusted[],
  ranges: readonly Cidr[],
  { unix, remoteAddress }: Remote,
): boolean => {
  if (unix) return list.includes('unix');
  const bytes = addressBytes(remoteAddress);
  return bytes !== undefined && isTrusted(bytes, ranges);
};
