/** `sticky` in an `upstream` block: clients stay with a server by a cookie, a route, or what is learnt of them. */
import { type Args, key, statement, type Word } from '../../config/contract.ts';
import { parseMsec, parseSec, parseSize } from '../../config/numbers.ts';
import { wordAt } from '../../config/parsers.ts';
import { wallClock } from '../../net/timers.ts';
import { type Sticky, stickyAround } from '../../upstream/sticky.ts';
import { StickySessions } from '../../upstream/sticky-sessions.ts';
import { zonesOf } from '../../zone/zones.ts';
import { HTTP } from '../build.ts';
import { cookieDate } from '../http-date.ts';
import { httpModule } from '../module.ts';
import { templateOf } from '../parsers.ts';
import type { Request } from '../request.ts';
import type { Template } from '../template.ts';
import type { VariableRef } from '../variables.ts';
import { UPSTREAM } from './upstream.ts';

const USE = 'sticky';
const PAGE = 4096;
/** Pages that nginx wants at least. */
const LEAST_PAGES = 8;
/** Milliseconds. */
const TIMEOUT = 600_000;

/** The sessions of a configuration, with the name of the upstream, by their zone's name. */
type Sessions = Map<string, { readonly sessions: StickySessions; readonly upstream: string }>;
const SESSIONS = key<Sessions>('the sessions of sticky');

const sessionsOf = ({ scope }: Pick<Args, 'scope'>): Sessions => {
  const { scope: http } = scope.need(HTTP);
  let sessions = http.find(SESSIONS);
  if (!sessions) http.carry(SESSIONS, (sessions = new Map()));
  return sessions;
};

/** The variable that a word names behind its `$`. */
const variable = (args: Args, name: string, word: Word): VariableRef => {
  if (name === '') args.fail('invalid variable name "$"', word);
  return args.scope.need(HTTP).variables.use(name, args.place);
};

const NO_SESSIONS = { sessions: undefined, create: [], early: false };

// ---- route

const route = (args: Args): Sticky => {
  const lookup = args.words.slice(1).map((word) => {
    if (!word.text.startsWith('$')) args.fail(`invalid variable name "${word.text}"`, word);
    return variable(args, word.text.slice(1), word);
  });
  return { ...NO_SESSIONS, lookup, cookie: undefined };
};

// ---- cookie

const SAME_SITE = /^(?:strict|lax|none)$/i;

interface CookieWords {
  domain?: Template;
  path?: string;
  /** Seconds; Infinity for `max`. */
  expires?: number;
  httponly?: true;
  secure?: true;
  samesite?: Template;
}

const cookieWords = (args: Args): CookieWords => {
  const found: CookieWords = {};
  for (const word of args.words.slice(2)) {
    const [, name = '', value] =
      /^(domain|path|expires|httponly|secure|samesite)(?:=(.*))?$/s.exec(word.text) ?? [];
    const isFlag = name === 'httponly' || name === 'secure';
    if (name === '' || isFlag !== (value === undefined)) args.fail(`unknown parameter "${word.text}"`, word);
    if (name in found) args.failDirective(`parameter "${name}" is duplicate`, word);
    const text = value ?? '';
    if (name === 'httponly') found.httponly = true;
    else if (name === 'secure') found.secure = true;
    else if (name === 'expires') {
      const seconds = text === 'max' ? Number.POSITIVE_INFINITY : parseSec(text);
      found.expires = seconds ?? args.failDirective('invalid "expires" parameter value', word);
    } else if (name === 'samesite') {
      found.samesite = templateOf(args, text);
      const { constant } = found.samesite;
      if (constant !== undefined && !SAME_SITE.test(constant))
        args.failDirective('invalid "samesite" parameter value', word);
    } else {
      if (text === '') args.failDirective(`no value for "${name}"`, word);
      if (name === 'path') found.path = text;
      else found.domain = templateOf(args, text);
    }
  }
  return found;
};

const lifetime = (seconds: number): string =>
  seconds === Number.POSITIVE_INFINITY
    ? '; expires=Thu, 31-Dec-37 23:55:55 GMT; max-age=315360000'
    : `; expires=${cookieDate(Math.floor(wallClock() / 1000) + seconds)}; max-age=${seconds}`;

