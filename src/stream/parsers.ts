/** Parsers for values that only a stream block knows. */
import type { Parser } from '../config/contract.ts';
import { wordAt } from '../config/parsers.ts';
import type { Template } from '../values/template.ts';
import { STREAM } from './build.ts';
import type { Session } from './session.ts';

/** One word that may hold variables. */
export const template: Parser<Template<Session>> = {
  arity: 1,
  parse: (args) => args.scope.need(STREAM).template(wordAt(args, 0).text, args.place),
};
