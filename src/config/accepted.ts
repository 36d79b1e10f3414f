/**
 * Directives that tune how nginx itself works inside (its memory, its system calls, its hashes): accepted, checked
 * and without effect here. None of them changes who may do what, or what a client is sent.
 */
import { CHECKS } from './accepted-checks.ts';
import type { Args, Parser } from './contract.ts';
import type { KnownDirective } from './known.ts';
import { bufs, enumOf, flag, msec, num, offset, sec, size, str, wordsOf } from './parsers.ts';

const NAMES: ReadonlySet<string> = new Set([
  // Events and processes.
  'accept_mutex',
  'accept_mutex_delay',
  'debug_points',
  'devpoll_changes',
  'devpoll_events',
  'epoll_events',
  'eventport_events',
  'kqueue_changes',
  'kqueue_events',
  'lock_file',
  'multi_accept',
  'pcre_jit',
  'thread_pool',
  'timer_resolution',
  'use',
  'worker_aio_requests',
  'worker_cpu_affinity',
  'worker_priority',
  // How files are read and sent.
  'aio',
  'aio_write',
  'directio',
  'directio_alignment',
  'output_buffers',
  'read_ahead',
  'tcp_nopush',
  // Memory.
  'client_body_in_single_buffer',
  'gzip_buffers',
  'gzip_hash',
  'gzip_no_buffer',
  'gzip_window',
  'http2_pool_size',
  'postpone_gzipping',
  'request_pool_size',
  'ssl_buffer_size',
  // Hashes.
  'grpc_headers_hash_bucket_size',
  'grpc_headers_hash_max_size',
  'map_hash_bucket_size',
  'map_hash_max_size',
  'proxy_headers_hash_bucket_size',
  'proxy_headers_hash_max_size',
  'referer_hash_bucket_size',
  'referer_hash_max_size',
  'server_names_hash_bucket_size',
  'server_names_hash_max_size',
  'types_hash_bucket_size',
  'types_hash_max_size',
  'variables_hash_bucket_size',
  'variables_hash_max_size',
  // Sockets of systems that can wait for room, and temporary files.
  'send_lowat',
  'fastcgi_send_lowat',
  'proxy_send_lowat',
  'tunnel_send_lowat',
  'fastcgi_temp_file_write_size',
  'proxy_temp_file_write_size',
]);

/** Whether the directive is accepted without effect. */
export const isAccepted = (name: string): boolean => NAMES.has(name);

const parserOf = ({ kind, words }: KnownDirective): Parser<unknown> | undefined => {
  switch (kind) {
    case 'flag':
      return flag;
    case 'num':
      return num();
    case 'size':
      return size;
    case 'off':
      return offset;
    case 'msec':
      return msec;
    case 'sec':
      return sec;
    case 'str':
      return str;
    case 'bufs':
      return bufs;
    case 'enum':
      return enumOf(...words);
    case 'bitmask':
      return wordsOf(...words);
    default:
      return undefined;
  }
};

/** The one custom directive of which a level may have more than one: each names a pool of its own. */
const REPEATED: ReadonlySet<string> = new Set(['thread_pool']);

/** Checks an accepted directive as nginx would. Its arity has been checked. */
export const checkAccepted = (args: Args, known: KnownDirective): void => {
  const { name, kind } = known;
  if (args.scope.set.has(name) && !REPEATED.has(name) && kind !== 'bitmask')
    args.failDirective('is duplicate');
  parserOf(known)?.parse(args, undefined);
  CHECKS[name]?.(args);
};
