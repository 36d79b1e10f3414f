/**
 * Reads a configuration: statement by statement in the order of the files, `include` in place, each checked against
 * the modules' declarations before the next is read. So the first error is the one that nginx reports.
 */
import { checkAccepted, isAccepted } from './accepted.ts';
import {
  type AnyDirective,
  type AnyModule,
  type Args,
  type BuiltInPaths,
  ConfError,
  ConfErrors,
  type Context,
  type LoadContext,
  type Place,
  placed,
  Scope,
  type Word,
} from './contract.ts';
import { isPattern } from './glob.ts';
import { findKnown, isKnown, type KnownDirective, unsupported } from './known.ts';
import { absolute } from './parsers.ts';
import { Reason } from './reason.ts';
import { accepts, arityOf, type Entry, Registry, repeats } from './registry.ts';
import { disk, RecordingSource, type Source, type SourceRecord } from './source.ts';
import { ReadArgs } from './statement-args.ts';
import { type Item, StatementReader } from './statements.ts';

/** All paths and texts are strings of bytes (latin1), as the configuration itself is read. */
export interface LoadOptions {
  /** The main configuration file. */
  readonly file: string;
  /** `-p`, ending in a slash. */
  readonly prefix: string;
  /** The folder of the main configuration file, ending in a slash. */
  readonly confPrefix: string;
  /** nginx's names below the prefix where left out. */
  readonly builtIn?: BuiltInPaths;
  /** `-g`, read before the file. */
  readonly globals?: string;
  readonly modules: readonly AnyModule[];
  /** `-t`. */
  readonly testing: boolean;
  /** The disk where left out. A worker gives `recorded(...)`. */
  readonly source?: Source;
  /** Told of each warning when it is met: the line for the log, and its parts. */
  readonly warn?: (message: string, warning: Warning) => void;
}

export interface Warning {
  readonly reason: string;
  readonly place: Place | undefined;
}

export interface Loaded {
  readonly main: Scope;
  /** The files in the order in which they were opened, and what patterns gave. */
  readonly record: SourceRecord;
  /** nginx's one error first, then what else was found. */
  readonly errors: readonly ConfError[];
  readonly warnings: readonly Warning[];
}

/** As nginx, which opens a file for each level of `include` and has about a thousand to open. */
const DEEPEST = 1000;
/** A file that is not a configuration at all need not be listed line by line. */
const MOST_ERRORS = 100;

/** Ends a load at once: behind this point nothing can be understood. */
class Stop extends Error {}

/** What statements are read into: a block's scope, or the rows of a `map` and its like. */
interface Level {
  readonly scope: Scope;
  readonly rows?: (args: Args) => void;
}

type Statement = Extract<Item, { words: readonly Word[] }>;

class Loader {
  readonly errors: ConfError[] = [];
  readonly #registry: Registry;
  readonly #source: Source;
  readonly #load: LoadContext;
  #depth = 0;

  constructor(registry: Registry, source: Source, load: LoadContext) {
    this.#registry = registry;
    this.#source = source;
    this.#load = load;
  }

  /** Reads a file into a level. Throws a Reason where it cannot be read. */
  file(path: string, level: Level): void {
    if (this.#depth >= DEEPEST) throw new Reason(`open() "${path}" failed (24: Too many open files)`);
    const text = this.#source.read(path);
    this.#depth += 1;
    this.#read(new StatementReader(text, path), level, 'file');
    this.#depth -= 1;
  }

  /** Reads the text of `-g`. */
  globals(text: string, level: Level): void {
    this.#read(new StatementReader(text, 'command line', false), level, 'globals');
  }

  /** Keeps an error, and ends the load when there are too many. */
  report(error: ConfError): void {
    this.errors.push(error);
    if (error instanceof ConfErrors) this.errors.push(...error.others);
    if (this.errors.length >= MOST_ERRORS) throw new Stop();
  }

  /** Reads up to the end of the text, or of the block; gives the place of the `}`. */
  #read(reader: StatementReader, level: Level, within: 'file' | 'block' | 'globals'): Place {
    for (;;) {
      const item = reader.next();
      if (item.kind === 'malformed') {
        this.report(new ConfError(item.reason, item.place));
        if (item.last === 'semicolon') continue;
        if (item.last === 'close' && within === 'block') return item.place;
        throw new Stop();
      }
      if (item.kind === 'close') {
        if (within !== 'block') this.#end('unexpected "}"', item.place);
        return item.place;
      }
      if (item.kind === 'end') {
        if (within === 'block') this.#end('unexpected end of file, expecting "}"', item.place);
        return item.place;
      }
      if (item.kind === 'open' && within === 'globals') {
        this.#end('block directives are not supported in -g option', item.place);
      }
      this.#statement(item, level, reader);
    }
  }

