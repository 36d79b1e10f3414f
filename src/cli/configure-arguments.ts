/** `configure arguments:` of `-V`: which of nginx's parts are there, in the words of its build. */
import type { AnyModule } from '../config/contract.ts';
import { PATHS } from './paths.ts';

/** Modules that nginx builds unless told not to: module name here -> the word of `--without-...`. */
const DEFAULT_ON: readonly (readonly [module: string, option: string])[] = [
  ['http_charset_filter', 'http_charset_module'],
  ['http_gzip_filter', 'http_gzip_module'],
  ['http_ssi_filter', 'http_ssi_module'],
  ['http_userid_filter', 'http_userid_module'],
  ['http_access', 'http_access_module'],
  ['http_auth_basic', 'http_auth_basic_module'],
  ['http_mirror', 'http_mirror_module'],
  ['http_autoindex', 'http_autoindex_module'],
  ['http_geo', 'http_geo_module'],
  ['http_map', 'http_map_module'],
  ['http_split_clients', 'http_split_clients_module'],
  ['http_referer', 'http_referer_module'],
  ['http_rewrite', 'http_rewrite_module'],
  ['http_proxy', 'http_proxy_module'],
  ['http_fastcgi', 'http_fastcgi_module'],
  ['http_uwsgi', 'http_uwsgi_module'],
  ['http_scgi', 'http_scgi_module'],
  ['http_grpc', 'http_grpc_module'],
  ['http_memcached', 'http_memcached_module'],
  ['http_tunnel', 'http_tunnel_module'],
  ['http_limit_conn', 'http_limit_conn_module'],
  ['http_limit_req', 'http_limit_req_module'],
  ['http_empty_gif', 'http_empty_gif_module'],
  ['http_browser', 'http_browser_module'],
  ['http_upstream_hash', 'http_upstream_hash_module'],
  ['http_upstream_ip_hash', 'http_upstream_ip_hash_module'],
  ['http_upstream_least_conn', 'http_upstream_least_conn_module'],
  ['http_upstream_least_time', 'http_upstream_least_time_module'],
  ['http_upstream_random', 'http_upstream_random_module'],
  ['http_upstream_keepalive', 'http_upstream_keepalive_module'],
  ['http_upstream_zone', 'http_upstream_zone_module'],
  ['http_upstream_sticky', 'http_upstream_sticky_module'],
  ['http_cache', 'http-cache'],
  ['mail_pop3', 'mail_pop3_module'],
  ['mail_imap', 'mail_imap_module'],
  ['mail_smtp', 'mail_smtp_module'],
  ['stream_access', 'stream_access_module'],
  ['stream_geo', 'stream_geo_module'],
  ['stream_limit_conn', 'stream_limit_conn_module'],
  ['stream_map', 'stream_map_module'],
  ['stream_pass', 'stream_pass_module'],
  ['stream_return', 'stream_return_module'],
  ['stream_set', 'stream_set_module'],
  ['stream_split_clients', 'stream_split_clients_module'],
  ['stream_upstream_hash', 'stream_upstream_hash_module'],
  ['stream_upstream_least_conn', 'stream_upstream_least_conn_module'],
  ['stream_upstream_least_time', 'stream_upstream_least_time_module'],
  ['stream_upstream_random', 'stream_upstream_random_module'],
  ['stream_upstream_zone', 'stream_upstream_zone_module'],
];

/** Modules that nginx builds only when told to: module name here -> the word of `--with-...`. */
const DEFAULT_OFF: readonly (readonly [module: string, option: string])[] = [
  ['http_ssl', 'http_ssl_module'],
  ['http_v2', 'http_v2_module'],
  ['http_v3', 'http_v3_module'],
  ['http_realip', 'http_realip_module'],
  ['http_addition_filter', 'http_addition_module'],
  ['http_xslt_filter', 'http_xslt_module'],
  ['http_image_filter', 'http_image_filter_module'],
  ['http_geoip', 'http_geoip_module'],
  ['http_sub_filter', 'http_sub_module'],
  ['http_dav', 'http_dav_module'],
  ['http_flv', 'http_flv_module'],
  ['http_mp4', 'http_mp4_module'],
  ['http_gunzip_filter', 'http_gunzip_module'],
  ['http_gzip_static', 'http_gzip_static_module'],
  ['http_auth_request', 'http_auth_request_module'],
  ['http_random_index', 'http_random_index_module'],
  ['http_secure_link', 'http_secure_link_module'],
  ['http_degradation', 'http_degradation_module'],
  ['http_slice', 'http_slice_module'],
  ['http_stub_status', 'http_stub_status_module'],
  ['http_perl', 'http_perl_module'],
  ['stream', 'stream'],
  ['stream_ssl', 'stream_ssl_module'],
  ['stream_realip', 'stream_realip_module'],
  ['stream_ssl_preread', 'stream_ssl_preread_module'],
  ['mail', 'mail'],
  ['mail_ssl', 'mail_ssl_module'],
];

/** The words behind `configure arguments:`, from the names of the program's modules. */
export const configureArguments = (
  modules: readonly Pick<AnyModule, 'name' | 'provides'>[],
): readonly string[] => {
  const names = new Set(modules.flatMap(({ name, provides = [] }) => [name, ...provides]));
  const words = [
    `--prefix=${PATHS.prefix.slice(0, -1)}`,
    `--conf-path=${PATHS.conf}`,
    `--error-log-path=${PATHS.errorLog}`,
    `--http-log-path=${PATHS.accessLog}`,
    `--pid-path=${PATHS.pid}`,
    '--with-debug',
    '--with-compat',
    '--with-pcre',
    '--with-threads',
  ];
  for (const [module, option] of DEFAULT_OFF) if (names.has(module)) words.push(`--with-${option}`);
  for (const [module, option] of DEFAULT_ON) if (!names.has(module)) words.push(`--without-${option}`);
  return words;
};
