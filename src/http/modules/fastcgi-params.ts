/** `fastcgi_param` and what a request's path means to a CGI script: its name and the path behind it. */
import type { Parser } from '../../config/contract.ts';
import { wordAt } from '../../config/parsers.ts';
import { compileRegex } from '../../config/regex.ts';
import type { Param } from '../../upstream/protocols/fastcgi/params.ts';
import type { HttpBuild } from '../build.ts';
import { templateAt } from '../parsers.ts';

/** `fastcgi_param NAME VALUE [if_not_empty]`. */
export const params: Parser<readonly Param[]> = {
  arity: [2, 3],
  repeats: true,
  parse(args, own = []) {
    const condition = args.words[2];
    if (condition && condition.text !== 'if_not_empty') {
      args.fail(`invalid parameter "${condition.text}"`, condition);
    }
    const param = {
      name: wordAt(args, 0).text,
      value: templateAt(args, 1),
      ifNotEmpty: condition !== undefined,
    };
    return [...own, param];
  },
};

const HOST = 'HTTP_HOST';

/** What is sent although no `fastcgi_param` says so: the host as nginx has checked it, not as the client wrote it. */
export const withDefaults = (own: readonly Param[], build: HttpBuild): readonly Param[] =>
  own.some(({ name }) => name.toUpperCase() === HOST)
    ? own
    : [...own, { name: HOST, value: build.template('$host$is_request_port$request_port'), ifNotEmpty: true }];

/** What the cache asks with in place of the client's conditions and ranges; `fastcgi_param` goes before it. */
const CACHE_PARAMS = [
  ['HTTP_IF_MODIFIED_SINCE', '$upstream_cache_last_modified'],
  ['HTTP_IF_UNMODIFIED_SINCE', ''],
  ['HTTP_IF_NONE_MATCH', '$upstream_cache_etag'],
  ['HTTP_IF_MATCH', ''],
  ['HTTP_RANGE', ''],
  ['HTTP_IF_RANGE', ''],
] as const;

/** The parameters of a request whose reply is to be kept. */
export const withCacheParams = (own: readonly Param[], build: HttpBuild): readonly Param[] => {
  const set = new Set(own.map(({ name }) => name.toUpperCase()));
  const added = CACHE_PARAMS.filter(([name]) => !set.has(name));
  return [
    ...withDefaults(own, build),
    ...added.map(([name, value]) => ({ name, value: build.template(value), ifNotEmpty: true })),
  ];
};

/** A path taken apart. */
interface Script {
  readonly name: string;
  readonly pathInfo: string;
}

/** `fastcgi_split_path_info` and `fastcgi_index` of one location. */
export class PathSplit {
  readonly #pattern: RegExp | undefined;
  readonly #index: string;
  /** The variables of one request ask for the same path, often several times. */
  #lastUri = '';
  #last: Script = { name: '', pathInfo: '' };

  constructor(pattern: RegExp | undefined, index: string) {
    this.#pattern = pattern;
    this.#index = index;
  }

  /** `$fastcgi_script_name`. */
  name(uri: string): string {
    const { name } = this.#split(uri);
    return name.endsWith('/') ? name + this.#index : name;
  }

  /** `$fastcgi_path_info`. */
  pathInfo(uri: string): string {
    return this.#split(uri).pathInfo;
  }

  #split(uri: string): Script {
    if (uri === this.#lastUri) return this.#last;
    const found = this.#pattern?.exec(uri);
    this.#lastUri = uri;
    this.#last = { name: found ? (found[1] ?? '') : uri, pathInfo: found?.[2] ?? '' };
    return this.#last;
  }
}

/** The pattern of `fastcgi_split_path_info`: its two captures are the script's name and the path behind it. */
export const splitPattern: Parser<RegExp | undefined> = {
  arity: 1,
  parse(args) {
    const word = wordAt(args, 0);
    const { regexp, captures } = compileRegex(word.text);
    if (captures !== 2) args.fail(`pattern "${word.text}" must have 2 captures`, word);
    return regexp;
  },
};
