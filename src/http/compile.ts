/**
 * The complete http block becomes what requests meet: values merged level by level, handlers and filters
 * collected from the modules, locations put into tables. A level that sets nothing of a module's shares the
 * merged configuration of the level around it.
 */
import { type AnyDirective, type AnyModule, inherit, type Scope } from '../config/contract.ts';
import { errorLogModule } from '../log/error-log-directive.ts';
import type { HttpBuild } from './build.ts';
import { type CoreConf, core } from './core-conf.ts';
import { type Location, NO_FILTERS, NO_HANDLERS } from './location.ts';
import { NO_LOCATIONS, tableOf } from './location-table.ts';
import { type AnyHttpModule, type Handler, PHASES, type Phase, type Place } from './module.ts';

type Values = Record<string, unknown>;

/** The merged values of one block, by the number of the module, before `derive`. */
interface Level {
  readonly scope: Scope;
  readonly merged: readonly Values[];
}

type Row = Extract<AnyDirective, { kind: 'value' }>;

/** What there is to merge of one module. */
interface ModuleRows {
  readonly module: AnyHttpModule;
  readonly number: number;
  readonly rows: ReadonlyMap<string, Row>;
  /** Those that do not simply inherit: a level that sets nothing may differ in them from the one around it. */
  readonly special: readonly (readonly [string, Row])[];
}

const rowsOf = (module: AnyHttpModule, number: number): ModuleRows => {
  const rows = new Map<string, Row>();
  for (const [name, row] of Object.entries(module.directives))
    if (row.kind === 'value') rows.set(name, row as Row);
  return { module, number, rows, special: [...rows].filter(([, row]) => row.merge !== inherit) };
};

/** Whether a level that sets nothing of a module's differs from the one around it. */
const differs = (special: ModuleRows['special'], around: Values): boolean => {
  for (const [name, row] of special) if (row.merge(undefined, around[name]) !== around[name]) return true;
  return false;
};

/** A module that has something to say for each location. */
interface Active {
  readonly module: AnyHttpModule;
  readonly number: number;
  readonly phases: readonly (readonly [Phase, (conf: never, place: Place) => Handler | undefined])[];
}

const activeOf = (module: AnyHttpModule, number: number): Active => ({
  module,
  number,
  phases: PHASES.flatMap((phase) => {
    const make = module.phases?.[phase];
    return make ? [[phase, make] as const] : [];
  }),
});

/** What runs in each phase of one block. Blocks share the list that has nothing in it. */
type Runs = Record<Phase, readonly Handler[]>;
const NO_RUNS: Readonly<Runs> = {
  'post-read': NO_HANDLERS,
  'server-rewrite': NO_HANDLERS,
  rewrite: NO_HANDLERS,
  preaccess: NO_HANDLERS,
  access: NO_HANDLERS,
  precontent: NO_HANDLERS,
  content: NO_HANDLERS,
  log: NO_HANDLERS,
};

const append = <T>(list: readonly T[], item: T): readonly T[] =>
  list.length === 0 ? [item] : [...list, item];

/** What a compiler of one http block keeps. */
class Compiler {
  readonly #rows: readonly ModuleRows[];
  /** Those with rows that do not simply inherit. */
  readonly #special: readonly ModuleRows[];
  readonly #numbers: ReadonlyMap<AnyModule, number>;
  readonly #derived = new Set<Values>();
  /** Where values were merged: blocks inside may share them, and are compiled before. */
  readonly #owners = new Map<Values, Scope>();
  readonly #active: readonly Active[];

  constructor(
    readonly build: HttpBuild,
    readonly modules: readonly AnyHttpModule[],
  ) {
    const all = [...modules, errorLogModule];
    this.#rows = all.map(rowsOf);
    this.#special = this.#rows.filter(({ special }) => special.length > 0);
    this.#numbers = new Map(all.map((module, number) => [module, number]));
    this.#active = modules
      .map(activeOf)
      .filter(
        ({ module: { derive, phases, content, headerFilter } }) =>
          derive ?? phases ?? content ?? headerFilter,
      );
  }

