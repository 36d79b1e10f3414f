/** The core module's directives that are values: limits, timeouts, keepalive, files, error pages. */
import {
  type ConfOf,
  type Context,
  defineModule,
  directive,
  type Parser,
  type Scope,
} from '../config/contract.ts';
import { parseMsec, parseNumber } from '../config/numbers.ts';
import {
  bufs,
  enumOf,
  flag,
  msec,
  num,
  offset,
  path,
  poolSize,
  size,
  str,
  withArity,
  wordAt,
  wordsOf,
} from '../config/parsers.ts';
import { Reason } from '../config/reason.ts';
import type { Resolver } from '../net/resolver.ts';
import { HTTP } from './build.ts';
import { fileRows, openerOf } from './file-conf.ts';
import { gzipRows } from './gzip-accept.ts';
import { predicate, sizeTemplate } from './parsers.ts';
import { resolver } from './resolver-directive.ts';
import type { Template } from './template.ts';

const SERVER: readonly Context[] = ['http', 'server'];
const LOCATION: readonly Context[] = ['http', 'server', 'location'];
const LOCATION_IF: readonly Context[] = ['http', 'server', 'location', 'if-in-location'];

/** `root` or `alias`: where files are. */
export interface Root {
  readonly name: string;
  /** Absolute unless it begins with a variable. */
  readonly path: Template;
  /** How many characters of the URI `alias` replaces; -1 for `root`; Infinity: all of it (a regex location). */
  readonly strip: number;
}

const aliasStrip = (scope: Scope): number => {
  for (let at: Scope | undefined = scope; at; at = at.parent) {
    if (at.context !== 'location') continue;
    const [, first, second] = at.words.map((word) => word.text);
    if (first === undefined) return 0;
    if (second !== undefined) return first.startsWith('~') ? Number.POSITIVE_INFINITY : second.length;
    if (first.startsWith('~')) return Number.POSITIVE_INFINITY;
    if (first.startsWith('@')) return 0;
    return first.replace(/^(=|\^~)/, '').length;
  }
  return 0;
};

const root: Parser<Root> = {
  arity: 1,
  repeats: true,
  parse(args, own) {
    if (args.name === 'alias' && args.scope.context !== 'location') args.failDirective('is not allowed here');
    if (own) {
      const reason =
        own.name === args.name
          ? 'is duplicate'
          : `is duplicate, "${own.name}" directive was specified earlier`;
      args.failDirective(reason);
    }
    const word = wordAt(args, 0);
    if (word.text.includes('$document_root') || word.text.includes('${document_root}')) {
      args.fail(`the $document_root variable cannot be used in the "${args.name}" directive`);
    }
    if (word.text.includes('$realpath_root') || word.text.includes('${realpath_root}')) {
      args.fail(`the $realpath_root variable cannot be used in the "${args.name}" directive`);
    }
    const alias = args.name === 'alias';
    let text = word.text;
    if (!alias && text.length > 1 && text.endsWith('/')) text = text.slice(0, -1);
    if (!text.startsWith('/') && !text.startsWith('$')) text = args.scope.load.prefix + text;
    const build = args.scope.need(HTTP);
    return {
      name: args.name,
      path: build.template(text, args.place),
      strip: alias ? aliasStrip(args.scope) : -1,
    };
  },
};

/** `keepalive_timeout 75s [header]`: milliseconds to keep, seconds to announce (0: no header). */
export interface KeepaliveTimeout {
  readonly timeout: number;
  readonly header: number;
}
const keepaliveTimeout: Parser<KeepaliveTimeout> = {
  arity: [1, 2],
  parse(args) {
    const timeout = parseMsec(wordAt(args, 0).text);
    if (timeout === undefined) return args.failDirective('invalid value', wordAt(args, 0));
    const second = args.words[1];
    if (!second) return { timeout, header: 0 };
    const header = parseMsec(second.text);
    if (header === undefined) return args.failDirective('invalid value', second);
    return { timeout, header: Math.floor(header / 1000) };
  },
};

/** One `error_page`: a status, what it becomes, and where it leads. */
export interface ErrorPage {
  readonly status: number;
  /** -1: the status stays; 0: what the page itself answers. */
  readonly overwrite: number;
  readonly to: Template;
  /** Arguments written with a constant URI. */
  readonly args: string;
}

