/** A few modules as the protocols declare them, enough to read small configurations with. */
import { type AnyModule, block, defineModule, directive, statement } from '../../../src/config/contract.ts';
import { type Loaded, type LoadOptions, load } from '../../../src/config/loader.ts';
import {
  bufs,
  enumOf,
  flag,
  keyValue,
  msec,
  num,
  sec,
  size,
  str,
  wordsOf,
} from '../../../src/config/parsers.ts';
import { recorded } from '../../../src/config/source.ts';

const anywhere = ['http', 'server', 'location'] as const;

export const core = defineModule({
  name: 'core',
  directives: {
    daemon: directive(flag, { in: ['main'], initial: true }),
    worker_processes: directive(str, { in: ['main'], initial: '1' }),
    events: block({ in: ['main'], arity: 'none', child: 'events' }),
    worker_connections: directive(num(), { in: ['events'], initial: 512 }),
    http: block({ in: ['main'], arity: 'none', child: 'http' }),
  },
});

export const http = defineModule({
  name: 'http_core',
  directives: {
    server: block({ in: ['http'], arity: 'none', repeats: true, child: 'server' }),
    location: block({ in: ['server', 'location'], arity: [1, 2], repeats: true, child: 'location' }),
    listen: statement({ in: ['server'], arity: { min: 1, max: 9 }, repeats: true, run: () => undefined }),
    server_name: statement({
      in: ['server'],
      arity: { min: 1, max: 99 },
      repeats: true,
      run: () => undefined,
    }),
    root: directive(str, { in: anywhere, initial: 'html' }),
    tcp_nodelay: directive(flag, { in: anywhere, initial: true }),
    client_body_timeout: directive(msec, { in: ['http', 'server', 'location'], initial: 60_000 }),
    resolver_timeout: directive(msec, { in: anywhere, initial: 30_000 }),
    client_max_body_size: directive(size, { in: anywhere, initial: 1_048_576 }),
    if_modified_since: directive(enumOf('off', 'exact', 'before'), { in: anywhere, initial: 'exact' }),
    types: block({ in: anywhere, arity: 'none', repeats: true, child: 'rows' }),
  },
});

export const proxy = defineModule({
  name: 'http_proxy',
  directives: {
    proxy_pass: statement({
      in: ['location', 'if-in-location', 'limit_except'],
      arity: 1,
      run: () => undefined,
    }),
    proxy_set_header: directive(keyValue, { in: anywhere, initial: [] }),
    proxy_buffers: directive(bufs, { in: anywhere, initial: { number: 8, size: 4096 } }),
    proxy_next_upstream: directive(wordsOf('error', 'timeout', 'http_502', 'off'), {
      in: anywhere,
      initial: ['error', 'timeout'],
    }),
    expires_seconds: directive(sec, { in: anywhere, initial: 0 }),
  },
});

export const map = defineModule({
  name: 'http_map',
  directives: {
    map: block({
      in: ['http'],
      arity: 2,
      repeats: true,
      child: 'rows',
      row: (row) => {
        if (row.words.length !== 1) row.fail('invalid number of the map parameters');
      },
    }),
  },
});

export const modules: readonly AnyModule[] = [core, http, proxy, map];

/** Reads texts by path, the first being the main file; the disk is not touched. */
export const loadTexts = (
  texts: Readonly<Record<string, string>>,
  options: Partial<LoadOptions> = {},
): Loaded => {
  const files = Object.entries(texts).map(([path, text]) => ({ path, text }));
  return load({
    file: files[0]?.path ?? '',
    prefix: '/p/',
    confPrefix: '/c/',
    modules,
    testing: true,
    source: recorded({ files, globs: [], hosts: [] }),
    ...options,
  });
};
