/** `valid_referers`: whether a request comes from a page that may link here (ngx_http_referer). */
import { type Args, type Context, directive, type Parser, statement } from '../../config/contract.ts';
import { num } from '../../config/parsers.ts';
import { HTTP, type Regex, type ServerBuild } from '../build.ts';
import { httpModule } from '../module.ts';
import type { Request } from '../request.ts';
import { HostTable } from './host-table.ts';

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

/** Adds a name with the path behind it. */
const addName = (args: Args, text: string, { exact, hosts }: Referers): void => {
  const slash = text.indexOf('/');
  const name = (slash < 0 ? text : text.slice(0, slash)).toLowerCase();
  const path = slash < 0 ? '' : text.slice(slash);
  const wild = name.includes('*') || name.startsWith('.');
  const problem = wild ? hosts.add(name, path) : exact.has(name) ? 'conflict' : undefined;
  if (problem === 'invalid') args.fail(`invalid hostname or wildcard "${name}"`);
  if (problem === 'conflict') args.fail(`conflicting parameter "${name}"`);
  if (!wild) exact.set(name, path);
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
      else if (text.startsWith('http://') || text.startsWith('https://')) {
        args.fail(`invalid parameter "${text}"`, word);
      } else addName(args, text, own);
    }
    return { ...own, none, blocked, server, regexes };
  },
};

/** Whether the host of a referer is one of the server's own names. */
const isServerName = ({ names }: ServerBuild, host: string): boolean =>
  names.some(({ text, regex }) => {
    if (regex) return regex.regexp.test(host);
    if (text.startsWith('*.')) return host.endsWith(text.slice(1)) && host.length >= text.length;
    if (text.startsWith('.')) return host === text.slice(1) || host.endsWith(text);
    if (text.endsWith('.*')) return host.startsWith(text.slice(0, -1));
    return text === host;
  });

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
  variables: { invalid_referer: { get: invalidReferer, cached: true, changeable: true } },
});
