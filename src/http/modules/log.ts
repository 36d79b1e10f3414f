/** `access_log` and `log_format`: a line for each request (ngx_http_log). */
import { type Args, type Context, directive, key, type Parser, statement } from '../../config/contract.ts';
import { parseMsec, parseNumber, parseSize } from '../../config/numbers.ts';
import { wordAt } from '../../config/parsers.ts';
import type { AccessLog, AccessLogSpec } from '../../log/access-log.ts';
import { logPath } from '../../log/error-log-directive.ts';
import { parseSyslog } from '../../log/syslog-spec.ts';
import { HTTP, type HttpBuild } from '../build.ts';
import { type Handler, httpModule } from '../module.ts';
import type { Template } from '../template.ts';
import { OK } from '../verdict.ts';
import { combinedFormat, compileFormat, FORMATS, type LogLine } from './log-format.ts';
import { type LogCacheConf, LogFiles, logCacheParser } from './log-path.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location', 'if-in-location', 'limit_except'];

/** Where lines go: open once the worker has prepared. */
class Sink {
  log: AccessLog | undefined = undefined;
  constructor(readonly spec: AccessLogSpec) {}
}

/** One `access_log` statement. */
interface Entry {
  readonly line: LogLine;
  readonly condition: Template | undefined;
  readonly target: Sink | Template;
}

interface AccessLogs {
  readonly off: boolean;
  readonly entries: readonly Entry[];
}

type Buffering = Pick<AccessLogSpec, 'buffer' | 'flush' | 'gzip'>;

/** The files of the configuration that are buffered, and how. */
const BUFFERED = key<Map<string, Buffering>>('buffered access logs');

/** Everything that is to be opened. */
const SINKS = key<Sink[]>('access logs');

const sinkFor = (build: HttpBuild, spec: AccessLogSpec): Sink => {
  const sink = new Sink(spec);
  if (spec.target.kind === 'file') build.logFiles.add(spec.target.path);
  build.scope.need(SINKS).push(sink);
  return sink;
};

interface Options extends Buffering {
  readonly condition: Template | undefined;
}

const optionsOf = (args: Args): Options => {
  let [buffer, flush, gzip] = [0, 0, 0];
  let condition: Template | undefined;
  for (const word of args.words.slice(2)) {
    const [name = '', value] = word.text.split(/=(.*)/s);
    const text = value ?? '';
    if (name === 'buffer' && value !== undefined) {
      buffer = parseSize(text) || args.fail(`invalid buffer size "${text}"`, word);
    } else if (name === 'flush' && value !== undefined) {
      flush = parseMsec(text) || args.fail(`invalid flush time "${text}"`, word);
    } else if (name === 'gzip') {
      if (buffer === 0) buffer = 65536;
      const level = value === undefined ? 1 : parseNumber(text);
      gzip =
        level === undefined || level > 9 || level < 1
          ? args.fail(`invalid compression level "${text}"`, word)
          : level;
    } else if (name === 'if' && value !== undefined) {
      condition = args.scope.need(HTTP).template(text, args.place);
    } else {
      args.fail(`invalid parameter "${word.text}"`, word);
    }
  }
  if (flush > 0 && buffer === 0) args.fail(`no buffer is defined for access_log "${args.texts[0]}"`);
  return { buffer, flush, gzip, condition };
};

/** A buffered file is the same everywhere: one buffer stands before it. */
const checkBuffering = (args: Args, path: string, { buffer, flush, gzip }: Options): Buffering => {
  const buffered = args.scope.need(BUFFERED);
  const before = buffered.get(path);
  if (buffer === 0) return before ?? { buffer, flush, gzip };
  if (before && (before.buffer !== buffer || before.flush !== flush || before.gzip !== gzip)) {
    args.fail(`access_log "${args.texts[0]}" already defined with conflicting parameters`);
  }
  buffered.set(path, { buffer, flush, gzip });
  return { buffer, flush, gzip };
};

