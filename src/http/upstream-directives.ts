/**
 * The directives that proxy_*, fastcgi_* and their like have in common: the rows of the table, named with a
 * prefix, and the settings of the engine that come of them.
 */
import {
  type Args,
  type Conf,
  type Context,
  directive,
  type Parser,
  type Scope,
} from '../config/contract.ts';
import { bufs, flag, msec, num, path, size, strings, wordsOf } from '../config/parsers.ts';
import { Reason } from '../config/reason.ts';
import { readBind } from '../upstream/bind-directive.ts';
import type { LocalAddress } from '../upstream/contract.ts';
import { IGNORE, NEXT, type UpstreamConf } from '../upstream/contract.ts';
import { kindsOf } from '../upstream/reply-name.ts';
import { HTTP } from './build.ts';
import { cacheRows, toCache } from './cache/cache-directives.ts';
import { sizeTemplate, templateOf } from './parsers.ts';
import { ReplyStore, storeCounts, storeRows } from './reply-store.ts';
import type { Template } from './template.ts';

/** Where nginx allows nearly every directive of this family. */
export const ANYWHERE: readonly Context[] = ['http', 'server', 'location'];

/** nginx's page size, which its default buffers are made of. */
const PAGE = 4096;
const GIB = 1024 ** 3;

/** The words of `proxy_next_upstream`. */
export type NextWord = keyof typeof NEXT;

/** Lines of a CGI reply that are for this program, not for its client. */
export const CGI_HIDDEN = [
  'Status',
  'X-Accel-Expires',
  'X-Accel-Redirect',
  'X-Accel-Limit-Rate',
  'X-Accel-Buffering',
  'X-Accel-Charset',
];

/** The words of `fastcgi_next_upstream` and those of its kind. */
export const CGI_NEXT = [
  'error',
  'timeout',
  'invalid_header',
  'non_idempotent',
  'http_500',
  'http_503',
  'http_403',
  'http_404',
  'http_429',
  'updating',
  'off',
] as const;
type IgnoreWord = keyof typeof IGNORE;
const IGNORED: readonly IgnoreWord[] = [
  'X-Accel-Redirect',
  'X-Accel-Expires',
  'X-Accel-Limit-Rate',
  'X-Accel-Buffering',
  'X-Accel-Charset',
  'Expires',
  'Cache-Control',
  'Set-Cookie',
  'Vary',
];

/** `proxy_bind ADDRESS [transparent]`; the latter is for addresses that are not this machine's. */
const bind: Parser<LocalAddress | 'off'> = {
  arity: [1, 2],
  parse: (args) => readBind(args, (text) => templateOf(args, text)),
};

/** Socket options that Node does not reach; they change how fast, not what. */
const notReached = (parser: Parser<number>): Parser<number> => ({
  ...parser,
  parse(args: Args, own) {
    args.warn(`"${args.name}" is not supported, ignored`);
    return parser.parse(args, own);
  },
});

/**
 * The rows shared by all modules that pass requests on; the directives are `PREFIX_connect_timeout` and so on,
 * and `next` are the words that `PREFIX_next_upstream` knows.
 */
