/** The directives that say how files are opened: `open_file_cache` and its kin, `disable_symlinks`. */
import { type Args, type Context, directive, type Parser } from '../config/contract.ts';
import { parseNumber, parseSec } from '../config/numbers.ts';
import { flag, num, sec } from '../config/parsers.ts';
import { libcAvailable } from '../platform/libc.ts';
import { GuardedOpener, type LinkRule, type Opener, plainOpener } from './open-file.ts';
import { type CacheRules, CachingOpener, OpenFileCache } from './open-file-cache.ts';
import { templateOf } from './parsers.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];

const openFileCache: Parser<OpenFileCache | false> = {
  arity: [1, 2],
  parse(args: Args) {
    let [max, inactive, off] = [0, 60, false];
    for (const word of args.words) {
      const [name = '', text = ''] = word.text.split(/=(.*)/s);
      const number = name === 'max' ? parseNumber(text) : name === 'inactive' ? parseSec(text) : undefined;
      if (word.text === 'off') off = true;
      else if (number === undefined || (name === 'max' && number === 0)) {
        args.fail(`invalid "open_file_cache" parameter "${word.text}"`, word);
      } else if (name === 'max') max = number;
      else inactive = number;
    }
    if (off) return false;
    if (max === 0) args.fail('"open_file_cache" must have the "max" parameter');
    return new OpenFileCache(max, inactive);
  },
};

const disableSymlinks: Parser<LinkRule | false> = {
  arity: [1, 2],
  parse(args: Args) {
    let mode: 'off' | LinkRule['links'] | undefined;
    let from: LinkRule['from'];
    for (const word of args.words) {
      if (word.text === 'off') mode = 'off';
      else if (word.text === 'on') mode = 'none';
      else if (word.text === 'if_not_owner') mode = 'same-owner';
      else if (word.text.startsWith('from=')) from = templateOf(args, word.text.slice(5));
      else args.fail(`invalid parameter "${word.text}"`, word);
    }
    if (mode === undefined) {
      return args.fail(`"${args.name}" must have "off", "on" or "if_not_owner" parameter`);
    }
    if (args.words.length === 2 && from === undefined) {
      args.fail(`duplicate parameters "${args.texts[0]} ${args.texts[1]}"`);
    }
    if (mode === 'off') {
      if (from !== undefined) args.fail('"from=" cannot be used with "off" parameter');
      return false;
    }
    if (!libcAvailable()) args.fail('"disable_symlinks" needs the package koffi, which has no binary here');
    return { links: mode, from };
  },
};

/** The rows of the core module that are about this. */
export const fileRows = {
  open_file_cache: directive<OpenFileCache | false>(openFileCache, { in: WHERE, initial: false }),
  open_file_cache_errors: directive(flag, { in: WHERE, initial: false }),
  open_file_cache_events: directive(flag, { in: WHERE, initial: false }),
  open_file_cache_min_uses: directive(num(), { in: WHERE, initial: 1 }),
  open_file_cache_valid: directive(sec, { in: WHERE, initial: 60 }),
  disable_symlinks: directive<LinkRule | false>(disableSymlinks, { in: WHERE, initial: false }),
};

/** How files are opened where this holds. */
export const openerOf = (
  conf: CacheRules & {
    readonly open_file_cache: OpenFileCache | false;
    readonly disable_symlinks: LinkRule | false;
  },
): Opener => {
  const { open_file_cache: cache, disable_symlinks: rule } = conf;
  if (cache) return new CachingOpener(cache, conf, rule || undefined);
  return rule ? new GuardedOpener(rule) : plainOpener;
};
