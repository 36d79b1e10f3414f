/** `limit_conn`: how many requests of a key are served at the same time (ngx_http_limit_conn). */
import { type Context, directive } from '../../config/contract.ts';
import { num } from '../../config/parsers.ts';
import { connLimiter, type Limited, type LimitStatus, limitConnRows } from '../../values/limit-conn.ts';
import { HTTP } from '../build.ts';
import { httpModule } from '../module.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { DECLINED } from '../verdict.ts';

const WITHIN: readonly Context[] = ['server', 'location'];

/** What became of a request, for $limit_conn_status; kept through internal redirects. */
const statuses = new WeakMap<Request, LimitStatus>();

const limited: Limited<Request> = {
  log: logRequest,
  became: (request, status) => statuses.set(request.main, status),
  atEnd: (request, done) => request.main.atEnd(done),
};

const { directives, prepare } = limitConnRows<Request>('limit_conn_zone', 'http', WITHIN, (scope) =>
  scope.need(HTTP),
);

export const limitConnModule = httpModule({
  name: 'http_limit_conn',
  directives: {
    ...directives,
    limit_conn_status: directive(num({ min: 400, max: 599 }), { in: ['http', ...WITHIN], initial: 503 }),
  },
  variables: { limit_conn_status: { get: (request) => statuses.get(request.main) } },
  prepare,
  phases: {
    preaccess(conf) {
      const refuses = connLimiter(conf, limited);
      const { limit_conn_status: status } = conf;
      return refuses && ((request) => (!statuses.has(request.main) && refuses(request) ? status : DECLINED));
    },
  },
});
