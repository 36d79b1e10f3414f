/** The directives of nginx 1.31, so that those which no module here declares are still told apart and checked. */
import { createRequire } from 'node:module';
import type { Arity, Context } from './contract.ts';
import type Table from './nginx-directives.json';

/** A directive as nginx declares it. */
export interface KnownDirective {
  readonly name: string;
  /** nginx's module, without `ngx_` and `_module`. */
  readonly module: string;
  /** As `Context`, and those of stream and mail. */
  readonly contexts: readonly string[];
  readonly arity: Arity;
  /** How nginx reads it: `flag`, `size`, `enum` ..., `block`, or `custom`. */
  readonly kind: string;
  /** All that an `enum` or `bitmask` may be. */
  readonly words: readonly string[];
}

/** Read when it is first needed. */
let table: ReadonlyMap<string, readonly KnownDirective[]> | undefined;

const arityOf = (text: string): Arity => {
  if (text === 'flag') return 'flag';
  if (text.endsWith('+')) return { min: Number(text.slice(0, -1)), max: Number.POSITIVE_INFINITY };
  return text.split(',').map(Number);
};

/** A row is `NAME MODULE CONTEXTS ARITY KIND [WORDS]`, lists with commas. */
const readRow = (row: string): KnownDirective => {
  const [name = '', module = '', contexts = '', arity = '', kind = '', words = ''] = row.split(' ');
  return {
    name,
    module,
    contexts: contexts.split(','),
    arity: arityOf(arity),
    kind,
    words: words === '' ? [] : words.split(','),
  };
};

const read = (): ReadonlyMap<string, readonly KnownDirective[]> => {
  const json: typeof Table = createRequire(import.meta.url)('./nginx-directives.json');
  const all = new Map<string, KnownDirective[]>();
  for (const row of json.directives.map(readRow)) {
    const same = all.get(row.name);
    if (same) same.push(row);
    else all.set(row.name, [row]);
  }
  return all;
};

const known = (): ReadonlyMap<string, readonly KnownDirective[]> => (table ??= read());

/** What nginx means by a name in a context. */
export const findKnown = (context: Context, name: string): KnownDirective | undefined =>
  known()
    .get(name)
    ?.find(({ contexts }) => contexts.includes(context));

/** Whether nginx has the name in any context. */
export const isKnown = (name: string): boolean => known().has(name);

/** Where nginx allows a name, in the order of its documentation. */
export const knownContexts = (name: string): string[] => [
  ...new Set((known().get(name) ?? []).flatMap(({ contexts }) => contexts)),
];

/** The names that nginx allows in a context, for suggestions. */
export const knownNames = (context: Context): string[] =>
  [...known()]
    .filter(([, rows]) => rows.some(({ contexts }) => contexts.includes(context)))
    .map(([name]) => name);

/** What to do about a directive that is known but not supported, by the module that has it in nginx. */
const ADVICE: readonly (readonly [module: RegExp, advice: string])[] = [
  [/^stream/, 'keep the stream block in an nginx of its own'],
  [/^mail/, 'keep the mail block in an nginx of its own'],
  [/^http_perl$/, 'move what the Perl code does to the upstream'],
  [/^http_(xslt|image)_filter$/, 'let the upstream transform the response'],
  [/^(http|stream)_geoip$/, 'use geo or map with a generated list'],
  [/^google_perftools$/, 'remove it; node --cpu-prof profiles this program'],
];

/** The error for a directive that nginx has and this program has not. */
export const unsupported = ({ name, module }: KnownDirective): string => {
  const advice =
    name === 'load_module'
      ? 'modules compiled for nginx cannot be loaded, remove the line'
      : (ADVICE.find(([pattern]) => pattern.test(module))?.[1] ??
        'remove it, or leave what needs it to nginx');
  return `"${name}" directive is known but not supported by sluice yet: ${advice}`;
};
