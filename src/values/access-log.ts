/** `access_log`: where the lines of requests or sessions go, and under which conditions. */
import type { Args } from '../config/contract.ts';
import { parseMsec, parseNumber, parseSize } from '../config/numbers.ts';
import { wordAt } from '../config/parsers.ts';
import type { AccessLog, AccessLogSpec } from '../log/access-log.ts';
import { logPath } from '../log/error-log-directive.ts';
import type { LogRegistry } from '../log/registry.ts';
import { parseSyslog } from '../log/syslog-spec.ts';
import { compileFormat, type LogLine, type LogValues } from './log-format.ts';
import type { Template } from './template.ts';
import type { Subject } from './variables.ts';

/** Where lines go: open once the worker has prepared. */
class Sink {
  log: AccessLog | undefined = undefined;
  constructor(readonly spec: AccessLogSpec) {}
}

/** One `access_log` statement. */
export interface LogEntry<R extends Subject> {
  readonly line: LogLine<R>;
  readonly condition: Template<R> | undefined;
  readonly target: Sink | Template<R>;
}

/** The statements of one level. */
export interface LogEntries<R extends Subject> {
  readonly off: boolean;
  readonly entries: readonly LogEntry<R>[];
}

type Buffering = Pick<AccessLogSpec, 'buffer' | 'flush' | 'gzip'>;

interface Options<R extends Subject> extends Buffering {
  readonly condition: Template<R> | undefined;
}

/** What the logs of a protocol stand on. */
export interface LogGround<R extends Subject> {
  readonly values: LogValues<R>;
  /** The log files that workers open, by full path. */
  readonly logFiles: Set<string>;
  template(source: string, place: Args['place']): Template<R>;
}

/** The access logs of one protocol while its block is read. */
export class AccessLogs<R extends Subject> {
  /** By name. */
  readonly formats = new Map<string, LogLine<R>>();
  /** The files of the configuration that are buffered, and how. */
  readonly #buffered = new Map<string, Buffering>();
  /** Everything that is to be opened. */
  readonly #sinks: Sink[] = [];

  constructor(readonly ground: LogGround<R>) {}

  /** A `log_format`. Throws in nginx's words. */
  define(args: Args): void {
    const name = wordAt(args, 0).text;
    if (this.formats.has(name)) args.fail(`duplicate "log_format" name "${name}"`);
    this.formats.set(name, compileFormat(args, this.ground.values));
  }

  /** An `access_log`, added to those of its level. `fallback`: the format where none is named. Throws in nginx's words. */
  add(args: Args, own: LogEntries<R> | undefined, fallback: string | undefined): LogEntries<R> {
    const { off, entries } = own ?? { off: false, entries: [] };
    if (args.texts[0] === 'off') {
      const extra = args.words[1];
      if (extra) args.fail(`invalid parameter "${extra.text}"`, extra);
      return { off: true, entries };
    }
    const name = args.texts[1] ?? fallback ?? args.fail('log format is not specified');
    const line = this.#format(name);
    if (!line) return args.fail(`unknown log format "${name}"`, args.words[1]);
    const options = this.#options(args);
    const target = this.#target(args, options);
    return { off, entries: [...entries, { line, condition: options.condition, target }] };
  }

  /** A plain file that no statement names. */
  plain(path: string, line: LogLine<R>): LogEntry<R> {
    const target = this.#sink({ target: { kind: 'file', path }, buffer: 0, flush: 0, gzip: 0 });
    return { line, condition: undefined, target };
  }

  /** In a worker: opens all files. */
  open(logs: LogRegistry): void {
    for (const sink of this.#sinks) sink.log = logs.accessLog(sink.spec);
  }

  /** The first format of that name, in any case. */
  #format(name: string): LogLine<R> | undefined {
    const lower = name.toLowerCase();
    for (const [own, line] of this.formats) if (own.toLowerCase() === lower) return line;
    return undefined;
  }

  #sink(spec: AccessLogSpec): Sink {
    const sink = new Sink(spec);
    if (spec.target.kind === 'file') this.ground.logFiles.add(spec.target.path);
    this.#sinks.push(sink);
    return sink;
  }

  #options(args: Args): Options<R> {
    let [buffer, flush, gzip] = [0, 0, 0];
    let condition: Template<R> | undefined;
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
        condition = this.ground.template(text, args.place);
      } else {
        args.fail(`invalid parameter "${word.text}"`, word);
      }
    }
    if (flush > 0 && buffer === 0) args.fail(`no buffer is defined for access_log "${args.texts[0]}"`);
    return { buffer, flush, gzip, condition };
  }

  #target(args: Args, options: Options<R>): Sink | Template<R> {
    const word = wordAt(args, 0);
    if (word.text.startsWith('syslog:')) {
      if (options.buffer > 0) args.fail('logs to syslog cannot be buffered');
      const spec = parseSyslog(word.text, (reason) => args.fail(reason), args.scope.load.addresses);
      return this.#sink({ target: { kind: 'syslog', ...spec }, buffer: 0, flush: 0, gzip: 0 });
    }
    const path = logPath(word.text, args.scope.load.prefix);
    if (word.text.includes('$')) {
      if (options.buffer > 0) args.fail('buffered logs cannot have variables in name');
      return this.ground.template(path, args.place);
    }
    return this.#sink({ target: { kind: 'file', path }, ...this.#buffering(args, path, options) });
  }

  /** A buffered file is the same everywhere: one buffer stands before it. */
  #buffering(args: Args, path: string, { buffer, flush, gzip }: Buffering): Buffering {
    const before = this.#buffered.get(path);
    if (buffer === 0) return before ?? { buffer, flush, gzip };
    if (before && (before.buffer !== buffer || before.flush !== flush || before.gzip !== gzip)) {
      args.fail(`access_log "${args.texts[0]}" already defined with conflicting parameters`);
    }
    this.#buffered.set(path, { buffer, flush, gzip });
    return { buffer, flush, gzip };
  }
}

/** Files whose names variables make. */
interface NamedFiles<R> {
  append(request: R, path: string, line: string): void;
}

/** What writes the lines of one level. `done` is what the phase is told. */
export const logWriter = <R extends Subject>(
  entries: readonly LogEntry<R>[],
  files: NamedFiles<R>,
  done: number,
): ((request: R) => number) => {
  const writers = entries.map(({ line, condition, target }): ((request: R) => number) => {
    const write =
      target instanceof Sink
        ? (request: R): number => {
            target.log?.log(line(request));
            return done;
          }
        : (request: R): number => {
            files.append(request, target.text(request), line(request));
            return done;
          };
    if (!condition) return write;
    return (request) => {
      const text = condition.text(request);
      return text === '' || text === '0' ? done : write(request);
    };
  });
  const [only] = writers;
  if (writers.length === 1 && only) return only;
  return (request) => {
    for (const write of writers) write(request);
    return done;
  };
};
