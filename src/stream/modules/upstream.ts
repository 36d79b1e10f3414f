/** `upstream` blocks of stream: their servers, their zone (ngx_stream_upstream). */
import { block, key, statement } from '../../config/contract.ts';
import { parseMsec } from '../../config/numbers.ts';
import { wordAt } from '../../config/parsers.ts';
import { ERROR } from '../../log/levels.ts';
import { Resolver } from '../../net/resolver.ts';
import type { Block } from '../../upstream/block.ts';
import { readServer, readZone } from '../../upstream/group-directives.ts';
import { STREAM } from '../build.ts';
import { core, RESOLVER_TIMEOUT, resolver } from '../core-conf.ts';
import { streamModule } from '../module.ts';
import type { Session } from '../session.ts';
import { upstreamVariables } from './variables-upstream.ts';

/** The block that is being read: for balancing methods and what else stands in it. */
export const UPSTREAM = key<Block<Session>>('the upstream block of stream');

export const upstream = streamModule({
  name: 'stream_upstream',
  provides: ['stream_upstream_zone'],
  directives: {
    upstream: block({
      in: ['stream'],
      arity: 1,
      repeats: true,
      child: 'stream-upstream',
      begin(args, inner) {
        inner.carry(UPSTREAM, args.scope.need(STREAM).upstreams.declare(wordAt(args, 0).text, args.place));
      },
      end(args, inner) {
        if (inner.need(UPSTREAM).servers.length === 0) args.fail('no servers are inside upstream');
      },
    }),
    server: statement({
      in: ['stream-upstream'],
      arity: { min: 1, max: Number.POSITIVE_INFINITY },
      repeats: true,
      run: (args) => readServer(args, args.scope.need(UPSTREAM)),
    }),
    zone: statement({
      in: ['stream-upstream'],
      arity: [1, 2],
      run: (args) => readZone(args, args.scope.need(UPSTREAM), 'stream upstream'),
    }),
    resolver: statement({
      in: ['stream-upstream'],
      arity: resolver.arity,
      run(args) {
        args.scope.need(UPSTREAM).resolver = resolver.parse(args, undefined);
      },
    }),
    resolver_timeout: statement({
      in: ['stream-upstream'],
      arity: 1,
      run(args) {
        const ms = parseMsec(wordAt(args, 0).text);
        if (ms === undefined) args.failDirective('invalid value', args.words[0]);
        args.scope.need(UPSTREAM).resolverTimeout = ms;
      },
    }),
  },
  variables: upstreamVariables,
  complete(build) {
    const { resolver: outer, resolver_timeout: timeout } = build.scope.own.get(core) ?? {};
    build.upstreams.complete({
      resolver: outer instanceof Resolver ? outer : undefined,
      timeout: typeof timeout === 'number' ? timeout : RESOLVER_TIMEOUT,
    });
  },
  prepare(build, context) {
    const { log } = context;
    for (const one of build.resolvers) one.log = (message) => log.write(ERROR, message);
    build.upstreams.start(context);
  },
});
