/** `access_log` and `log_format`: a line for each request (ngx_http_log). */
import { type Context, directive, key, type Parser, statement } from '../../config/contract.ts';
import { AccessLogs, type LogEntries, type LogEntry, logWriter } from '../../values/access-log.ts';
import { HTTP, type HttpBuild } from '../build.ts';
import { type Handler, httpModule } from '../module.ts';
import type { Request } from '../request.ts';
import { OK } from '../verdict.ts';
import { combinedFormat, logValues } from './log-format.ts';
import { type LogCacheConf, LogFiles, logCacheParser } from './log-path.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location', 'if-in-location', 'limit_except'];

const LOGS = key<AccessLogs<Request>>('access logs');

const accessLog: Parser<LogEntries<Request> | undefined> = {
  arity: { min: 1, max: Number.POSITIVE_INFINITY },
  repeats: true,
  parse: (args, own) => args.scope.need(LOGS).add(args, own, 'combined'),
};

/** The log of a configuration that names none. */
const DEFAULT = key<LogEntry<Request>>('the default access log');

const defaultEntry = (build: HttpBuild): LogEntry<Request> => {
  const present = build.scope.find(DEFAULT);
  if (present) return present;
  const logs = build.scope.need(LOGS);
  const line = logs.formats.get('combined') ?? combinedFormat(build.variables);
  const entry = logs.plain(build.scope.load.builtIn.accessLog, line);
  build.scope.carry(DEFAULT, entry);
  return entry;
};

export const logModule = httpModule({
  name: 'http_log',
  directives: {
    log_format: statement({
      in: ['http'],
      arity: { min: 2, max: Number.POSITIVE_INFINITY },
      repeats: true,
      run: (args) => args.scope.need(LOGS).define(args),
    }),
    access_log: directive(accessLog, { in: WHERE, initial: undefined }),
    open_log_file_cache: directive<LogCacheConf | false>(logCacheParser, {
      in: ['http', 'server', 'location'],
      initial: false,
    }),
  },
  begin(build) {
    const logs = new AccessLogs<Request>({
      values: logValues(build.variables),
      logFiles: build.logFiles,
      template: (source, place) => build.template(source, place),
    });
    logs.formats.set('combined', combinedFormat(build.variables));
    build.scope.carry(LOGS, logs);
  },
  prepare(build, { logs }) {
    build.scope.need(LOGS).open(logs);
  },
  derive(conf, scope): { readonly write: Handler | undefined } {
    const { access_log: logs } = conf;
    if (logs?.off) return { write: undefined };
    const entries = logs ? logs.entries : [defaultEntry(scope.need(HTTP))];
    return { write: logWriter(entries, new LogFiles(conf.open_log_file_cache), OK) };
  },
  phases: { log: ({ write }) => write },
});
