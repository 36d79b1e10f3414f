/**
 * The contract between the configuration language and the modules: how a directive is declared, what its
 * parser is given, and the type of the configuration that results. Nothing here knows HTTP or processes.
 */

/** Where a directive may stand; the same words as in nginx's documentation. */
export type Context =
  | 'main'
  | 'events'
  | 'http'
  | 'server'
  | 'location'
  | 'if-in-server'
  | 'if-in-location'
  | 'limit_except'
  | 'upstream'
  | 'stream'
  | 'stream-server'
  | 'stream-upstream';

/** A position in a configuration file. Lines and columns count from 1; line 0 is the text of `-g`. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One word of a statement, unescaped. `quoted` words never act as `{`, `}` or `;`. */
export interface Word extends Place {
  readonly text: string;
  readonly quoted: boolean;
}

/** How many words follow the name: a count, a list of counts, or a range (max may be Infinity). */
export type Arity =
  | 'flag'
  | 'none'
  | number
  | readonly number[]
  | { readonly min: number; readonly max: number };

/** `REASON in FILE:LINE`; in the text of `-g`, which has no lines, `REASON in command line`. */
export const placed = (reason: string, place: Place | undefined): string => {
  if (!place) return reason;
  return `${reason} in ${place.file}${place.line > 0 ? `:${place.line}` : ''}`;
};

/** A mistake in the configuration, with nginx's wording; `place` is where nginx reports it. */
export class ConfError extends Error {
  override readonly name = 'ConfError';
  constructor(
    readonly reason: string,
    readonly place: Place | undefined,
    /** The word at fault, for the caret; the place above is nginx's (the statement's terminator). */
    readonly at: Place | undefined = place,
  ) {
    super(placed(reason, place));
  }
}

/** Mistakes that are found together; the first stands for all. */
export class ConfErrors extends ConfError {
  constructor(
    first: ConfError,
    readonly others: readonly ConfError[],
  ) {
    super(first.reason, first.place, first.at);
  }
}

/** A typed key under which one block of the configuration carries a value for those inside it. */
export interface Key<T> {
  readonly name: string;
  /** Phantom: only carries the type. */
  readonly type?: T;
}
export const key = <T>(name: string): Key<T> => ({ name });

/** Where things go that a configuration does not name; full paths, and strings of bytes (latin1). */
export interface BuiltInPaths {
  readonly accessLog: string;
  /** Folders of temporary files. */
  readonly bodyTemp: string;
  readonly proxyTemp: string;
  readonly fastcgiTemp: string;
  readonly scgiTemp: string;
  readonly uwsgiTemp: string;
}

/** What is asked of the program as a whole while a configuration is read. */
export interface LoadContext {
  /** `-p`, always ending in a slash: what relative paths (logs, root) are resolved against. */
  readonly prefix: string;
  /** The folder of the main configuration file, ending in a slash: for `include`, certificates, htpasswd. */
  readonly confPrefix: string;
  readonly builtIn: BuiltInPaths;
  /** `-t`: nothing may be created, bound or opened for writing. */
  readonly testing: boolean;
  /** The bytes of a file that a module reads (latin1), the same in all processes; undefined when it cannot be read. */
  object(path: string): string | undefined;
  /** The addresses of a name, v6 without brackets, as the system knows them; none when it is not found. Blocks. */
  addresses(host: string): readonly string[];
  warn(reason: string, place?: Place): void;
}

const NOTHING: ReadonlyMap<AnyModule, Readonly<Record<string, unknown>>> = new Map();
const NOWHERE: ReadonlyMap<string, Place> = new Map();

/** One block being read (or the file's top), with what its statements have set so far. */
export class Scope {
  readonly children: Scope[] = [];
  // Made at the first use: a configuration has thousands of blocks, and most set little.
  #own: Map<AnyModule, Record<string, unknown>> | undefined;
  #set: Map<string, Place> | undefined;
  #carried: Map<Key<unknown>, unknown> | undefined;

  constructor(
    readonly context: Context,
    readonly parent: Scope | undefined,
    /** The statement that opened the block: its name and words; empty at the top. */
    readonly words: readonly Word[],
    readonly place: Place,
    readonly load: LoadContext,
  ) {}

  /** Values set at this level, by the declaring module, then by the directive's key. */
  get own(): ReadonlyMap<AnyModule, Readonly<Record<string, unknown>>> {
    return this.#own ?? NOTHING;
  }

  /** Where each value was set: `proxy_read_timeout` -> its first word. Used for duplicates and warnings. */
  get set(): ReadonlyMap<string, Place> {
    return this.#set ?? NOWHERE;
  }

  /** Sets a value at this level. */
  put(module: AnyModule, name: string, value: unknown): void {
    this.#own ??= new Map();
    const own = this.#own.get(module);
    if (own) own[name] = value;
    else this.#own.set(module, { [name]: value });
  }

