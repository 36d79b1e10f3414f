/** `split_clients`: a variable that divides requests into shares by the hash of a value (ngx_http_split_clients). */
import { type Args, block, key, type Scope } from '../../config/contract.ts';
import { wordAt } from '../../config/parsers.ts';
import { HTTP } from '../build.ts';
import { httpModule } from '../module.ts';
import type { Template } from '../template.ts';
import { murmurHash2 } from './murmur-hash.ts';

/** A share of requests, in hundredths of a percent. */
interface Share {
  readonly percent: number;
  readonly value: string;
}

interface Split {
  readonly source: Template;
  readonly variable: string;
  readonly shares: Share[];
}

const SPLIT = key<Split>('a split');
/** `*`: all that is left. */
const REST = 0;
const WHOLE = 10_000;
const HASHES = 0xffffffff;

const begin = (args: Args, inner: Scope): void => {
  const [source, name] = [wordAt(args, 0), wordAt(args, 1)];
  const build = args.scope.need(HTTP);
  const template = build.template(source.text, args.place);
  if (name.text.length < 2 || !name.text.startsWith('$'))
    args.fail(`invalid variable name "${name.text}"`, name);
  const variable = name.text.slice(1);
  build.variables.definable(variable, args.place);
  inner.carry(SPLIT, { source: template, variable, shares: [] });
};

/** Hundredths of a percent of `12.5%`; undefined for what is none. */
const percentOf = (text: string): number | undefined => {
  const match = /^(\d*)(?:\.(\d{0,2}))?%$/.exec(text);
  if (!match) return undefined;
  return Number(match[1]) * 100 + Number((match[2] ?? '').padEnd(2, '0'));
};

const row = (args: Args, inner: Scope): void => {
  const { shares } = inner.need(SPLIT);
  const percent = args.name === '*' ? REST : percentOf(args.name);
  if (percent === undefined || (percent === 0 && args.name !== '*')) {
    args.fail(`invalid percent value "${args.name}"`);
  }
  shares.push({ percent: percent ?? REST, value: args.texts[0] ?? '' });
};

const complete = (args: Args, inner: Scope): void => {
  const { source, variable, shares } = inner.need(SPLIT);
  let sum = 0;
  let last = 0;
  const ends = shares.map(({ percent }) => {
    sum = percent === REST ? WHOLE : sum + percent;
    if (sum > WHOLE) args.fail('percent total is greater than 100%');
    if (sum === WHOLE) return Number.POSITIVE_INFINITY;
    last += Math.floor((percent * HASHES) / WHOLE);
    return last;
  });
  inner.need(HTTP).variables.define(
    variable,
    {
      cached: true,
      changeable: true,
      get(request) {
        const hash = murmurHash2(Buffer.from(source.text(request), 'latin1'));
        return shares[ends.findIndex((end) => hash < end)]?.value ?? '';
      },
    },
    args.place,
  );
};

export const splitClientsModule = httpModule({
  name: 'http_split_clients',
  directives: {
    split_clients: block({ in: ['http'], arity: 2, repeats: true, child: 'rows', begin, row, end: complete }),
  },
});