const errorPages: Parser<readonly ErrorPage[]> = {
  arity: { min: 2, max: Number.POSITIVE_INFINITY },
  repeats: true,
  parse(args, own = []) {
    const last = args.words.length - 1;
    let codes = args.words.slice(0, last);
    let overwrite = -1;
    const before = args.words[last - 1];
    if (last >= 1 && before?.text.startsWith('=')) {
      codes = args.words.slice(0, last - 1);
      if (before.text.length > 1) {
        const code = parseNumber(before.text.slice(1));
        if (code === undefined) args.fail(`invalid value "${before.text}"`, before);
        else overwrite = code;
      } else {
        overwrite = 0;
      }
      if (codes.length === 0) args.fail(`invalid value "${before.text}"`, before);
    }
    const written = wordAt(args, last).text;
    const mark = written.indexOf('?');
    const constant = !written.includes('$') && written.startsWith('/') && mark >= 0;
    const to = args.scope.need(HTTP).template(constant ? written.slice(0, mark) : written, args.place);
    const pages = codes.map((word): ErrorPage => {
      const status = parseNumber(word.text);
      if (status === undefined || status === 499) return args.fail(`invalid value "${word.text}"`, word);
      if (status < 300 || status > 599)
        return args.fail(`value "${word.text}" must be between 300 and 599`, word);
      const changes = status === 494 || status === 495 || status === 496 || status === 497;
      return {
        status,
        overwrite: changes && overwrite < 0 ? 400 : overwrite,
        to,
        args: constant ? written.slice(mark + 1) : '',
      };
    });
    return [...own, ...pages];
  },
};

const DEFAULT_TYPES: ReadonlyMap<string, string> = new Map([
  ['html', 'text/html'],
  ['gif', 'image/gif'],
  ['jpg', 'image/jpeg'],
]);

/** A row that no directive name writes: blocks and statements put its value into the scope. */
const internalRow = <T>(): Parser<T> => ({
  arity: 'none',
  parse: () => {
    throw new Error('written by its block');
  },
});

