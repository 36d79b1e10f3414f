/**
 * The contract of an http module: the configuration contract plus variables, phases and filters. A module is
 * one file under modules/ and one line in modules/index.ts. Every hook is a factory that runs when the
 * configuration is compiled, for each location (or server): it answers with the handler that will run for
 * requests there, or undefined when the module is off there, and a location pays nothing for it.
 */
import type { AnyModule, Conf, Module, Scope, Table } from '../config/contract.ts';
import type { WorkerContext } from '../process/contract.ts';
import type { HttpBuild } from './build.ts';
import type { Location } from './location.ts';
import type { BodySink, Data } from './output.ts';
import type { Request } from './request.ts';
import type { VariableDefinition } from './variables.ts';
import type { Verdict } from './verdict.ts';

/** The phases that modules may take part in, in order; see phases.ts for what each verdict does there. */
export const PHASES = [
  'post-read',
  'server-rewrite',
  'rewrite',
  'preaccess',
  'access',
  'precontent',
  'content',
  'log',
] as const;
export type Phase = (typeof PHASES)[number];

export type Handler = (request: Request) => Verdict;

/**
 * Sees the reply's head before it is sent and may change it. To change the body too, it puts in a filter of its
 * own: `appendFilter(request, new MyFilter())`, see filter-chain.ts. A filter that sets `request.refused` to a
 * status ends the reply: `sendHeader` answers false, and that status's error page takes its place.
 */
export type HeaderFilter = (request: Request) => void;

/** What a factory is told beside its own merged configuration. */
export interface Place {
  readonly location: Location;
  readonly build: HttpBuild;
  readonly scope: Scope;
}

export interface HttpModule<D extends Table, X> extends Module<D, X> {
  /** Variables by name without `$`; a name ending in `_` is a prefix (`http_`, `arg_`). */
  readonly variables?: Readonly<Record<string, VariableDefinition>>;
  /** Runs once when the http block begins, before any of its statements. */
  begin?(build: HttpBuild): void;
  /** Runs once when the http block is complete, before locations are compiled. */
  complete?(build: HttpBuild): void;
  /** Runs in each worker before privileges are dropped: opens what needs root (logs, folders). Throws with a reason. */
  prepare?(build: HttpBuild, context: WorkerContext): void;
  /** USR1, and the worker's end. */
  reopen?(build: HttpBuild): void;
  close?(build: HttpBuild): void;
  readonly phases?: { readonly [P in Phase]?: PhaseFactory<Conf<D> & X>['make'] };
  /** The handler that owns a location's content (`proxy_pass`, `stub_status`): before the content phase. */
  content?(conf: Conf<D> & X, place: Place): Handler | undefined;
  headerFilter?(conf: Conf<D> & X, place: Place): HeaderFilter | undefined;
  /** The filter is for the replies of subrequests too, which others (gzip, ranges, added headers) leave alone. */
  readonly filtersSubrequests?: boolean;
}
interface PhaseFactory<C> {
  make(conf: C, place: Place): Handler | undefined;
}

/** Any http module, as the compiler of configurations sees it. */
export interface AnyHttpModule extends AnyModule {
  readonly variables?: Readonly<Record<string, VariableDefinition>>;
  begin?(build: HttpBuild): void;
  complete?(build: HttpBuild): void;
  prepare?(build: HttpBuild, context: WorkerContext): void;
  reopen?(build: HttpBuild): void;
  close?(build: HttpBuild): void;
  derive?(conf: never, scope: Scope): unknown;
  readonly derived?: readonly string[];
  readonly phases?: { readonly [P in Phase]?: PhaseFactory<never>['make'] };
  content?(conf: never, place: Place): Handler | undefined;
  headerFilter?(conf: never, place: Place): HeaderFilter | undefined;
  readonly filtersSubrequests?: boolean;
}

export const httpModule = <D extends Table, X = unknown>(module: HttpModule<D, X>): HttpModule<D, X> =>
  module;

export type { BodySink, Data };
