/** The balancing methods of an `upstream` block of stream. */
import { type Args, statement } from '../../config/contract.ts';
import { enumOf, wordAt } from '../../config/parsers.ts';
import { consistentHash } from '../../upstream/consistent-hash.ts';
import type { Balance } from '../../upstream/group.ts';
import { hash } from '../../upstream/hash.ts';
import { leastConn } from '../../upstream/least-conn.ts';
import { leastTime } from '../../upstream/least-time.ts';
import { random } from '../../upstream/random.ts';
import { STREAM } from '../build.ts';
import { streamModule } from '../module.ts';
import type { Session } from '../session.ts';
import { UPSTREAM } from './upstream.ts';

const choose = (args: Args, balance: Balance<Session>, refuses: readonly string[]): void => {
  const group = args.scope.need(UPSTREAM);
  if (group.method) args.warn('load balancing method redefined');
  group.method = { name: args.name, place: args.place, balance, refuses };
};

/** A second method takes the place of the first, with a warning. */
const METHOD = { in: ['stream-upstream'], repeats: true } as const;

const MODE = enumOf('connect', 'first_byte', 'last_byte');

export const upstreamBalancing = streamModule({
  name: 'stream_upstream_balancing',
  provides: [
    'stream_upstream_hash',
    'stream_upstream_least_conn',
    'stream_upstream_least_time',
    'stream_upstream_random',
  ],
  directives: {
    least_conn: statement({ ...METHOD, arity: 'none', run: (args) => choose(args, leastConn, []) }),
    least_time: statement({
      in: ['stream-upstream'],
      arity: [1, 2],
      run(args) {
        const second = args.words[1];
        if (second && second.text !== 'inflight') args.fail(`invalid parameter "${second.text}"`, second);
        const mode = MODE.parse(args, undefined);
        const session = mode === 'connect' ? mode : 'first_byte';
        const options = { header: mode !== 'last_byte', inflight: second !== undefined, session } as const;
        choose(args, leastTime(options), []);
      },
    }),
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
    hash: statement({
      ...METHOD,
      arity: [1, 2],
      run(args) {
        const key = args.scope.need(STREAM).template(wordAt(args, 0).text, args.place);
        if (args.words.length === 1) return choose(args, hash(key), ['backup']);
        const second = wordAt(args, 1);
        if (second.text !== 'consistent') args.fail(`invalid parameter "${second.text}"`, second);
        return choose(args, consistentHash(key), ['backup']);
      },
    }),
  },
});
