/** The balancing methods of an `upstream` block. */
import { type Args, statement } from '../../config/contract.ts';
import { enumOf, wordAt } from '../../config/parsers.ts';
import { consistentHash } from '../../upstream/consistent-hash.ts';
import type { Balance } from '../../upstream/group.ts';
import { hash } from '../../upstream/hash.ts';
import { ipHash } from '../../upstream/ip-hash.ts';
import { leastConn } from '../../upstream/least-conn.ts';
import { leastTime } from '../../upstream/least-time.ts';
import { random } from '../../upstream/random.ts';
import { httpModule } from '../module.ts';
import { templateAt } from '../parsers.ts';
import { UPSTREAM } from './upstream.ts';

const choose = (args: Args, balance: Balance, refuses: readonly string[]): void => {
  const group = args.scope.need(UPSTREAM);
  if (group.method || group.sticky) args.warn('load balancing method redefined');
  if (group.sticky) group.sticky.around = undefined;
  group.method = { name: args.name, place: args.place, balance, refuses };
};

/** A second method takes the place of the first, with a warning. */
const METHOD = { in: ['upstream'], repeats: true } as const;

const MODE = enumOf('header', 'last_byte');

export const upstreamBalancing = httpModule({
  name: 'http_upstream_balancing',
  directives: {
    least_conn: statement({ ...METHOD, arity: 'none', run: (args) => choose(args, leastConn, []) }),
    ip_hash: statement({ ...METHOD, arity: 'none', run: (args) => choose(args, ipHash, ['backup']) }),
    random: statement({
      ...METHOD,
      arity: [0, 1, 2],
      run(args) {
        const [first, second] = args.words;
        if (first && first.text !== 'two') args.fail(`invalid parameter "${first.text}"`, first);
        if (second && second.text !== 'least_conn') args.fail(`invalid parameter "${second.text}"`, second);
        choose(args, random(first !== undefined), ['backup']);
      },
    }),
    least_time: statement({
      in: ['upstream'],
      arity: [1, 2],
      run(args) {
        const second = args.words[1];
        if (second && second.text !== 'inflight') args.fail(`invalid parameter "${second.text}"`, second);
        const header = MODE.parse(args, undefined) === 'header';
        choose(args, leastTime({ header, inflight: second !== undefined }), []);
      },
    }),
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