  #end(reason: string, place: Place): never {
    this.report(new ConfError(reason, place));
    throw new Stop();
  }

  /** One statement, or a block with its body. An error in it is kept, and reading goes on behind it. */
  #statement(item: Statement, level: Level, reader: StatementReader): void {
    const [name, ...words] = item.words;
    if (!name) throw new Error('a statement has no name');
    const args = new ReadArgs(name, words, level.scope, item.place);
    const body = item.kind === 'open' ? new Body(reader, name.text) : undefined;
    try {
      this.#run(args, level, body);
    } catch (error) {
      if (error instanceof ConfError)
        this.report(error.place || error.at ? error : args.errorAt(error.reason));
      else if (error instanceof Reason) this.report(args.errorAt(error.message));
      // A statement may lack what one with an error would have provided.
      else if (error instanceof Stop || this.errors.length === 0) throw error;
    }
    if (body && !body.skip()) throw new Stop();
  }

  #run(args: ReadArgs, level: Level, body: Body | undefined): void {
    if (level.rows) {
      if (body) args.fail('unexpected "{"');
      if (args.name === 'include' && args.words.length === 1) this.#include(args, level);
      else level.rows(args);
      return;
    }
    if (args.name === 'include') {
      check(args, { isBlock: false, arity: 1 }, body);
      this.#include(args, level);
      return;
    }
    const entry = this.#registry.find(level.scope.context, args.name);
    if (entry) this.#declared(args, entry, body);
    else this.#undeclared(args, body);
  }

  #include(args: Args, level: Level): void {
    const full = absolute(this.#load.confPrefix, args.texts[0] ?? '');
    const paths = isPattern(full) ? this.#source.glob(full) : [full];
    for (const path of paths) this.file(path, level);
  }

  /** A directive that a module declares. */
  #declared(args: ReadArgs, { module, key, row }: Entry, body: Body | undefined): void {
    check(args, { isBlock: row.kind === 'block', arity: arityOf(row) }, body);
    const { scope } = args;
    // Modules may share a key (proxy_* and fastcgi_* rows): a value is a second one only in its own module.
    const own = row.kind === 'value' ? scope.own.get(module) : undefined;
    const isSet = row.kind === 'value' ? own !== undefined && key in own : scope.set.has(key);
    if (isSet && !repeats(row)) args.failDirective('is duplicate');
    if (row.kind === 'value') scope.put(module, key, row.parser.parse(args, own?.[key]));
    else if (row.kind === 'statement') row.run(args);
    else if (body) this.#block(args, row, body);
    scope.mark(key, args.nameWord);
    if (args.name !== key) scope.mark(args.name, args.nameWord);
  }

  #block(args: ReadArgs, row: Extract<AnyDirective, { kind: 'block' }>, body: Body): void {
    const { scope } = args;
    const isRows = row.child === 'rows';
    const context: Context = row.child === 'rows' ? scope.context : row.child;
    const inner = new Scope(context, scope, [args.nameWord, ...args.words], args.place, this.#load);
    row.begin?.(args, inner);
    if (!isRows) scope.children.push(inner);
    const level: Level = isRows
      ? { scope: inner, rows: (rowArgs) => row.row?.(rowArgs, inner) }
      : { scope: inner };
    const place = this.#read(body.take(), level, 'block');
    const ended = args.at(place);
    try {
      row.end?.(ended, inner);
    } catch (error) {
      // What contradicts itself across directives is reported where the block ends, as nginx does.
      throw error instanceof Reason ? ended.errorAt(error.message) : error;
    }
  }

  /** A directive that only nginx knows, or nobody. */
  #undeclared(args: ReadArgs, body: Body | undefined): void {
    const known = findKnown(args.scope.context, args.name);
    if (!known) {
      const elsewhere = this.#registry.has(args.name) || isKnown(args.name);
      if (elsewhere) args.failDirective('is not allowed here', args.nameWord);
      args.fail(`unknown directive "${args.name}"`, args.nameWord);
    }
    this.#known(args, known, body);
  }

  #known(args: ReadArgs, known: KnownDirective, body: Body | undefined): void {
    check(args, { isBlock: known.kind === 'block', arity: known.arity }, body);
    if (!isAccepted(known.name)) args.fail(unsupported(known), args.nameWord);
    checkAccepted(args, known);
    args.scope.mark(known.name, args.nameWord);
  }
}