  /** Notes where a name was set; the first place stays. */
  mark(name: string, place: Place): void {
    this.#set ??= new Map();
    if (!this.#set.has(name)) this.#set.set(name, place);
  }

  /** Gives every block inside this one the value under `k`. */
  carry<T>(k: Key<T>, value: T): void {
    this.#carried ??= new Map();
    this.#carried.set(k, value);
  }

  /** The value carried by this block or the nearest one around it; undefined when none carries it. */
  find<T>(k: Key<T>): T | undefined {
    for (let scope: Scope | undefined = this; scope; scope = scope.parent) {
      if (scope.#carried?.has(k)) return scope.#carried.get(k) as T;
    }
    return undefined;
  }

  /** As `find`, for what the contexts of the directive guarantee; throws where nothing carries it. */
  need<T>(k: Key<T>): T {
    const value = this.find(k);
    if (value === undefined) throw new Error(`no block around "${this.words[0]?.text}" carries ${k.name}`);
    return value;
  }
}

/** A statement as its parser sees it. */
export interface Args {
  readonly name: string;
  /** The words after the name. */
  readonly words: readonly Word[];
  /** The texts of `words`, for convenience. */
  readonly texts: readonly string[];
  readonly scope: Scope;
  /** Where nginx says the statement is: the line of its `;` or `{`. */
  readonly place: Place;
  /** Throws: the reason as it stands, ` in FILE:LINE` is added. */
  fail(reason: string, at?: Place): never;
  /** Throws: `"NAME" directive REASON`. */
  failDirective(reason: string, at?: Place): never;
  /** A warning in the log of the load, ` in FILE:LINE` added. */
  warn(reason: string): void;
}

/** Turns a statement's words into a value. */
export interface Parser<T> {
  readonly arity: Arity;
  /** May be used more than once at one level; `own` is then what the earlier uses gave. */
  readonly repeats?: true;
  /** Throws through `args.fail` when the words are wrong. */
  parse(args: Args, own: T | undefined): T;
}

interface Row {
  readonly in: readonly Context[];
  /** The names that write this row, when not the key itself: `rules` is written by `allow` and `deny`. */
  readonly names?: readonly string[];
}

/** A directive that is a value: parsed, merged from the outer level to the inner, typed in `Conf`. */
export interface Directive<T> extends Row {
  readonly kind: 'value';
  readonly parser: Parser<T>;
  /** The value where no level sets it. */
  readonly initial: T;
  merge(own: T | undefined, outer: T): T;
}

/** A directive that acts when it is read. Its effects are what `run` does to `args.scope` and what that carries. */
export interface Statement extends Row {
  readonly kind: 'statement';
  readonly arity: Arity;
  readonly repeats?: true;
  run(args: Args): void;
}

/** A directive that opens `{ }`: with statements of a child context inside, or with raw rows (map, geo, types). */
export interface Block extends Row {
  readonly kind: 'block';
  readonly arity: Arity;
  readonly repeats?: true;
  readonly child: Context | 'rows';
  /** Before the body is read. `inner` is the new block (for 'rows' too: it may carry what `row` fills). */
  begin?(args: Args, inner: Scope): void;
  /** One row of a 'rows' block: `row.name` is its first word, `row.words` the rest. */
  row?(row: Args, inner: Scope): void;
  /** When the body is complete. `args.place` is then the line of the `}`. */
  end?(args: Args, inner: Scope): void;
}

export type AnyDirective = Directive<unknown> | Statement | Block;
export type Table = Readonly<Record<string, Directive<never> | Directive<unknown> | Statement | Block>>;

/** The merged configuration of one level: nothing optional, nothing writable. */
export type Conf<D extends Table> = {
  readonly [K in keyof D as D[K] extends { readonly kind: 'value' } ? K : never]: D[K] extends Directive<
    infer T
  >
    ? T
    : never;
};

/** What every module has, whatever its domain; `src/http/module.ts` adds phases, filters and variables. */
export interface Module<D extends Table, X> {
  /** As nginx calls it, without `ngx_` and `_module`: `http_proxy`. */
  readonly name: string;
  /** Other modules of nginx whose work this one does too: for `-V`. */
  readonly provides?: readonly string[];
  readonly directives: D;
  /** Work across directives, once per level that is kept (a location, a server), at load. */
  derive?(conf: Conf<D>, scope: Scope): X;
  /** The names that `derive` gives, for a module with many rows: room is made for them when the rows are merged. */
  readonly derived?: readonly string[];
}
export interface AnyModule {
  readonly name: string;
  readonly provides?: readonly string[];
  readonly directives: Table;
}
export type ConfOf<M> = M extends Module<infer D, infer X> ? Conf<D> & X : never;

export const inherit = <T>(own: T | undefined, outer: T): T => own ?? outer;

/** Declares a value directive. The parser comes first so that its type decides the others'. */
export const directive = <T>(
  parser: Parser<T>,
  rest: {
    readonly in: readonly Context[];
    readonly names?: readonly string[];
    readonly initial: NoInfer<T>;
    readonly merge?: (own: NoInfer<T> | undefined, outer: NoInfer<T>) => NoInfer<T>;
  },
): Directive<T> => ({ kind: 'value', parser, ...rest, merge: rest.merge ?? inherit });
export const statement = (rest: Omit<Statement, 'kind'>): Statement => ({ kind: 'statement', ...rest });
export const block = (rest: Omit<Block, 'kind'>): Block => ({ kind: 'block', ...rest });
export const defineModule = <D extends Table, X = unknown>(m: Module<D, X>): Module<D, X> => m;

/**
 * The merged configuration of a module at a level: `scopes` from the outermost block to the level's own.
 * Levels that the module has no values for cost nothing. Runs at load only.
 */
export const resolve = <D extends Table, X>(module: Module<D, X>, scopes: readonly Scope[]): Conf<D> & X => {
  const conf: Record<string, unknown> = {};
  const rows: [string, AnyDirective][] = Object.entries(module.directives) as [string, AnyDirective][];
  for (const [name, row] of rows) {
    if (row.kind !== 'value') continue;
    let value = row.initial;
    for (const scope of scopes) value = row.merge(scope.own.get(module)?.[name], value);
    conf[name] = value;
  }
  const last = scopes.at(-1);
  const extra = module.derive && last ? module.derive(conf as Conf<D>, last) : {};
  return Object.assign(conf, extra) as Conf<D> & X;
};
