/** Configurations of stream for tests. */
import type { ProxyOptions } from './proxy.ts';

/** A whole configuration with this inside of `stream { }`. */
export const streamConf = (stream: string, level = 'info'): ProxyOptions => ({
  conf: `${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
pid %dir%/nginx.pid;
error_log %dir%/error.log ${level};
events { worker_connections 2048; }
stream {
${stream}
}
`,
});
