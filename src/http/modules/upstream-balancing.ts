/** The balancing methods of an `upstream` block. */
import { statement } from '../../config/contract.ts';
import { enumOf } from '../../config/parsers.ts';
import { chooseMethod, hasSecond, sharedMethods } from '../../upstream/balancing-directives.ts';
import { ipHash } from '../../upstream/ip-hash.ts';
import { leastTime } from '../../upstream/least-time.ts';
import { httpModule } from '../module.ts';
import { templateAt } from '../parsers.ts';
import { UPSTREAM } from './upstream.ts';

const MODE = enumOf('header', 'last_byte');

export const upstreamBalancing = httpModule({
  name: 'http_upstream_balancing',
  directives: {
    ...sharedMethods('upstream', UPSTREAM, (args) => templateAt(args, 0)),
    ip_hash: statement({
      in: ['upstream'],
      repeats: true,
      arity: 'none',
      run: (args) => chooseMethod(args, args.scope.need(UPSTREAM), ipHash, ['backup']),
    }),
    least_time: statement({
      in: ['upstream'],
      arity: [1, 2],
      run(args) {
        const inflight = hasSecond(args, 'inflight');
        const header = MODE.parse(args, undefined) === 'header';
        chooseMethod(args, args.scope.need(UPSTREAM), leastTime({ header, inflight }), []);
      },
    }),
  },
});
