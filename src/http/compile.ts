/**
 * The complete http block becomes what requests meet: values merged level by level, handlers and filters
 * collected from the modules, locations put into tables. A level that sets nothing of a module's shares the
 * merged configuration of the level around it.
 */
import { type AnyDirective, type AnyModule, ConfError, inherit, type Scope } from '../config/contract.ts';
import { errorLogModule } from '../log/error-log-directive.ts';
import type { HttpBuild } from './build.ts';
import { type CoreConf, core } from './core-conf.ts';
import { indexOf } from './find-location.ts';
import type { Location, LocationTable } from './location.ts';
import type { AnyHttpModule, Handler, HeaderFilter, Phase, Place } from './module.ts';

type Values = Record<string, unknown>;

/** The merged values of one block, by the number of the module, before `derive`. */
interface Level {
  readonly scope: Scope;
  readonly merged: readonly Values[];
}

type Rows = readonly (readonly [string, Extract<AnyDirective, { kind: 'value' }>])[];

interface ModuleRows {
  readonly module: AnyHttpModule;
  readonly values: Rows;
  /** Those that do not simply inherit: a level that sets nothing may differ in them from the one around it. */
  readonly special: Rows;
}

const rowsOf = (module: AnyHttpModule): ModuleRows => {
  const values: [string, Extract<AnyDirective, { kind: 'value' }>][] = [];
  for (const [name, row] of Object.entries(module.directives)) {
    if (row.kind === 'value') values.push([name, row as Extract<AnyDirective, { kind: 'value' }>]);
  }
  return { module, values, special: values.filter(([, row]) => row.merge !== inherit) };
};

/** What a compiler of one http block keeps. */
class Compiler {
  readonly #rows: readonly ModuleRows[];
  readonly #numbers: ReadonlyMap<AnyModule, number>;
  readonly #derived = new Set<Values>();
  /** The modules that have something to say for each location. */
  readonly #active: readonly AnyHttpModule[];

