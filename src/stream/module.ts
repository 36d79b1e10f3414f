/**
 * The contract of a stream module: the configuration contract plus variables, phases and content. A module is one
 * file under modules/ and one line in modules/index.ts. Every hook is a factory that runs when the configuration is
 * compiled, for each server: it answers with the handler that will run for sessions there, or undefined when the
 * module is off there, and a server pays nothing for it.
 */
import type { AnyModule, Conf, Module, Scope, Table } from '../config/contract.ts';
import type { WorkerContext } from '../process/contract.ts';
import type { VariableDefinition } from '../values/variables.ts';
import type { StreamBuild } from './build.ts';
import type { Server } from './server.ts';
import type { Session } from './session.ts';
import type { Verdict } from './verdict.ts';

/** The phases before the content, in order; see phases.ts for what each verdict does there. */
export const PHASES = ['post-accept', 'preaccess', 'access', 'ssl', 'preread'] as const;
/** Those that modules may take part in; `log` comes when a session is over. */
export type Phase = (typeof PHASES)[number] | 'log';

export type Handler = (session: Session) => Verdict;
/** Owns the session from then on, and finalizes it. */
export type Content = (session: Session) => void;
export type StreamVariables = Readonly<Record<string, VariableDefinition<Session>>>;

/** What a factory is told beside its own merged configuration. */
export interface Place {
  readonly server: Server;
  readonly build: StreamBuild;
  readonly scope: Scope;
}

interface Hooks {
  /** Variables by name without `$`; a name ending in `_` is a prefix. */
  readonly variables?: StreamVariables;
  /** Runs once when the stream block begins, before any of its statements. */
  begin?(build: StreamBuild): void;
  /** Runs once when the stream block is complete, before servers are compiled. */
  complete?(build: StreamBuild): void;
  /** Runs in each worker before privileges are dropped: opens what needs root. Throws with a reason. */
  prepare?(build: StreamBuild, context: WorkerContext): void;
  /** USR1, and the worker's end. */
  reopen?(build: StreamBuild): void;
  close?(build: StreamBuild): void;
}

export interface StreamModule<D extends Table, X> extends Module<D, X>, Hooks {
  readonly phases?: { readonly [P in Phase]?: PhaseFactory<Conf<D> & X>['make'] };
  /** What serves the sessions of a server (`proxy_pass`, `return`). */
  content?(conf: Conf<D> & X, place: Place): Content | undefined;
}
interface PhaseFactory<C> {
  make(conf: C, place: Place): Handler | undefined;
}

/** Any stream module, as the compiler of configurations sees it. */
export interface AnyStreamModule extends AnyModule, Hooks {
  derive?(conf: never, scope: Scope): unknown;
  readonly phases?: { readonly [P in Phase]?: PhaseFactory<never>['make'] };
  content?(conf: never, place: Place): Content | undefined;
}

export const streamModule = <D extends Table, X = unknown>(module: StreamModule<D, X>): StreamModule<D, X> =>
  module;
