/** `valid_referers`: whether a request comes from a page that may link here (ngx_http_referer). */
import {
  type Args,
  ConfError,
  type Context,
  directive,
  key,
  type Parser,
  type Scope,
  statement,
} from '../../config/contract.ts';
import { num } from '../../config/parsers.ts';
import { HostTable, isWildcard, type Problem } from '../../values/host-table.ts';
import { HTTP, type Regex, type ServerBuild } from '../build.ts';
import { httpModule } from '../module.ts';
import type { Request } from '../request.ts';

const WHERE: readonly Context[] = ['server', 'location'];

interface Referers {
  readonly none: boolean;
  readonly blocked: boolean;
  /** The server whose names are valid too. */
  readonly server: ServerBuild | undefined;
  /** Names, and what the path must begin with: '' for any. */
  readonly exact: Map<string, string>;
  readonly hosts: HostTable<string>;
  readonly regexes: readonly Regex[];
}

const NOTHING: Referers = {
  none: false,
  blocked: false,
  server: undefined,
  exact: new Map(),
  hosts: new HostTable(),
  regexes: [],
};

/** What each level has, until the names of all servers are known. */
const LISTS = key<Map<Scope, Referers>>('lists of valid referers');

/** Adds a lower-case name; answers what is wrong with it. */
const put = (name: string, path: string, { exact, hosts }: Referers): Problem => {
  if (isWildcard(name)) return hosts.holds(name) ? 'conflict' : hosts.add(name, path);
  if (exact.has(name) || hosts.holds(name)) return 'conflict';
  exact.set(name, path);
  return undefined;
};

/** Adds a name with the path behind it. */
const addName = (args: Args, text: string, conf: Referers): void => {
  const slash = text.indexOf('/');
  const name = slash < 0 ? text : text.slice(0, slash);
  const problem = put(name.toLowerCase(), slash < 0 ? '' : text.slice(slash), conf);
  if (problem === 'invalid') args.fail(`invalid hostname or wildcard "${name}"`);
  if (problem === 'conflict') args.fail(`conflicting parameter "${name}"`);
};

/** Adds the names of the server where they are wanted. Throws in nginx's words. */
const completeList = (conf: Referers): void => {
  const names = conf.server?.names.filter(({ regex }) => !regex) ?? [];
  if (conf.server?.names.length === 0) conf.exact.set('', '');
  for (const { text } of names) {
    if (put(text, '', conf) === 'conflict') throw new ConfError(`conflicting parameter "${text}"`, undefined);
  }
  if ((conf.none || conf.blocked) && conf.exact.size === 0 && conf.hosts.empty) {
    throw new ConfError(
      'the "none" or "blocked" referers are specified in the "valid_referers" directive without any valid referer',
      undefined,
    );
  }
};

const referers: Parser<Referers> = {
  arity: { min: 1, max: Number.POSITIVE_INFINITY },
  repeats: true,
  parse(args, own = { ...NOTHING, exact: new Map(), hosts: new HostTable<string>() }) {
    const build = args.scope.need(HTTP);
    let { none, blocked, server } = own;
    const regexes = [...own.regexes];
    for (const word of args.words) {
      const { text } = word;
      if (text === '') args.fail(`invalid referer "${text}"`, word);
      else if (text === 'none') none = true;
      else if (text === 'blocked') blocked = true;
      else if (text === 'server_names') server = build.servers.at(-1);
      else if (text === '~') args.fail('empty regex in "~"', word);
      else if (text.startsWith('~')) regexes.push(build.regex(text.slice(1), true, args.place));
      else addName(args, text, own);
    }
    const conf = { ...own, none, blocked, server, regexes };
    args.scope.need(LISTS).set(args.scope, conf);
    return conf;
  },
};

/** Whether the host of a referer fits a regular expression among the server's own names. */
const isServerName = ({ names }: ServerBuild, host: string): boolean =>
  names.some(({ regex }) => regex?.regexp.test(host));

const isValid = (request: Request, conf: Referers): boolean => {
  const referer = request.headers.get('referer');
  if (referer === undefined) return conf.none;
  const scheme = referer.length >= 'http://i.ru'.length ? /^https?:\/\//i.exec(referer) : null;
  if (!scheme) return conf.blocked;
  const rest = referer.slice(scheme[0].length);
  const [host = ''] = rest.split(/[/:]/, 1);
  if (host.length > 256) return false;
  const lower = host.toLowerCase();
  const path = conf.exact.get(lower) ?? conf.hosts.find(lower);
  if (path !== undefined) {
    const slash = rest.indexOf('/', host.length);
    return path === '' || (slash >= 0 && rest.startsWith(path, slash));
  }
  if (conf.server && isServerName(conf.server, lower)) return true;
  return conf.regexes.some(({ regexp }) => regexp.test(rest));
};

const hashSize = statement({
  in: WHERE,
  arity: 1,
  run: (args) => {
    num().parse(args, undefined);
  },
});

const invalidReferer = (request: Request): string => {
  const { valid_referers: conf } = request.location.confOf(refererModule);
  return conf === undefined || isValid(request, conf) ? '' : '1';
};

export const refererModule = httpModule({
  name: 'http_referer',
  directives: {
    valid_referers: directive<Referers | undefined>(referers as Parser<Referers | undefined>, {
      in: WHERE,
      initial: undefined,
    }),
    referer_hash_max_size: hashSize,
    referer_hash_bucket_size: hashSize,
  },
  begin: (build) => build.scope.carry(LISTS, new Map()),
  complete(build) {
    for (const conf of build.scope.need(LISTS).values()) completeList(conf);
  },
  variables: { invalid_referer: { get: invalidReferer, cached: true, changeable: true } },
});
