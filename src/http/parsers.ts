/** Parsers for values that only an http block knows: templates, the like of `if=$x`. */
import type { Args, Parser } from '../config/contract.ts';
import { parseSize } from '../config/numbers.ts';
import { wordAt } from '../config/parsers.ts';
import { HTTP } from './build.ts';
import type { Request } from './request.ts';
import type { Template } from './template.ts';

/** A part of a directive's word as a template. */
export const templateOf = (args: Args, text: string): Template =>
  args.scope.need(HTTP).template(text, args.place);

/** The word at `index` as a template. */
export const templateAt = (args: Args, index: number): Template => templateOf(args, wordAt(args, index).text);

/** One word that may hold variables. */
export const template: Parser<Template> = { arity: 1, parse: (args) => templateAt(args, 0) };

/** A size that may hold variables; one that holds none must be right. */
export const sizeTemplate: Parser<Template> = {
  arity: 1,
  parse(args) {
    const value = templateAt(args, 0);
    if (value.constant !== undefined && parseSize(value.constant) === undefined) {
      return args.failDirective('invalid value', wordAt(args, 0));
    }
    return value;
  },
};

/** True when any of the values is neither empty nor "0" (nginx's predicates). */
export const predicate: Parser<readonly Template[]> = {
  arity: { min: 1, max: Number.POSITIVE_INFINITY },
  repeats: true,
  parse: (args, own = []) => [...own, ...args.words.map((_, index) => templateAt(args, index))],
};

export const holds = (templates: readonly Template[], request: Request): boolean => {
  for (const one of templates) {
    const text = one.text(request);
    if (text !== '' && text !== '0') return true;
  }
  return false;
};