/** The `{ }` behind a block's words: read once, or skipped when an error left it unread. */
class Body {
  readonly #reader: StatementReader;
  readonly #name: string;
  #taken = false;

  constructor(reader: StatementReader, name: string) {
    this.#reader = reader;
    this.#name = name;
  }

  take(): StatementReader {
    this.#taken = true;
    return this.#reader;
  }

  /** Goes behind the `}` if nobody has; false where the text ends within. */
  skip(): boolean {
    return this.#taken || this.#reader.skipBody(this.#name);
  }
}

/** nginx's checks on any directive, in its order. */
const check = (
  args: ReadArgs,
  { isBlock, arity }: { isBlock: boolean; arity: Parameters<typeof accepts>[0] },
  body: Body | undefined,
): void => {
  if (!isBlock && body) args.fail(`directive "${args.name}" is not terminated by ";"`, args.nameWord);
  if (isBlock && !body) args.fail(`directive "${args.name}" has no opening "{"`, args.nameWord);
  if (!accepts(arity, args.words.length)) {
    args.fail(`invalid number of arguments in "${args.name}" directive`, args.nameWord);
  }
};

/** nginx's own names for what a configuration does not name, below the prefix. */
export const builtInPaths = (prefix: string): BuiltInPaths => ({
  accessLog: `${prefix}logs/access.log`,
  bodyTemp: `${prefix}client_body_temp`,
  proxyTemp: `${prefix}proxy_temp`,
  fastcgiTemp: `${prefix}fastcgi_temp`,
  scgiTemp: `${prefix}scgi_temp`,
  uwsgiTemp: `${prefix}uwsgi_temp`,
});

/** Reads a configuration. Throws nothing for what is wrong with it: that is in `errors`. */
export const load = (options: LoadOptions): Loaded => {
  const warnings: Warning[] = [];
  const source = new RecordingSource(options.source ?? disk);
  const context: LoadContext = {
    prefix: options.prefix,
    confPrefix: options.confPrefix,
    builtIn: options.builtIn ?? builtInPaths(options.prefix),
    testing: options.testing,
    object: (path) => source.object(path)?.text,
    addresses: (host) => source.addresses(host),
    warn(reason, place) {
      const warning = { reason, place };
      warnings.push(warning);
      options.warn?.(placed(reason, place), warning);
    },
  };
  const main = new Scope('main', undefined, [], { file: options.file, line: 1, column: 1 }, context);
  const loader = new Loader(new Registry(options.modules), source, context);
  try {
    if (options.globals) loader.globals(options.globals, { scope: main });
    loader.file(options.file, { scope: main });
  } catch (error) {
    if (error instanceof Reason) loader.errors.push(new ConfError(error.message, undefined));
    else if (!(error instanceof Stop)) throw error;
  }
  return { main, record: source.record, errors: loader.errors, warnings };
};