export const core = defineModule({
  name: 'http_core',
  directives: {
    absolute_redirect: directive(flag, { in: LOCATION, initial: true }),
    postpone_output: directive(size, { in: LOCATION, initial: 1460 }),
    post_action: directive(str, { in: LOCATION_IF, initial: '' }),
    subrequest_output_buffer_size: directive(size, { in: LOCATION, initial: 4096 }),
    port_in_redirect: directive(flag, { in: LOCATION, initial: true }),
    server_name_in_redirect: directive(flag, { in: LOCATION, initial: false }),
    auth_delay: directive(msec, { in: LOCATION, initial: 0 }),
    chunked_transfer_encoding: directive(flag, { in: LOCATION, initial: true }),
    client_body_buffer_size: directive(size, { in: LOCATION, initial: 16384 }),
    client_body_in_file_only: directive(enumOf('off', 'on', 'clean'), { in: LOCATION, initial: 'off' }),
    client_body_in_single_buffer: directive(flag, { in: LOCATION, initial: false }),
    client_body_temp_path: directive<{ readonly path: string; readonly levels: readonly number[] }>(path, {
      in: LOCATION,
      initial: { path: '', levels: [] },
    }),
    client_body_timeout: directive(msec, { in: LOCATION, initial: 60_000 }),
    client_header_buffer_size: directive(size, { in: SERVER, initial: 1024 }),
    client_header_timeout: directive(msec, { in: SERVER, initial: 60_000 }),
    client_max_body_size: directive(offset, { in: LOCATION, initial: 1 << 20 }),
    default_type: directive(str, { in: LOCATION, initial: 'text/plain' }),
    ...fileRows,
    early_hints: directive(predicate, { in: LOCATION, initial: [] }),
    error_pages: directive(errorPages, { in: LOCATION_IF, names: ['error_page'], initial: [] }),
    etag: directive(flag, { in: LOCATION, initial: true }),
    if_modified_since: directive(enumOf('off', 'exact', 'before'), { in: LOCATION, initial: 'exact' }),
    ignore_invalid_headers: directive(flag, { in: SERVER, initial: true }),
    internal: directive<boolean>(
      { arity: 'none', parse: () => true },
      { in: ['location'], initial: false, merge: (own) => own ?? false },
    ),
    keepalive_disable: directive(withArity([1, 2], wordsOf('none', 'msie6', 'safari')), {
      in: LOCATION,
      initial: ['msie6'],
    }),
    ...gzipRows,
    keepalive_min_timeout: directive(msec, { in: LOCATION, initial: 0 }),
    keepalive_requests: directive(num(), { in: LOCATION, initial: 1000 }),
    keepalive_time: directive(msec, { in: LOCATION, initial: 3_600_000 }),
    keepalive_timeout: directive(keepaliveTimeout, { in: LOCATION, initial: { timeout: 75_000, header: 0 } }),
    connection_pool_size: directive(poolSize, { in: SERVER, initial: 512 }),
    large_client_header_buffers: directive(bufs, { in: SERVER, initial: { number: 4, size: 8192 } }),
    limit_rate: directive<Template | undefined>(sizeTemplate, { in: LOCATION_IF, initial: undefined }),
    limit_rate_after: directive<Template | undefined>(sizeTemplate, { in: LOCATION_IF, initial: undefined }),
    lingering_close: directive(enumOf('off', 'on', 'always'), { in: LOCATION, initial: 'on' }),
    lingering_time: directive(msec, { in: LOCATION, initial: 30_000 }),
    lingering_timeout: directive(msec, { in: LOCATION, initial: 5_000 }),
    log_not_found: directive(flag, { in: LOCATION, initial: true }),
    log_subrequest: directive(flag, { in: LOCATION, initial: false }),
    max_headers: directive(num(), { in: SERVER, initial: 1000 }),
    max_ranges: directive(num(), { in: LOCATION, initial: Number.MAX_SAFE_INTEGER }),
    merge_slashes: directive(flag, { in: SERVER, initial: true }),
    msie_padding: directive(flag, { in: LOCATION, initial: true }),
    msie_refresh: directive(flag, { in: LOCATION, initial: false }),
    recursive_error_pages: directive(flag, { in: LOCATION, initial: false }),
    reset_timedout_connection: directive(flag, { in: LOCATION, initial: false }),
    root: directive<Root | undefined>(root, {
      in: LOCATION_IF,
      names: ['root', 'alias'],
      initial: undefined,
    }),
    satisfy: directive(enumOf('all', 'any'), { in: LOCATION, initial: 'all' }),
    resolver: directive<Resolver | undefined>(resolver, { in: LOCATION, initial: undefined }),
    resolver_timeout: directive(msec, { in: LOCATION, initial: 30_000 }),
    sendfile: directive(flag, { in: LOCATION_IF, initial: false }),
    sendfile_max_chunk: directive(size, { in: LOCATION, initial: 2 << 20 }),
    send_timeout: directive(msec, { in: LOCATION, initial: 60_000 }),
    server_tokens: directive(enumOf('on', 'off', 'build'), { in: LOCATION, initial: 'on' }),
    tcp_nodelay: directive(flag, { in: LOCATION, initial: true }),
    underscores_in_headers: directive(flag, { in: SERVER, initial: false }),
    /** Content types by extension, filled by the `types` block. */
    type_map: directive<ReadonlyMap<string, string>>(internalRow(), {
      in: [],
      names: [],
      initial: DEFAULT_TYPES,
    }),
  },
  derived: ['bodyTempPath', 'files', 'prefix', 'headerBuffers', 'keepalive', 'opener'],
  derive(conf, scope) {
    const prefix = scope.load.prefix;
    const { path, levels } = conf.client_body_temp_path;
    const bodyTempPath = { path: path === '' ? scope.load.builtIn.bodyTemp : path, levels };
    scope.find(HTTP)?.tempFolders.add(bodyTempPath.path);
    const { number: count, size: bytes } = conf.large_client_header_buffers;
    if (bytes < conf.connection_pool_size) {
      throw new Reason(
        'the "large_client_header_buffers" size must be equal to or greater than "connection_pool_size"',
      );
    }
    return {
      bodyTempPath,
      opener: openerOf(conf),
      files: conf.root ?? rootOf(`${prefix}html`),
      /** What a relative `root` with variables is resolved against; ends in a slash. */
      prefix,
      headerBuffers: { count, size: bytes },
      keepalive: conf.keepalive_timeout.timeout,
    };
  },
});

const rootOf = (path: string): Root => ({
  name: 'root',
  path: { source: path, constant: path, refs: [], text: () => path },
  strip: -1,
});

export type CoreConf = ConfOf<typeof core>;