  /** What holds in a block that has none around it. */
  outermost(scope: Scope): Level {
    const merged = this.#rows.map(({ module, rows }) => {
      const values: Values = {};
      for (const [name, row] of rows) values[name] = row.initial;
      for (const name of module.derived ?? []) values[name] = undefined;
      // V8 keeps what was filled by computed names as a hash table. The copy, and copies of it, are quick objects.
      return { ...values };
    });
    return this.level(scope, { scope, merged });
  }

  /** Merges what a block sets with what holds around it. */
  level(scope: Scope, outer: Level): Level {
    const merged = [...outer.merged];
    for (const { module, number, special } of this.#special) {
      const around = outer.merged[number] ?? {};
      if (scope.own.has(module) || !differs(special, around)) continue;
      const values = { ...around };
      for (const [name, row] of special) values[name] = row.merge(undefined, around[name]);
      merged[number] = this.#own(values, scope);
    }
    for (const [module, own] of scope.own) {
      const known = this.#rows[this.#numbers.get(module) ?? -1];
      if (!known) continue;
      const { number, rows, special } = known;
      const around = outer.merged[number] ?? {};
      // A copy and few changes: most rows inherit, and the copy has the shape of all others.
      const values = { ...around };
      for (const [name, row] of special) values[name] = row.merge(own[name], around[name]);
      for (const name in own) values[name] = rows.get(name)?.merge(own[name], around[name]);
      merged[number] = this.#own(values, scope);
    }
    return { scope, merged };
  }

  #own(values: Values, scope: Scope): Values {
    this.#owners.set(values, scope);
    return values;
  }

  #values(level: Level, module: AnyModule): Values {
    return level.merged[this.#numbers.get(module) ?? -1] ?? {};
  }

  /** The configuration of a module at a level, with what it derives. */
  conf(level: Level, module: AnyHttpModule, number = this.#numbers.get(module) ?? -1): unknown {
    const values = level.merged[number] ?? {};
    if (!module.derive) return values;
    if (this.#derived.has(values)) return values;
    this.#derived.add(values);
    // Into the merged values themselves: inner levels look at the rows' names only.
    const scope = this.#owners.get(values) ?? level.scope;
    return Object.assign(values, module.derive(values as never, scope));
  }

  /** Fills a location with the configurations and handlers of all modules. */
  fill(location: Location, level: Level): Runs {
    const place: Place = { location, build: this.build, scope: level.scope };
    const runs: Runs = { ...NO_RUNS };
    let filters = NO_FILTERS;
    let subrequestFilters = NO_FILTERS;
    location.confs = (module) => this.conf(level, module);
    location.core = this.conf(level, core) as CoreConf;
    location.errorLogConf = this.#values(level, errorLogModule).error_log as typeof location.errorLogConf;
    const { specs, main } = location.errorLogConf;
    for (const { target } of main ? [] : specs)
      if (target.kind === 'file') this.build.logFiles.add(target.path);
    for (const { module, number, phases } of this.#active) {
      const conf = this.conf(level, module, number) as never;
      for (const [phase, make] of phases) {
        const handler = make(conf, place);
        if (handler) runs[phase] = append(runs[phase], handler);
      }
      location.content = module.content?.(conf, place) ?? location.content;
      const filter = module.headerFilter?.(conf, place);
      if (filter) filters = append(filters, filter);
      if (filter && module.filtersSubrequests) subrequestFilters = append(subrequestFilters, filter);
    }
    location.rewrite = runs.rewrite;
    location.preaccess = runs.preaccess;
    location.access = runs.access;
    location.precontent = runs.precontent;
    location.contents = runs.content;
    location.log = runs.log;
    location.headerFilters = filters;
    location.subrequestFilters = subrequestFilters;
    this.build.compiled.push(location);
    return runs;
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
        location.inner = tableOf(this.build.inner.get(child));
        location.limit = this.build.limits.get(child);
      }
    }
  }
}

/** Compiles a complete http block. Throws ConfError in nginx's words. */
export const compileHttp = (build: HttpBuild, modules: readonly AnyHttpModule[]): void => {
  for (const module of modules) module.complete?.(build);
  const compiler = new Compiler(build, modules);
  const main = build.scope.parent;
  const outside = compiler.outermost(main ?? build.scope);
  const top = main ? compiler.level(build.scope, outside) : outside;
  for (const server of build.servers) {
    const { scope, runtime } = server;
    const level = compiler.level(scope, top);
    const first = server.names[0];
    runtime.name = first?.regex ? `~${first.text}` : (first?.text ?? '').replace(/^\./, '');
    compiler.inside(scope, level);
    const runs = compiler.fill(runtime.location, level);
    runtime.postRead = runs['post-read'];
    runtime.serverRewrite = runs['server-rewrite'];
    runtime.locations = tableOf(build.inner.get(scope)) ?? NO_LOCATIONS;
  }
  build.variables.bind();
};
