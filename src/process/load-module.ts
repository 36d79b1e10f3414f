/** `load_module`: shared objects of nginx cannot be loaded; what to do about each of the known ones. */

/** What the directives of a known module are, where it is not built in. */
const KNOWN: Readonly<Record<string, string>> = {
  ngx_stream: 'the "stream" block',
  ngx_mail: 'the "mail" block',
  ngx_http_perl: 'perl',
  ngx_http_js: 'js',
  ngx_stream_js: 'js',
  ngx_http_lua: 'lua',
  ngx_http_image_filter: 'image_filter',
  ngx_http_xslt_filter: 'xslt',
  ngx_http_geoip: 'geoip',
  ngx_http_geoip2: 'geoip2',
  ngx_http_brotli_filter: 'brotli',
  ngx_http_brotli_static: 'brotli_static',
};

/** Why a `load_module` line is refused; `path` is its word. */
export const loadModuleReason = (path: string): string => {
  const stem = (path.split('/').at(-1) ?? path).replace(/\.so$/, '').replace(/_module$/, '');
  const start = `dynamic modules cannot be loaded: "${path}"`;
  const what = KNOWN[stem];
  return what
    ? `${start}; remove the line, ${what} is checked where the configuration uses it`
    : `${start}; remove the line and what the configuration uses of it`;
};