  constructor(
    readonly build: HttpBuild,
    readonly modules: readonly AnyHttpModule[],
  ) {
    this.#rows = [...modules, errorLogModule].map(rowsOf);
    this.#numbers = new Map(this.#rows.map(({ module }, number) => [module, number]));
    this.#active = modules.filter(
      ({ derive, phases, content, headerFilter }) => derive ?? phases ?? content ?? headerFilter,
    );
  }

  /** Merges what a block sets with what holds around it. */
  level(scope: Scope, outer: Level | undefined): Level {
    const merged = this.#rows.map(({ module, values, special }, number): Values => {
      const own = scope.own.get(module);
      const around = outer?.merged[number];
      if (
        around &&
        !own &&
        special.every(([name, row]) => row.merge(undefined, around[name]) === around[name])
      )
        return around;
      const conf: Values = {};
      for (const [name, row] of values)
        conf[name] = row.merge(own?.[name], around ? around[name] : row.initial);
      return conf;
    });
    return { scope, merged };
  }

  #values(level: Level, module: AnyModule): Values {
    return level.merged[this.#numbers.get(module) ?? -1] ?? {};
  }

  /** The configuration of a module at a level, with what it derives. */
  conf(level: Level, module: AnyHttpModule): unknown {
    const values = this.#values(level, module);
    if (!module.derive) return values;
    if (this.#derived.has(values)) return values;
    this.#derived.add(values);
    // Into the merged values themselves: inner levels look at the rows' names only.
    return Object.assign(values, module.derive(values as never, level.scope));
  }

  /** Fills a location with the configurations and handlers of all modules. */
  fill(location: Location, level: Level): Map<Phase, Handler[]> {
    const place: Place = { location, build: this.build, scope: level.scope };
    const phases = new Map<Phase, Handler[]>();
    const filters: HeaderFilter[] = [];
    const subrequestFilters: HeaderFilter[] = [];
    location.confs = (module) => this.conf(level, module);
    location.core = this.conf(level, core) as CoreConf;
    location.errorLogConf = this.#values(level, errorLogModule).error_log as typeof location.errorLogConf;
    const { specs, main } = location.errorLogConf;
    for (const { target } of main ? [] : specs)
      if (target.kind === 'file') this.build.logFiles.add(target.path);
    for (const module of this.#active) {
      const conf = this.conf(level, module) as never;
      for (const phase in module.phases) {
        const handler = module.phases[phase as Phase]?.(conf, place);
        if (!handler) continue;
        const list = phases.get(phase as Phase) ?? [];
        list.push(handler);
        phases.set(phase as Phase, list);
      }
      location.content = module.content?.(conf, place) ?? location.content;
      const filter = module.headerFilter?.(conf, place);
      if (filter) filters.push(filter);
      if (filter && module.filtersSubrequests) subrequestFilters.push(filter);
    }
    location.rewrite = phases.get('rewrite') ?? [];
    location.preaccess = phases.get('preaccess') ?? [];
    location.access = phases.get('access') ?? [];
    location.precontent = phases.get('precontent') ?? [];
    location.contents = phases.get('content') ?? [];
    location.log = phases.get('log') ?? [];
    location.headerFilters = filters;
    location.subrequestFilters = subrequestFilters;
    this.build.compiled.push(location);
    return phases;
  }

  /** Compiles the blocks inside `scope`: its locations, `if`s and `limit_except`. */
  inside(scope: Scope, level: Level): void {
    for (const child of scope.children) {
      const location = this.build.locations.get(child);
      if (!location || child.context === 'server') continue;
      const own = this.level(child, level);
      this.inside(child, own);
      this.fill(location, own);
      if (location.kind !== 'if' && location.kind !== 'limit_except') {
        location.inner = this.table(child);
        location.limit = this.build.limits.get(child);
      }
    }
  }

  /** The table of the locations written in `scope`; undefined when there are none. */
  table(scope: Scope): LocationTable | undefined {
    const written = this.build.inner.get(scope);
    if (!written) return undefined;
    const exact = new Map<string, Location>();
    const prefixes = new Map<string, Location>();
    const named = new Map<string, Location>();
    const regexes: Location[] = [];
    for (const { location, place } of written) {
      if (location.kind === 'regex') {
        regexes.push(location);
        continue;
      }
      if (location.kind === 'named') {
        // The first of a name is the one: nginx does not look for others.
        if (!named.has(location.name)) named.set(location.name, location);
        continue;
      }
      const kind = location.kind === 'exact' ? exact : prefixes;
      if (kind.has(location.name)) throw new ConfError(`duplicate location "${location.name}"`, place);
      kind.set(location.name, location);
    }
    const redirects = new Map<string, Location>();
    for (const [name, location] of [...prefixes, ...exact]) {
      const bare = name.slice(0, -1);
      if (
        location.autoRedirect &&
        name.endsWith('/') &&
        bare !== '' &&
        !prefixes.has(bare) &&
        !exact.has(bare)
      ) {
        redirects.set(bare, location);
      }
    }
    const sorted = [...prefixes.values()].sort((a, b) => b.name.length - a.name.length);
    return { exact, prefixes: sorted, index: indexOf(sorted), redirects, regexes, named };
  }
}

const EMPTY: LocationTable = {
  exact: new Map(),
  prefixes: [],
  index: undefined,
  redirects: new Map(),
  regexes: [],
  named: new Map(),
};

/** Compiles a complete http block. Throws ConfError in nginx's words. */
export const compileHttp = (build: HttpBuild, modules: readonly AnyHttpModule[]): void => {
  for (const module of modules) module.complete?.(build);
  const compiler = new Compiler(build, modules);
  const main = build.scope.parent;
  const top = compiler.level(build.scope, main ? compiler.level(main, undefined) : undefined);
  for (const server of build.servers) {
    const { scope, runtime } = server;
    const level = compiler.level(scope, top);
    const first = server.names[0];
    runtime.name = first?.regex ? `~${first.text}` : (first?.text ?? '').replace(/^\./, '');
    compiler.inside(scope, level);
    const phases = compiler.fill(runtime.location, level);
    runtime.postRead = phases.get('post-read') ?? [];
    runtime.serverRewrite = phases.get('server-rewrite') ?? [];
    runtime.locations = compiler.table(scope) ?? EMPTY;
  }
  build.variables.bind();
};
