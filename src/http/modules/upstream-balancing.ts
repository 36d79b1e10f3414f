/** The balancing methods of an `upstream` block. */
import { type Args, statement } from '../../config/contract.ts';
import { wordAt } from '../../config/parsers.ts';
import { consistentHash } from '../../upstream/consistent-hash.ts';
import type { Balance } from '../../upstream/group.ts';
import { hash } from '../../upstream/hash.ts';
import { ipHash } from '../../upstream/ip-hash.ts';
import { leastConn } from '../../upstream/least-conn.ts';
import { httpModule } from '../module.ts';
import { templateAt } from '../parsers.ts';
import { UPSTREAM } from './upstream.ts';

const choose = (args: Args, balance: Balance, refuses: readonly string[]): void => {
  const group = args.scope.need(UPSTREAM);
  if (group.method) args.warn('load balancing method redefined');
  group.method = { name: args.name, place: args.place, balance, refuses };
};

/** A second method takes the place of the first, with a warning. */
const METHOD = { in: ['upstream'], repeats: true } as const;

export const upstreamBalancing = httpModule({
  name: 'http_upstream_balancing',
  directives: {
    least_conn: statement({ ...METHOD, arity: 'none', run: (args) => choose(args, leastConn, []) }),
    ip_hash: statement({ ...METHOD, arity: 'none', run: (args) => choose(args, ipHash, ['backup']) }),
    hash: statement({
      ...METHOD,
      arity: [1, 2],
      run(args) {
        const key = templateAt(args, 0);
        if (args.words.length === 1) return choose(args, hash(key), ['backup']);
        const second = wordAt(args, 1);
        if (second.text !== 'consistent') args.fail(`invalid parameter "${second.text}"`, second);
        return choose(args, consistentHash(key), ['backup']);
      },
    }),
  },
});
