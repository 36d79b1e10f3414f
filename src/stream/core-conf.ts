/** The core module's directives of stream that are values. */
import { type ConfOf, type Context, defineModule, directive, type Parser } from '../config/contract.ts';
import { flag, msec, size } from '../config/parsers.ts';
import type { Resolver } from '../net/resolver.ts';
import { readResolver } from '../upstream/resolver-directive.ts';
import { STREAM } from './build.ts';

const WHERE: readonly Context[] = ['stream', 'stream-server'];

/** Milliseconds. */
export const RESOLVER_TIMEOUT = 30_000;

/** `resolver`: one of its own for each directive. */
export const resolver: Parser<Resolver | undefined> = {
  arity: { min: 1, max: Number.POSITIVE_INFINITY },
  parse(args) {
    const made = readResolver(args);
    args.scope.need(STREAM).resolvers.push(made);
    return made;
  },
};

export const core = defineModule({
  name: 'stream_core',
  directives: {
    resolver: directive(resolver, { in: WHERE, initial: undefined }),
    resolver_timeout: directive(msec, { in: WHERE, initial: RESOLVER_TIMEOUT }),
    proxy_protocol_timeout: directive(msec, { in: WHERE, initial: 30_000 }),
    /** Without effect: sockets here always send at once. */
    tcp_nodelay: directive(flag, { in: WHERE, initial: true }),
    preread_buffer_size: directive(size, { in: WHERE, initial: 16_384 }),
    preread_timeout: directive(msec, { in: WHERE, initial: 30_000 }),
  },
});
export type CoreConf = ConfOf<typeof core>;
