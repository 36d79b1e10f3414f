/** `split_clients`: a variable that divides those who ask into shares by the hash of a value. */
import { type Args, block, type Context, key, type Scope } from '../config/contract.ts';
import { wordAt } from '../config/parsers.ts';
import { murmurHash2 } from './murmur-hash.ts';
import type { Template } from './template.ts';
import type { Values } from './values.ts';
import type { Subject } from './variables.ts';

/** A share, in hundredths of a percent. */
interface Share {
  readonly percent: number;
  readonly value: string;
}

interface Split<R extends Subject> {
  readonly source: Template<R>;
  readonly variable: string;
  readonly shares: Share[];
}

/** `*`: all that is left. */
const REST = 0;
const WHOLE = 10_000;
const HASHES = 0xffffffff;

/** Hundredths of a percent of `12.5%`; undefined for what is none. */
const percentOf = (text: string): number | undefined => {
  const match = /^(\d*)(?:\.(\d{0,2}))?%$/.exec(text);
  if (!match) return undefined;
  return Number(match[1]) * 100 + Number((match[2] ?? '').padEnd(2, '0'));
};

const shareOf = (args: Args): Share => {
  const percent = args.name === '*' ? REST : percentOf(args.name);
  if (percent === undefined || (percent === 0 && args.name !== '*')) {
    args.fail(`invalid percent value "${args.name}"`);
  }
  return { percent: percent ?? REST, value: args.texts[0] ?? '' };
};

/** The first hash behind each share. */
const endsOf = (args: Args, shares: readonly Share[]): readonly number[] => {
  let sum = 0;
  let last = 0;
  return shares.map(({ percent }) => {
    sum = percent === REST ? WHOLE : sum + percent;
    if (sum > WHOLE) args.fail('percent total is greater than 100%');
    if (sum === WHOLE) return Number.POSITIVE_INFINITY;
    last += Math.floor((percent * HASHES) / WHOLE);
    return last;
  });
};

/** The rows of a module for the block that `context` names; `valuesOf` finds its values. */
export const splitClientsRows = <R extends Subject>(
  context: Context,
  valuesOf: (scope: Scope) => Values<R>,
) => {
  const splitKey = key<Split<R>>('a split');

  const begin = (args: Args, inner: Scope): void => {
    const [source, name] = [wordAt(args, 0), wordAt(args, 1)];
    const values = valuesOf(args.scope);
    const template = values.template(source.text, args.place);
    if (name.text.length < 2 || !name.text.startsWith('$'))
      args.fail(`invalid variable name "${name.text}"`, name);
    const variable = name.text.slice(1);
    values.variables.definable(variable, args.place);
    inner.carry(splitKey, { source: template, variable, shares: [] });
  };

  const row = (args: Args, inner: Scope): void => {
    inner.need(splitKey).shares.push(shareOf(args));
  };

  const end = (args: Args, inner: Scope): void => {
    const { source, variable, shares } = inner.need(splitKey);
    const ends = endsOf(args, shares);
    const get = (request: R): string => {
      const hash = murmurHash2(Buffer.from(source.text(request), 'latin1'));
      return shares[ends.findIndex((limit) => hash < limit)]?.value ?? '';
    };
    valuesOf(inner).variables.define(variable, { cached: true, changeable: true, get }, args.place);
  };

  return {
    split_clients: block({ in: [context], arity: 2, repeats: true, child: 'rows', begin, row, end }),
  };
};
