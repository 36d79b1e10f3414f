/** `limit_conn` of stream: how many sessions of a key there are at the same time (ngx_stream_limit_conn). */
import { connLimiter, type Limited, limitConnRows } from '../../values/limit-conn.ts';
import { STREAM } from '../build.ts';
import { streamModule } from '../module.ts';
import type { Session } from '../session.ts';
import { DECLINED, UNAVAILABLE } from '../verdict.ts';

const limited: Limited<Session> = {
  log: (session, level, message) => session.log(level, message),
  became(session, status) {
    session.limitConnStatus = status;
  },
  atEnd: (session, done) => session.atEnd(done),
};

const { directives, prepare } = limitConnRows<Session>(
  'stream limit_conn_zone',
  'stream',
  ['stream-server'],
  (scope) => scope.need(STREAM),
);

export const limitConnModule = streamModule({
  name: 'stream_limit_conn',
  directives,
  variables: { limit_conn_status: { get: ({ limitConnStatus }) => limitConnStatus } },
  prepare,
  phases: {
    preaccess(conf) {
      const refuses = connLimiter(conf, limited);
      return refuses && ((session) => (refuses(session) ? UNAVAILABLE : DECLINED));
    },
  },
});
