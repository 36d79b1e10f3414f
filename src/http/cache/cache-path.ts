/** `proxy_cache_path` and its like: the folders of kept replies, and where their records are. */
import { type Args, key, type Scope, type Word } from '../../config/contract.ts';
import { parseMsec, parseNumber, parseOffset, parseSec, parseSize } from '../../config/numbers.ts';
import { absolute, wordAt } from '../../config/parsers.ts';
import { zonesOf } from '../../zone/zones.ts';
import { HTTP } from '../build.ts';
import { CacheStore, type StoreConf } from './store.ts';

/** The stores of one family of directives (`proxy`), by the name of their zone. */
export type Stores = Map<string, CacheStore>;
const STORES = key<Map<string, Stores>>('caches');

/** nginx: two pages of memory, or eight. */
const LEAST_ZONE = 8192;
const NEVER = Number.POSITIVE_INFINITY;

/** The stores that the http block around `scope` declares for `prefix`; they may be declared later in the file. */
export const storesOf = (scope: Scope, prefix: string): Stores => {
  const { scope: http } = scope.need(HTTP);
  let all = http.find(STORES);
  if (!all) http.carry(STORES, (all = new Map()));
  let stores = all.get(prefix);
  if (!stores) all.set(prefix, (stores = new Map()));
  return stores;
};

/** All stores of an http block. */
export const allStores = (http: Scope): readonly CacheStore[] =>
  [...(http.find(STORES)?.values() ?? [])].flatMap((stores) => [...stores.values()]);

const levelsOf = (text: string): readonly number[] | undefined =>
  /^[12](?::[12]){0,2}$/.test(text) ? text.split(':').map(Number) : undefined;

/** `keys_zone=NAME:SIZE`. */
const zoneOf = (args: Args, word: Word, text: string): { readonly name: string; readonly bytes: number } => {
  const colon = text.indexOf(':');
  const bytes = colon < 0 ? undefined : parseSize(text.slice(colon + 1));
  if (bytes === undefined) return args.fail(`invalid keys zone size "${word.text}"`, word);
  if (bytes < LEAST_ZONE) args.fail(`keys zone "${word.text}" is too small`, word);
  return { name: text.slice(0, colon), bytes };
};

type Settings = { -readonly [K in keyof StoreConf]: StoreConf[K] };

/** Numbers by the name of their parameter: how they are read, and where they go. */
const NUMBERS: Readonly<
  Record<
    string,
    readonly [parse: (text: string) => number | undefined, put: (to: Settings, value: number) => void]
  >
> = {
  inactive: [parseSec, (to, value) => (to.inactive = value)],
  max_size: [parseOffset, (to, value) => (to.maxSize = value)],
  min_free: [parseOffset, (to, value) => (to.minFree = value)],
  loader_files: [parseNumber, (to, files) => (to.loader = { ...to.loader, files })],
  loader_sleep: [parseMsec, (to, pause) => (to.loader = { ...to.loader, pause })],
  // How long one batch may take: ours are cut by their number alone.
  loader_threshold: [parseMsec, () => undefined],
  manager_files: [parseNumber, (to, files) => (to.manager = { ...to.manager, files })],
  manager_sleep: [parseMsec, (to, pause) => (to.manager = { ...to.manager, pause })],
  manager_threshold: [parseMsec, () => undefined],
};

const setParameter = (args: Args, word: Word, to: Settings): void => {
  const [, name = '', value = ''] = /^(\w+)=(.*)$/s.exec(word.text) ?? [];
  if (name === 'levels') {
    to.levels = levelsOf(value) ?? args.fail(`invalid "levels" "${word.text}"`, word);
  } else if (name === 'use_temp_path') {
    if (value !== 'on' && value !== 'off') {
      args.fail(`invalid use_temp_path value "${word.text}", it must be "on" or "off"`, word);
    }
    to.useTempPath = value === 'on';
  } else {
    const [parse, put] = (Object.hasOwn(NUMBERS, name) ? NUMBERS[name] : undefined) ?? [];
    if (!parse || !put) args.fail(`invalid parameter "${word.text}"`, word);
    const number = parse(value);
    if (number === undefined) args.fail(`invalid ${name} value "${word.text}"`, word);
    put(to, number);
  }
};

/** Declares a store. Throws in nginx's words. */
export const declareStore = (args: Args, prefix: string): void => {
  const path = absolute(args.scope.load.prefix, wordAt(args, 0).text).replace(/(?<=.)\/$/, '');
  const conf: Settings = {
    path,
    levels: [],
    useTempPath: true,
    inactive: 600,
    maxSize: NEVER,
    minFree: 0,
    loader: { files: 100, pause: 50 },
    manager: { files: 100, pause: 50 },
  };
  let zone: { readonly name: string; readonly bytes: number } | undefined;
  for (const word of args.words.slice(1)) {
    if (word.text.startsWith('keys_zone=')) zone = zoneOf(args, word, word.text.slice('keys_zone='.length));
    else setParameter(args, word, conf);
  }
  if (!zone) args.fail(`"${args.name}" must have "keys_zone" parameter`);
  const stores = storesOf(args.scope, prefix);
  const { name, bytes } = zone;
  if (stores.has(name)) args.fail(`duplicate zone "${name}"`);
  const identity = `${conf.path}|${conf.levels.join(':')}`;
  const changed = (): string => `cache "${name}" uses another path than before`;
  const shared = zonesOf(args.scope).declare(name, bytes, `${prefix}_cache`, (reason) => args.fail(reason), {
    identity,
    changed,
  });
  stores.set(name, new CacheStore(name, shared, conf));
  args.scope.need(HTTP).tempFolders.add(path);
};