const cookieOf =
  (name: string, { domain, path, expires, httponly, secure, samesite }: CookieWords) =>
  (request: Request, sid: string): string => {
    let text = `${name}=${sid}`;
    if (expires !== undefined) text += lifetime(expires);
    const host = domain?.text(request) ?? '';
    if (host !== '') text += `; domain=${host}`;
    if (httponly) text += '; httponly';
    if (secure) text += '; secure';
    const site = samesite?.text(request) ?? '';
    if (site !== '') text += `; samesite=${SAME_SITE.test(site) ? site : 'strict'}`;
    return path === undefined ? text : `${text}; path=${path}`;
  };

const cookie = (args: Args): Sticky => {
  const word = wordAt(args, 1);
  const name = word.text;
  if (name === '') args.failDirective('empty cookie name', word);
  const words = cookieWords(args);
  return {
    ...NO_SESSIONS,
    lookup: [variable(args, `cookie_${name}`, word)],
    cookie: cookieOf(name, words),
  };
};

// ---- learn

/** `zone=NAME:SIZE` taken apart. */
const zoneWord = (args: Args, word: Word): { readonly name: string; readonly bytes: number } => {
  const text = word.text.slice('zone='.length);
  const colon = text.indexOf(':');
  if (colon < 0) args.failDirective('zone size is not specified', word);
  if (colon === 0) args.failDirective('zone name is not specified', word);
  const bytes = parseSize(text.slice(colon + 1)) ?? args.failDirective('invalid zone size', word);
  if (bytes < LEAST_PAGES * PAGE) args.failDirective('zone is too small', word);
  return { name: text.slice(0, colon), bytes };
};

/** The sessions in that zone, which belong to one upstream. */
const sessionsIn = (args: Args, zone: ReturnType<typeof zoneWord>, timeout: number): StickySessions => {
  const { name, bytes } = zone;
  const upstream = args.scope.need(UPSTREAM).name;
  const known = sessionsOf(args);
  const changed = (before: string): string =>
    `sticky zone "${name}" is used in upstream "${upstream}" while previously it was used in upstream "${before}"`;
  const fail = (reason: string): never => args.fail(reason);
  const shared = zonesOf(args.scope).declare(name, bytes, USE, fail, { identity: upstream, changed });
  const other = known.get(name);
  if (other) args.fail(`sticky zone "${name}" is already used in upstream "${other.upstream}"`);
  const sessions = new StickySessions(shared, timeout);
  known.set(name, { sessions, upstream });
  return sessions;
};

const learn = (args: Args): Sticky => {
  const lookup: VariableRef[] = [];
  const create: VariableRef[] = [];
  let zone: ReturnType<typeof zoneWord> | undefined;
  let timeout: number | undefined;
  let early = false;
  for (const word of args.words.slice(1)) {
    const [, name = '', value = ''] = /^(zone|timeout|create|lookup)=(.*)$/s.exec(word.text) ?? [];
    if (name === 'zone') {
      if (zone) args.failDirective('duplicate zone', word);
      zone = zoneWord(args, word);
    } else if (name === 'timeout') {
      if (timeout !== undefined) args.failDirective('duplicate timeout', word);
      timeout = parseMsec(value) || args.failDirective('invalid timeout', word);
    } else if (name !== '') {
      if (!value.startsWith('$')) args.failDirective(`missing variable in the "${name}" parameter`, word);
      (name === 'create' ? create : lookup).push(variable(args, value.slice(1), word));
    } else if (word.text === 'header') early = true;
    else args.fail(`unknown parameter "${word.text}"`, word);
  }
  if (lookup.length === 0) args.failDirective('"lookup" parameter is not specified');
  if (create.length === 0) args.failDirective('"create" parameter is not specified');
  if (!zone) return args.failDirective('"zone" parameter is not specified');
  return { lookup, create, early, sessions: sessionsIn(args, zone, timeout ?? TIMEOUT), cookie: undefined };
};

const KINDS: ReadonlyMap<string, (args: Args) => Sticky> = new Map([
  ['cookie', cookie],
  ['route', route],
  ['learn', learn],
]);

export const upstreamSticky = httpModule({
  name: 'http_upstream_sticky',
  directives: {
    sticky: statement({
      in: ['upstream'],
      arity: { min: 2, max: Number.POSITIVE_INFINITY },
      run(args) {
        const kind = wordAt(args, 0);
        const read = KINDS.get(kind.text) ?? args.fail(`unknown parameter "${kind.text}"`, kind);
        args.scope.need(UPSTREAM).sticky = { around: stickyAround(read(args)) };
      },
    }),
  },
  prepare(build, { log }) {
    for (const { sessions } of sessionsOf(build).values()) sessions.open(log);
  },
});
