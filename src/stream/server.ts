/** A server of stream as sessions meet it: everything compiled, nothing read from directives again. */
import type { AnyModule, Conf, Module, Table } from '../config/contract.ts';
import type { ErrorLog } from '../log/error-log.ts';
import type { ErrorLogConf } from '../log/error-log-directive.ts';
import type { ServerNames } from '../values/server-names.ts';
import type { CoreConf } from './core-conf.ts';
import type { Content, Handler } from './module.ts';
import type { Session } from './session.ts';
import type { StreamTls } from './tls.ts';

export class Server {
  /** The first server_name, for `$server_name`. */
  name = '';
  core!: CoreConf;
  tls!: StreamTls;
  errorLog!: ErrorLog;
  errorLogConf!: ErrorLogConf;
  /** What each phase before the content runs, in the order of `PHASES`. */
  phases: readonly (readonly Handler[])[] = [];
  logs: readonly Handler[] = [];
  content: Content | undefined = undefined;
  /** The merged configuration of a module, once compiled. */
  confs!: (module: AnyModule) => unknown;

  /** The merged configuration of any module here; for work outside the hot path. */
  confOf<D extends Table, X>(module: Module<D, X>): Conf<D> & X {
    return this.confs(module) as Conf<D> & X;
  }
}

/** What holds for connections to one address and port. */
export interface AddressConf {
  /** The servers by the name that a client asks for in its TLS hello. */
  readonly names: ServerNames<Server, Session>;
  readonly fallback: Server;
  readonly proxyProtocol: boolean;
  /** Clients speak TLS. */
  readonly ssl: boolean;
}