const targetOf = (args: Args, build: HttpBuild, options: Options): Sink | Template => {
  const word = wordAt(args, 0);
  if (word.text.startsWith('syslog:')) {
    if (options.buffer > 0) args.fail('logs to syslog cannot be buffered');
    const spec = parseSyslog(word.text, (reason) => args.fail(reason), args.scope.load.addresses);
    return sinkFor(build, { target: { kind: 'syslog', ...spec }, buffer: 0, flush: 0, gzip: 0 });
  }
  const path = logPath(word.text, args.scope.load.prefix);
  if (word.text.includes('$')) {
    if (options.buffer > 0) args.fail('buffered logs cannot have variables in name');
    return build.template(path, args.place);
  }
  return sinkFor(build, { target: { kind: 'file', path }, ...checkBuffering(args, path, options) });
};

/** The first format of that name, in any case. */
const formatNamed = (formats: ReadonlyMap<string, LogLine>, name: string): LogLine | undefined => {
  const lower = name.toLowerCase();
  for (const [own, line] of formats) if (own.toLowerCase() === lower) return line;
  return undefined;
};

const accessLog: Parser<AccessLogs> = {
  arity: { min: 1, max: Number.POSITIVE_INFINITY },
  repeats: true,
  parse(args, own = { off: false, entries: [] }) {
    const build = args.scope.need(HTTP);
    if (args.texts[0] === 'off') {
      const extra = args.words[1];
      if (extra) args.fail(`invalid parameter "${extra.text}"`, extra);
      return { ...own, off: true };
    }
    const name = args.texts[1] ?? 'combined';
    const line = formatNamed(args.scope.need(FORMATS), name);
    if (!line) return args.fail(`unknown log format "${name}"`, args.words[1]);
    const options = optionsOf(args);
    const target = targetOf(args, build, options);
    return { ...own, entries: [...own.entries, { line, condition: options.condition, target }] };
  },
};

/** The log of a configuration that names none. */
const DEFAULT = key<Entry>('the default access log');

const defaultEntry = (build: HttpBuild): Entry => {
  const present = build.scope.find(DEFAULT);
  if (present) return present;
  const path = build.scope.load.builtIn.accessLog;
  const target = sinkFor(build, { target: { kind: 'file', path }, buffer: 0, flush: 0, gzip: 0 });
  const line = build.scope.need(FORMATS).get('combined') ?? combinedFormat(build);
  const entry: Entry = { line, condition: undefined, target };
  build.scope.carry(DEFAULT, entry);
  return entry;
};

const makeHandler = (entries: readonly Entry[], files: LogFiles): Handler => {
  const writers = entries.map(({ line, condition, target }): Handler => {
    const write: Handler =
      target instanceof Sink
        ? (request) => {
            target.log?.log(line(request));
            return OK;
          }
        : (request) => {
            files.append(request, target.text(request), line(request));
            return OK;
          };
    if (!condition) return write;
    return (request) => {
      const text = condition.text(request);
      return text === '' || text === '0' ? OK : write(request);
    };
  });
  const [only] = writers;
  if (writers.length === 1 && only) return only;
  return (request) => {
    for (const write of writers) write(request);
    return OK;
  };
};

export const logModule = httpModule({
  name: 'http_log',
  directives: {
    log_format: statement({
      in: ['http'],
      arity: { min: 2, max: Number.POSITIVE_INFINITY },
      repeats: true,
      run(args) {
        const formats = args.scope.need(FORMATS);
        const name = wordAt(args, 0).text;
        if (formats.has(name)) args.fail(`duplicate "log_format" name "${name}"`);
        formats.set(name, compileFormat(args, args.scope.need(HTTP)));
      },
    }),
    access_log: directive<AccessLogs | undefined>(accessLog as Parser<AccessLogs | undefined>, {
      in: WHERE,
      initial: undefined,
    }),
    open_log_file_cache: directive<LogCacheConf | false>(logCacheParser, {
      in: ['http', 'server', 'location'],
      initial: false,
    }),
  },
  begin(build) {
    build.scope.carry(FORMATS, new Map([['combined', combinedFormat(build)]]));
    build.scope.carry(BUFFERED, new Map());
    build.scope.carry(SINKS, []);
  },
  prepare(build, { logs }) {
    for (const sink of build.scope.need(SINKS)) sink.log = logs.accessLog(sink.spec);
  },
  derive(conf, scope): { readonly write: Handler | undefined } {
    const { access_log: logs } = conf;
    if (logs?.off) return { write: undefined };
    const entries = logs ? logs.entries : [defaultEntry(scope.need(HTTP))];
    return { write: makeHandler(entries, new LogFiles(conf.open_log_file_cache)) };
  },
  phases: { log: ({ write }) => write },
});