export const upstreamRows = (prefix: string, next: readonly NextWord[]) => {
  const named = (name: string) => ({ in: ANYWHERE, names: [`${prefix}_${name}`] });
  return {
    connectTimeout: directive(msec, { ...named('connect_timeout'), initial: 60_000 }),
    sendTimeout: directive(msec, { ...named('send_timeout'), initial: 60_000 }),
    readTimeout: directive(msec, { ...named('read_timeout'), initial: 60_000 }),
    buffering: directive(flag, { ...named('buffering'), initial: true }),
    requestBuffering: directive(flag, { ...named('request_buffering'), initial: true }),
    bufferSize: directive(size, { ...named('buffer_size'), initial: PAGE }),
    buffers: directive(bufs, { ...named('buffers'), initial: { number: 8, size: PAGE } }),
    busyBuffersSize: directive<number | undefined>(size, {
      ...named('busy_buffers_size'),
      initial: undefined,
    }),
    maxTempFileSize: directive<number | undefined>(size, {
      ...named('max_temp_file_size'),
      initial: undefined,
    }),
    tempFileWriteSize: directive<number | undefined>(size, {
      ...named('temp_file_write_size'),
      initial: undefined,
    }),
    tempPath: directive<UpstreamConf['tempPath'] | undefined>(path, {
      ...named('temp_path'),
      initial: undefined,
    }),
    nextUpstream: directive<readonly NextWord[]>(wordsOf(...next), {
      ...named('next_upstream'),
      initial: ['error', 'timeout'],
    }),
    nextUpstreamTries: directive(num(), { ...named('next_upstream_tries'), initial: 0 }),
    nextUpstreamTimeout: directive(msec, { ...named('next_upstream_timeout'), initial: 0 }),
    interceptErrors: directive(flag, { ...named('intercept_errors'), initial: false }),
    ignoreClientAbort: directive(flag, { ...named('ignore_client_abort'), initial: false }),
    forceRanges: directive(flag, { ...named('force_ranges'), initial: false }),
    socketKeepalive: directive(flag, { ...named('socket_keepalive'), initial: false }),
    socketRcvbuf: directive(notReached(size), { ...named('socket_rcvbuf'), initial: 0 }),
    socketSndbuf: directive(notReached(size), { ...named('socket_sndbuf'), initial: 0 }),
    bind: directive<LocalAddress | 'off'>(bind, { ...named('bind'), initial: 'off' }),
    hideHeader: directive(strings, { ...named('hide_header'), initial: [] }),
    passHeader: directive(strings, { ...named('pass_header'), initial: [] }),
    ignoreHeaders: directive<readonly IgnoreWord[]>(wordsOf(...IGNORED), {
      ...named('ignore_headers'),
      initial: [],
    }),
    ...cacheRows(prefix, next),
    ...storeRows(prefix),
    limitRate: directive<Template | undefined>(sizeTemplate, { ...named('limit_rate'), initial: undefined }),
    passRequestHeaders: directive(flag, { ...named('pass_request_headers'), initial: true }),
    passRequestBody: directive(flag, { ...named('pass_request_body'), initial: true }),
  };
};
export type SharedConf = Conf<ReturnType<typeof upstreamRows>>;

/** What a module adds to the shared directives. */
export interface OwnPart {
  /** `proxy`, `fastcgi`: for messages. */
  readonly prefix: string;
  /** The folder of temporary files where `PREFIX_temp_path` names none. */
  readonly tempFolder: string;
  /** Headers of a reply that are not passed on unless `PREFIX_pass_header` says so. */
  readonly hidden: readonly string[];
  /** `proxy_method`. */
  readonly method?: Template | undefined;
  /** `proxy_cache_convert_head`. */
  readonly convertHead?: boolean;
}

/** The engine's settings for one location. Throws `Reason` in nginx's words where directives contradict each other. */
export const toUpstreamConf = (conf: SharedConf, own: OwnPart, scope: Scope): UpstreamConf => {
  const { buffers, bufferSize } = conf;
  const largest = Math.max(bufferSize, buffers.size);
  const busyBuffersSize = conf.busyBuffersSize ?? 2 * largest;
  const maxTempFileSize = conf.maxTempFileSize ?? GIB;
  checkBuffers(conf, own.prefix, largest, busyBuffersSize, maxTempFileSize);
  const tempPath = conf.tempPath ?? { path: own.tempFolder, levels: [1, 2] };
  scope.find(HTTP)?.tempFolders.add(tempPath.path);
  const { store: target } = conf;
  const saves = conf.cache === 'off' || storeCounts(own.prefix, scope);
  const store = target === 'off' || !saves ? undefined : new ReplyStore(target, conf.storeAccess, tempPath);
  const hidden = hiddenHeaders(own.hidden, conf.hideHeader, conf.passHeader);
  return {
    connectTimeout: conf.connectTimeout,
    sendTimeout: conf.sendTimeout,
    readTimeout: conf.readTimeout,
    nextUpstream: nextBits(conf.nextUpstream),
    nextUpstreamTries: conf.nextUpstreamTries,
    nextUpstreamTimeout: conf.nextUpstreamTimeout,
    buffering: conf.buffering,
    requestBuffering: conf.requestBuffering,
    bufferSize,
    buffers: { count: buffers.number, size: buffers.size },
    busyBuffersSize,
    maxTempFileSize,
    tempPath,
    interceptErrors: conf.interceptErrors,
    // What is saved is read to its end.
    ignoreClientAbort: conf.ignoreClientAbort || store !== undefined,
    forceRanges: conf.forceRanges,
    socketKeepalive: conf.socketKeepalive,
    passRequestHeaders: conf.passRequestHeaders,
    passRequestBody: conf.passRequestBody,
    ignoreHeaders: bits(IGNORE, conf.ignoreHeaders),
    hidden: hidden.names,
    hiddenKinds: hidden.kinds,
    bind: conf.bind === 'off' ? undefined : conf.bind,
    limitRate: conf.limitRate,
    method: own.method,
    cache:
      store ?? toCache(conf, { prefix: own.prefix, tempPath, convertHead: own.convertHead ?? false }, scope),
  };
};

