/** The rows of `proxy_cache*` and `proxy_no_cache`, for any family of directives that passes requests on. */
import {
  type Args,
  type Conf,
  type Context,
  directive,
  type Parser,
  type Scope,
} from '../../config/contract.ts';
import { parseNumber, parseSec } from '../../config/numbers.ts';
import { flag, msec, num, offset, wordAt, wordsOf } from '../../config/parsers.ts';
import { Reason } from '../../config/reason.ts';
import { NEXT, type TempPath } from '../../upstream/contract.ts';
import { NO_LIVE } from '../../upstream/states.ts';
import { predicate, template, templateAt } from '../parsers.ts';
import { keepsReplies } from '../reply-store.ts';
import type { Template } from '../template.ts';
import { type CacheValid, FileCache } from './cache.ts';
import { storesOf } from './cache-path.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];

/** `proxy_cache NAME | off`. */
const cacheName: Parser<Template | 'off'> = {
  arity: 1,
  parse(args) {
    if (wordAt(args, 0).text === 'off') return 'off';
    keepsReplies(args, args.name.replace(/cache$/, 'store'));
    return templateAt(args, 0);
  },
};

/** What is kept when only a time is given. */
const USUAL = [200, 301, 302];

const statusOf = (args: Args, index: number): number => {
  const word = wordAt(args, index);
  if (word.text === 'any') return 0;
  const status = parseNumber(word.text);
  if (status === undefined || status < 100) return args.fail(`invalid status "${word.text}"`, word);
  return status;
};

/** `proxy_cache_valid [STATUS ...] TIME`. */
const valid: Parser<readonly CacheValid[]> = {
  arity: { min: 1, max: Number.POSITIVE_INFINITY },
  repeats: true,
  parse(args, own = []) {
    const last = args.words.length - 1;
    const word = wordAt(args, last);
    const seconds = parseSec(word.text);
    if (seconds === undefined) return args.fail(`invalid time value "${word.text}"`, word);
    const statuses = last === 0 ? USUAL : args.words.slice(0, last).map((_, index) => statusOf(args, index));
    return [...own, ...statuses.map((status) => ({ status, seconds }))];
  },
};

type NextWord = keyof typeof NEXT;

/** The rows named with a prefix; `next` are the words that `PREFIX_cache_use_stale` knows. */
export const cacheRows = (prefix: string, next: readonly NextWord[]) => {
  const named = (name: string) => ({ in: WHERE, names: [`${prefix}_${name}`] });
  return {
    cache: directive<Template | 'off'>(cacheName, { ...named('cache'), initial: 'off' }),
    cacheKey: directive<Template | undefined>(template, { ...named('cache_key'), initial: undefined }),
    cacheValid: directive<readonly CacheValid[]>(valid, { ...named('cache_valid'), initial: [] }),
    cacheMethods: directive(wordsOf('GET', 'HEAD', 'POST'), { ...named('cache_methods'), initial: [] }),
    cacheMinUses: directive(num(), { ...named('cache_min_uses'), initial: 1 }),
    cacheBypass: directive(predicate, { ...named('cache_bypass'), initial: [] }),
    noCache: directive(predicate, { ...named('no_cache'), initial: [] }),
    cacheUseStale: directive<readonly NextWord[]>(wordsOf(...next), {
      ...named('cache_use_stale'),
      initial: ['off'],
    }),
    cacheLock: directive(flag, { ...named('cache_lock'), initial: false }),
    cacheLockTimeout: directive(msec, { ...named('cache_lock_timeout'), initial: 5000 }),
    cacheLockAge: directive(msec, { ...named('cache_lock_age'), initial: 5000 }),
    cacheRevalidate: directive(flag, { ...named('cache_revalidate'), initial: false }),
    cacheBackgroundUpdate: directive(flag, { ...named('cache_background_update'), initial: false }),
    cacheMaxRangeOffset: directive(offset, {
      ...named('cache_max_range_offset'),
      initial: Number.POSITIVE_INFINITY,
    }),
  };
};
type Rows = Conf<ReturnType<typeof cacheRows>>;

const bits = (words: readonly NextWord[]): number => {
  if (words.includes('off')) return 0;
  let mask = 0;
  for (const word of words) mask |= NEXT[word];
  return (mask & NEXT.error) === 0 ? mask : mask | NO_LIVE;
};

/** The cache of a location; undefined where there is none. Throws Reason for a zone that nothing declares. */
export const toCache = (
  conf: Rows,
  { prefix, tempPath, convertHead }: { prefix: string; tempPath: TempPath; convertHead: boolean },
  scope: Scope,
): FileCache | undefined => {
  const { cache: name } = conf;
  if (name === 'off') return undefined;
  const stores = storesOf(scope, prefix);
  const store = name.constant === undefined ? name : stores.get(name.constant);
  if (!store) throw new Reason(`"${prefix}_cache" zone "${name.constant}" is unknown`);
  return new FileCache({
    store,
    stores,
    key: conf.cacheKey,
    valid: conf.cacheValid,
    methods: new Set<string>(['GET', 'HEAD', ...conf.cacheMethods]),
    minUses: conf.cacheMinUses,
    bypass: conf.cacheBypass,
    noCache: conf.noCache,
    useStale: bits(conf.cacheUseStale),
    lock: conf.cacheLock,
    lockTimeout: conf.cacheLockTimeout,
    lockAge: conf.cacheLockAge,
    revalidate: conf.cacheRevalidate,
    backgroundUpdate: conf.cacheBackgroundUpdate,
    convertHead,
    maxRangeOffset: conf.cacheMaxRangeOffset,
    tempPath,
  });
};
