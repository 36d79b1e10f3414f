/** `configure arguments:` of `-V`: which of nginx's parts are there, in the words of its build. */
import type { AnyDirective, AnyModule } from '../config/contract.ts';
import { PATHS } from './paths.ts';

/** Modules that nginx builds unless told not to: a directive of theirs -> the word of `--without-...`. */
const DEFAULT_ON: readonly (readonly [sign: string, option: string])[] = [
  ['charset', 'http_charset_module'],
  ['gzip', 'http_gzip_module'],
  ['ssi', 'http_ssi_module'],
  ['userid', 'http_userid_module'],
  ['allow', 'http_access_module'],
  ['auth_basic', 'http_auth_basic_module'],
  ['mirror', 'http_mirror_module'],
  ['autoindex', 'http_autoindex_module'],
  ['geo', 'http_geo_module'],
  ['map', 'http_map_module'],
  ['split_clients', 'http_split_clients_module'],
  ['valid_referers', 'http_referer_module'],
  ['rewrite', 'http_rewrite_module'],
  ['proxy_pass', 'http_proxy_module'],
  ['fastcgi_pass', 'http_fastcgi_module'],
  ['uwsgi_pass', 'http_uwsgi_module'],
  ['scgi_pass', 'http_scgi_module'],
  ['grpc_pass', 'http_grpc_module'],
  ['memcached_pass', 'http_memcached_module'],
  ['tunnel_pass', 'http_tunnel_module'],
  ['limit_conn', 'http_limit_conn_module'],
  ['limit_req', 'http_limit_req_module'],
  ['empty_gif', 'http_empty_gif_module'],
  ['modern_browser', 'http_browser_module'],
  ['hash', 'http_upstream_hash_module'],
  ['ip_hash', 'http_upstream_ip_hash_module'],
  ['least_conn', 'http_upstream_least_conn_module'],
  ['least_time', 'http_upstream_least_time_module'],
  ['random', 'http_upstream_random_module'],
  ['keepalive', 'http_upstream_keepalive_module'],
  ['zone', 'http_upstream_zone_module'],
  ['sticky', 'http_upstream_sticky_module'],
  ['proxy_cache', 'http-cache'],
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

/** Modules that nginx builds only when told to: a directive of theirs -> the word of `--with-...`. */
const DEFAULT_OFF: readonly (readonly [sign: string, option: string])[] = [
  ['ssl_certificate', 'http_ssl_module'],
  ['http2', 'http_v2_module'],
  ['http3', 'http_v3_module'],
  ['set_real_ip_from', 'http_realip_module'],
  ['add_before_body', 'http_addition_module'],
  ['xslt_stylesheet', 'http_xslt_module'],
  ['image_filter', 'http_image_filter_module'],
  ['geoip_country', 'http_geoip_module'],
  ['sub_filter', 'http_sub_module'],
  ['dav_methods', 'http_dav_module'],
  ['flv', 'http_flv_module'],
  ['mp4', 'http_mp4_module'],
  ['gunzip', 'http_gunzip_module'],
  ['gzip_static', 'http_gzip_static_module'],
  ['auth_request', 'http_auth_request_module'],
  ['random_index', 'http_random_index_module'],
  ['secure_link', 'http_secure_link_module'],
  ['degradation', 'http_degradation_module'],
  ['slice', 'http_slice_module'],
  ['stub_status', 'http_stub_status_module'],
  ['perl', 'http_perl_module'],
  ['stream', 'stream'],
  ['stream_ssl', 'stream_ssl_module'],
  ['stream_realip', 'stream_realip_module'],
  ['stream_ssl_preread', 'stream_ssl_preread_module'],
  ['mail', 'mail'],
  ['mail_ssl', 'mail_ssl_module'],
];

/** What shows that a part is there: a directive that http or its blocks may hold, or a module's name. */
const signsOf = (modules: readonly AnyModule[]): ReadonlySet<string> => {
  const signs = new Set(modules.flatMap(({ name, provides = [] }) => [name, ...provides]));
  for (const { directives } of modules) {
    const rows = Object.entries(directives) as [string, AnyDirective][];
    for (const [key, row] of rows) {
      if (row.in.every((context) => context === 'main' || context === 'events')) continue;
      for (const name of row.names ?? [key]) signs.add(name);
    }
  }
  return signs;
};

/** The words behind `configure arguments:`, from the program's modules. */
export const configureArguments = (modules: readonly AnyModule[]): readonly string[] => {
  const signs = signsOf(modules);
  const words = [
    `--prefix=${PATHS.prefix.slice(0, -1)}`,
    `--conf-path=${PATHS.conf}`,
    `--error-log-path=${PATHS.errorLog}`,
    `--http-log-path=${PATHS.accessLog}`,
    `--pid-path=${PATHS.pid}`,
    `--http-client-body-temp-path=${PATHS.bodyTemp}`,
    `--http-proxy-temp-path=${PATHS.proxyTemp}`,
    `--http-fastcgi-temp-path=${PATHS.fastcgiTemp}`,
    `--http-uwsgi-temp-path=${PATHS.uwsgiTemp}`,
    `--http-scgi-temp-path=${PATHS.scgiTemp}`,
    '--with-debug',
    '--with-compat',
    '--with-pcre',
    '--with-threads',
  ];
  for (const [sign, option] of DEFAULT_OFF) if (signs.has(sign)) words.push(`--with-${option}`);
  for (const [sign, option] of DEFAULT_ON) if (!signs.has(sign)) words.push(`--without-${option}`);
  return words;
};