/** The bits that words stand for. */
export const bits = <T extends string>(masks: Readonly<Record<T, number>>, words: readonly T[]): number => {
  let mask = 0;
  for (const word of words) mask |= masks[word];
  return mask;
};

/** When another peer is tried: the words of `proxy_next_upstream` as bits of NEXT. */
export const nextBits = (words: readonly NextWord[]): number =>
  words.includes('off') ? NEXT.off : bits(NEXT, words);

/** Reply headers that are not passed on, and the lists that they come of. */
interface Hidden {
  readonly hide: readonly string[];
  readonly pass: readonly string[];
  /** In lower case. */
  readonly names: ReadonlySet<string>;
  readonly kinds: number;
}

/** The last one by a module's own list: thousands of locations inherit the same lists. */
const lastHidden = new WeakMap<readonly string[], Hidden>();

/** What `PREFIX_hide_header` and `PREFIX_pass_header` come to. */
export const hiddenHeaders = (
  always: readonly string[],
  hide: readonly string[],
  pass: readonly string[],
): Hidden => {
  const last = lastHidden.get(always);
  if (last && last.hide === hide && last.pass === pass) return last;
  const names = new Set([...always, ...hide].map((name) => name.toLowerCase()));
  for (const name of pass) names.delete(name.toLowerCase());
  const hidden: Hidden = { hide, pass, names, kinds: kindsOf(names) };
  lastHidden.set(always, hidden);
  return hidden;
};

const checkBuffers = (
  conf: SharedConf,
  prefix: string,
  largest: number,
  busy: number,
  tempFile: number,
): void => {
  const { number: count, size: each } = conf.buffers;
  const maximum = `the maximum of the value of "${prefix}_buffer_size" and one of the "${prefix}_buffers"`;
  if (count < 2) throw new Reason(`there must be at least 2 "${prefix}_buffers"`);
  if (busy < largest) {
    throw new Reason(`"${prefix}_busy_buffers_size" must be equal to or greater than ${maximum}`);
  }
  if (busy > (count - 1) * each) {
    throw new Reason(
      `"${prefix}_busy_buffers_size" must be less than the size of all "${prefix}_buffers" minus one buffer`,
    );
  }
  if ((conf.tempFileWriteSize ?? 2 * largest) < largest) {
    throw new Reason(`"${prefix}_temp_file_write_size" must be equal to or greater than ${maximum}`);
  }
  if (tempFile !== 0 && tempFile < largest) {
    throw new Reason(
      `"${prefix}_max_temp_file_size" must be equal to zero to disable temporary files usage or must be equal to or greater than ${maximum}`,
    );
  }
};

/**
 * Whether the `X_pass` that stands in the block `written` holds at `scope` too: only an `if` or `limit_except`
 * takes the handler of the location around it.
 */
export const passApplies = (written: Scope, scope: Scope): boolean => {
  let at: Scope | undefined = scope;
  while (at && at !== written && (at.context === 'if-in-location' || at.context === 'limit_except')) {
    at = at.parent;
  }
  return at === written;
};
