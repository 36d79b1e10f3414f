/** `upstream` blocks: their servers, their pool of kept connections, their zone. */
import { type Args, block, key, type Place, statement } from '../../config/contract.ts';
import { parseMsec, parseNumber, parseSec, parseSize } from '../../config/numbers.ts';
import { wordAt } from '../../config/parsers.ts';
import { Reason } from '../../config/reason.ts';
import { ERROR } from '../../log/levels.ts';
import { Resolver } from '../../net/resolver.ts';
import { parseAddress } from '../../upstream/address.ts';
import type { Block } from '../../upstream/block.ts';
import { PLAIN_SERVER } from '../../upstream/peers.ts';
import { zonesOf } from '../../zone/zones.ts';
import { HTTP } from '../build.ts';
import { core } from '../core-conf.ts';
import { httpModule } from '../module.ts';
import { resolver } from '../resolver-directive.ts';
import { upstreamVariables } from './variables-upstream.ts';

/** The block that is being read: for balancing methods and what else stands in it. */
export const UPSTREAM = key<Block>('the upstream block');

const DEFAULT_PORT = 80;
/** As long as the digest that stands in its place. */
const LONGEST_ROUTE = 32;
/** Milliseconds. */
const RESOLVER_TIMEOUT = 30_000;
const PAGE = 4096;
/** Pages that nginx wants at least. */
const LEAST_PAGES = 8;

const invalidParameter = (args: Args, at: Place & { readonly text: string }): never =>
  args.fail(`invalid parameter "${at.text}"`, at);

const server = (args: Args): void => {
  const group = args.scope.need(UPSTREAM);
  let { weight, maxConns, maxFails, failTimeout, down, draining, route } = PLAIN_SERVER;
  let backup = false;
  let resolve = false;
  let service = '';
  for (const word of args.words.slice(1)) {
    const [, name = '', value] = /^([a-z_]+)(?:=(.*))?$/s.exec(word.text) ?? [];
    const number = value === undefined ? undefined : parseNumber(value);
    const parameter = value === undefined ? name : `${name}=`;
    if (group.method?.refuses.includes(parameter)) {
      args.fail(`balancing method does not support parameter "${word.text}"`, word);
    }
    if (parameter === 'weight=' && number !== undefined && number > 0) weight = number;
    else if (parameter === 'max_conns=' && number !== undefined) maxConns = number;
    else if (parameter === 'max_fails=' && number !== undefined) maxFails = number;
    else if (parameter === 'fail_timeout=' && parseSec(value ?? '') !== undefined) {
      failTimeout = parseSec(value ?? '') ?? failTimeout;
    } else if (parameter === 'backup') backup = true;
    else if (parameter === 'down' || parameter === 'drain') {
      down = true;
      draining = parameter === 'drain';
    } else if (parameter === 'route=') {
      route = value ?? '';
      if (route === '') args.fail('route is empty', word);
      if (route.length > LONGEST_ROUTE) args.fail(`route is longer than ${LONGEST_ROUTE}`, word);
    } else if (parameter === 'resolve') resolve = true;
    else if (parameter === 'service=') {
      if (value === '') args.fail('service is empty', word);
      service = value ?? '';
    } else invalidParameter(args, word);
  }
  const { place } = args;
  const address = wordAt(args, 0);
  const { text } = address;
  if (service !== '' && !resolve) {
    args.fail(`service upstream "${text}" requires "resolve" parameter`, address);
  }
  const settings = { weight, maxConns, maxFails, failTimeout, down, draining, route };
  try {
    const { kind, host, port, noPort } = parseAddress(text, DEFAULT_PORT);
    if (service !== '' && !noPort) args.fail(`service upstream "${text}" may not have port`, address);
    if (service !== '' && kind !== 'name')
      args.fail(`service upstream "${text}" requires domain name`, address);
    const line = resolve && kind === 'name' ? { text, host, port, service, settings, backup } : undefined;
    const targets = line ? [] : group.targets(text);
    group.servers.push({ text, targets, settings, backup, place, line });
  } catch (error) {
    if (!(error instanceof Reason)) throw error;
    args.fail(`${error.message} in upstream "${text}"`, address);
  }
};

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

const zone = (args: Args): void => {
  const name = wordAt(args, 0);
  if (name.text === '') args.fail(`invalid zone name "${name.text}"`, name);
  const second = args.words[1];
  const bytes = second ? (parseSize(second.text) ?? 0) : 0;
  if (second && bytes === 0) args.fail(`invalid zone size "${second.text}"`, second);
  if (second && bytes < LEAST_PAGES * PAGE) args.fail(`zone "${name.text}" is too small`, name);
  const fail = (reason: string): never => args.fail(reason, name);
  args.scope.need(UPSTREAM).zone = zonesOf(args.scope).declare(name.text, bytes, 'upstream', fail, {
    fresh: true,
  });
};

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
      run: server,
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
    zone: statement({ in: ['upstream'], arity: [1, 2], run: zone }),
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
