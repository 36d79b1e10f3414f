/**
 * Where things are when no option says so: the places of the common nginx packages, so that a configuration
 * and what surrounds it (logrotate, the init system) need no change. `-V` shows them.
 */
export const PATHS = {
  /** What relative paths (logs, root) are resolved against; `-p` replaces it. */
  prefix: '/usr/share/nginx/',
  conf: '/etc/nginx/nginx.conf',
  errorLog: '/var/log/nginx/error.log',
  accessLog: '/var/log/nginx/access.log',
  pid: '/run/nginx.pid',
  bodyTemp: '/var/lib/nginx/body',
  proxyTemp: '/var/lib/nginx/proxy',
  fastcgiTemp: '/var/lib/nginx/fastcgi',
  scgiTemp: '/var/lib/nginx/scgi',
  uwsgiTemp: '/var/lib/nginx/uwsgi',
} as const;

/** Against `-p`, the same things have nginx's own relative names. */
export const RELATIVE = {
  errorLog: 'logs/error.log',
  pid: 'logs/nginx.pid',
} as const;
