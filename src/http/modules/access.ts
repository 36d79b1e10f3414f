/** `allow` and `deny`: who may come in, by address; the first rule that fits decides (ngx_http_access). */
import { directive, type Parser } from '../../config/contract.ts';
import { wordAt } from '../../config/parsers.ts';
import { ERROR } from '../../log/levels.ts';
import { addressBytes, type Cidr, inCidr, parseCidr, unmapped } from '../../net/addresses.ts';
import { type Handler, httpModule } from '../module.ts';
import { logRequest } from '../request-log.ts';
import { DECLINED, OK } from '../verdict.ts';

interface Rule {
  readonly deny: boolean;
  /** Clients of unix sockets. */
  readonly unix: boolean;
  /** The rule's range; undefined where it is for every address, or for none. */
  readonly range: Cidr | undefined;
  readonly all: boolean;
}

const rules: Parser<readonly Rule[]> = {
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

const handler = (list: readonly Rule[]): Handler => {
  const forUnix = list.find(({ unix }) => unix);
  /** The verdict on an address does not change: the last ones are kept, so that a busy client costs a lookup. */
  const known = new Map<string, Rule | null>();
  const ruleFor = (text: string): Rule | null => {
    const present = known.get(text);
    if (present !== undefined) return present;
    const bytes = addressBytes(text);
    const address = bytes && unmapped(bytes);
    const rule = (address && list.find(({ all, range }) => all || (range && inCidr(address, range)))) ?? null;
    if (known.size >= 1024) known.clear();
    known.set(text, rule);
    return rule;
  };
  return (request) => {
    const { stream } = request;
    const rule = stream.unix ? forUnix : ruleFor(stream.remoteAddress);
    if (!rule) return DECLINED;
    if (!rule.deny) return OK;
    if (request.location.core.satisfy === 'all') logRequest(request, ERROR, 'access forbidden by rule');
    return 403;
  };
};

export const accessModule = httpModule({
  name: 'http_access',
  directives: {
    rules: directive<readonly Rule[]>(rules, {
      in: ['http', 'server', 'location', 'limit_except'],
      names: ['allow', 'deny'],
      initial: [],
    }),
  },
  phases: { access: ({ rules: list }) => (list.length > 0 ? handler(list) : undefined) },
});
