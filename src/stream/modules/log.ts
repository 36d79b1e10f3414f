/** `access_log` and `log_format` of stream: a line for each session (ngx_stream_log). */
import { openSync } from 'node:fs';
import { type Context, directive, key, type Parser, statement } from '../../config/contract.ts';
import { CRIT } from '../../log/levels.ts';
import { nativePath } from '../../platform/byte-path.ts';
import { errorText } from '../../platform/errno.ts';
import { AccessLogs, type LogEntries, logWriter } from '../../values/access-log.ts';
import { type LogCacheConf, logCacheParser, NamedLogFiles } from '../../values/log-path.ts';
import { streamModule } from '../module.ts';
import type { Session } from '../session.ts';
import { OK } from '../verdict.ts';

const WHERE: readonly Context[] = ['stream', 'stream-server'];
const MODE = 0o644;

const LOGS = key<AccessLogs<Session>>('access logs of stream');

const accessLog: Parser<LogEntries<Session> | undefined> = {
  arity: { min: 1, max: Number.POSITIVE_INFINITY },
  repeats: true,
  parse: (args, own) => args.scope.need(LOGS).add(args, own, undefined),
};

const open = (_session: Session, path: string): number => openSync(nativePath(path), 'a', MODE);

const failed = (session: Session, path: string, error: unknown): void => {
  session.log(CRIT, `open() "${path}" failed (${errorText(error)})`);
};

export const logModule = streamModule({
  name: 'stream_log',
  directives: {
    log_format: statement({
      in: ['stream'],
      arity: { min: 2, max: Number.POSITIVE_INFINITY },
      repeats: true,
      run: (args) => args.scope.need(LOGS).define(args),
    }),
    access_log: directive(accessLog, { in: WHERE, initial: undefined }),
    open_log_file_cache: directive<LogCacheConf | false>(logCacheParser, { in: WHERE, initial: false }),
  },
  begin(build) {
    const logs = new AccessLogs<Session>({
      values: { variables: build.variables, own: {} },
      logFiles: build.logFiles,
      template: (source, place) => build.template(source, place),
    });
    build.scope.carry(LOGS, logs);
  },
  prepare(build, { logs }) {
    build.scope.need(LOGS).open(logs);
  },
  phases: {
    log({ access_log: logs, open_log_file_cache: cache }) {
      if (!logs || logs.off) return undefined;
      return logWriter(logs.entries, new NamedLogFiles<Session>(cache, open, failed), OK);
    },
  },
});
