/** The balancing methods of an `upstream` block of stream. */
import { statement } from '../../config/contract.ts';
import { enumOf, wordAt } from '../../config/parsers.ts';
import { chooseMethod, hasSecond, sharedMethods } from '../../upstream/balancing-directives.ts';
import { leastTime } from '../../upstream/least-time.ts';
import { STREAM } from '../build.ts';
import { streamModule } from '../module.ts';
import { UPSTREAM } from './upstream.ts';

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
    ...sharedMethods('stream-upstream', UPSTREAM, (args) =>
      args.scope.need(STREAM).template(wordAt(args, 0).text, args.place),
    ),
    least_time: statement({
      in: ['stream-upstream'],
      arity: [1, 2],
      run(args) {
        const inflight = hasSecond(args, 'inflight');
        const mode = MODE.parse(args, undefined);
        const session = mode === 'connect' ? mode : 'first_byte';
        const balance = leastTime({ header: mode !== 'last_byte', inflight, session });
        chooseMethod(args, args.scope.need(UPSTREAM), balance, []);
      },
    }),
  },
});
