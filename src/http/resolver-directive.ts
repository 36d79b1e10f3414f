/** `resolver` in http; see upstream/resolver-directive.ts. */
import type { Parser } from '../config/contract.ts';
import type { Resolver } from '../net/resolver.ts';
import { readResolver } from '../upstream/resolver-directive.ts';
import { HTTP } from './build.ts';

export const resolver: Parser<Resolver | undefined> = {
  arity: { min: 1, max: Number.POSITIVE_INFINITY },
  parse(args) {
    const made = readResolver(args);
    args.scope.need(HTTP).resolvers.push(made);
    return made;
  },
};
