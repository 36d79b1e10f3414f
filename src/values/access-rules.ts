/** `allow` and `deny`: rules by the client's address, of which the first that fits decides. */
import type { Parser } from '../config/contract.ts';
import { wordAt } from '../config/parsers.ts';
import { addressBytes, type Cidr, inCidr, parseCidr, unmapped } from '../net/addresses.ts';

export interface Rule {
  readonly deny: boolean;
  /** Clients of unix sockets. */
  readonly unix: boolean;
  /** The rule's range; undefined where it is for every address, or for none. */
  readonly range: Cidr | undefined;
  readonly all: boolean;
}

export const accessRules: Parser<readonly Rule[]> = {
  arity: 1,
  repeats: true,
  parse(args, own = []) {
    const word = wordAt(args, 0);
    const deny = args.name === 'deny';
    if (word.text === 'all') return [...own, { deny, unix: true, range: undefined, all: true }];
    if (word.text === 'unix:') return [...own, { deny, unix: true, range: undefined, all: false }];
    const range = parseCidr(word.text);
    if (!range) return args.fail(`invalid parameter "${word.text}"`, word);
    if (range.strayBits) args.warn(`low address bits of ${word.text} are meaningless`);
    return [...own, { deny, unix: false, range, all: false }];
  },
};

/** Which rule decides on a client; undefined where none does. */
export const ruleFinder = (list: readonly Rule[]): ((unix: boolean, address: string) => Rule | undefined) => {
  const forUnix = list.find(({ unix }) => unix);
  /** The verdict on an address does not change: the last ones are kept, so that a busy client costs a lookup. */
  const known = new Map<string, Rule | undefined>();
  return (unix, text) => {
    if (unix) return forUnix;
    const present = known.get(text);
    if (present !== undefined || known.has(text)) return present;
    const bytes = addressBytes(text);
    const address = bytes && unmapped(bytes);
    const rule = address && list.find(({ all, range }) => all || (range && inCidr(address, range)));
    if (known.size >= 1024) known.clear();
    known.set(text, rule);
    return rule;
  };
};
