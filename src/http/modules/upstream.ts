/** `upstream` blocks: their servers, their pool of kept connections, their zone. */
import { type Args, block, key, type Place, statement } from '../../config/contract.ts';
import { parseMsec, parseNumber } from '../../config/numbers.ts';
import { wordAt } from '../../config/parsers.ts';
import { ERROR } from '../../log/levels.ts';
import { Resolver } from '../../net/resolver.ts';
import type { Block } from '../../upstream/block.ts';
import { invalidParameter, readServer, readZone } from '../../upstream/group-directives.ts';
import { HTTP } from '../build.ts';
import { core } from '../core-conf.ts';
import { httpModule } from '../module.ts';
import { resolver } from '../resolver-directive.ts';
import { upstreamVariables } from './variables-upstream.ts';

/** The block that is being read: for balancing methods and what else stands in it. */
export const UPSTREAM = key<Block>('the upstream block');

/** Milliseconds. */
const RESOLVER_TIMEOUT = 30_000;

const keepalive = (args: Args): void => {
  const word = wordAt(args, 0);
  const size = parseNumber(word.text);
  if (size === undefined) {
    args.fail(`invalid value "${word.text}" in "keepalive" directive`, word);
    return;
  }
  const second = args.words[1];
  if (second && second.text !== 'local') invalidParameter(args, second);
  args.scope.need(UPSTREAM).keepalive = { size, local: second !== undefined, place: args.place };
};

/** A number or a time in ms, given to `set`. */
const value = (
  parse: (text: string) => number | undefined,
  reason: string,
  set: (group: Block, value: number, place: Place) => void,
) =>
  statement({
    in: ['upstream'],
    arity: 1,
    run(args) {
      const parsed = parse(wordAt(args, 0).text);
      if (parsed === undefined) args.failDirective(reason, args.words[0]);
      else set(args.scope.need(UPSTREAM), parsed, args.place);
    },
  });

export const upstream = httpModule({
  name: 'http_upstream',
  provides: ['http_upstream_keepalive', 'http_upstream_zone'],
  directives: {
    upstream: block({
      in: ['http'],
      arity: 1,
      repeats: true,
      child: 'upstream',
      begin(args, inner) {
        inner.carry(UPSTREAM, args.scope.need(HTTP).upstreams.declare(wordAt(args, 0).text, args.place));
      },
      end(args, inner) {
        if (inner.need(UPSTREAM).servers.length === 0) args.fail('no servers are inside upstream');
      },
    }),
    server: statement({
      in: ['upstream'],
      arity: { min: 1, max: Number.POSITIVE_INFINITY },
      repeats: true,
      run: (args) => readServer(args, args.scope.need(UPSTREAM)),
    }),
    keepalive: statement({ in: ['upstream'], arity: [1, 2], run: keepalive }),
    keepalive_requests: value(parseNumber, 'invalid number', (group, requests) => {
      group.keepaliveRequests = requests;
    }),
    keepalive_time: value(parseMsec, 'invalid value', (group, ms) => {
      group.keepaliveTime = ms;
    }),
    keepalive_timeout: value(parseMsec, 'invalid value', (group, ms, place) => {
      group.keepaliveTimeout = ms;
      group.keepaliveTimeoutPlace = place;
    }),
    zone: statement({
      in: ['upstream'],
      arity: [1, 2],
      run: (args) => readZone(args, args.scope.need(UPSTREAM), 'upstream'),
    }),
    resolver: statement({
      in: ['upstream'],
      arity: resolver.arity,
      run(args) {
        args.scope.need(UPSTREAM).resolver = resolver.parse(args, undefined);
      },
    }),
    resolver_timeout: value(parseMsec, 'invalid value', (group, ms) => {
      group.resolverTimeout = ms;
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
