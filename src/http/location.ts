/** A location, server or address as requests meet it: everything compiled, nothing read from directives again. */
import type { AnyModule, Conf, Module, Table } from '../config/contract.ts';
import type { ErrorLog } from '../log/error-log.ts';
import type { ErrorLogConf } from '../log/error-log-directive.ts';
import type { Regex } from './build.ts';
import type { CoreConf } from './core-conf.ts';
import type { PrefixIndex } from './find-location.ts';
import type { Handler, HeaderFilter } from './module.ts';
import { type HttpTls, NO_TLS } from './tls.ts';

export type LocationKind = 'server' | 'prefix' | 'exact' | 'regex' | 'named' | 'if' | 'limit_except';

/** Shared by all locations that have none. */
export const NO_HANDLERS: readonly Handler[] = [];
export const NO_FILTERS: readonly HeaderFilter[] = [];

export class Location {
  /** The merged configuration of the core module here. */
  core!: CoreConf;
  errorLog!: ErrorLog;
  errorLogConf!: ErrorLogConf;
  /** What each phase runs here. */
  rewrite = NO_HANDLERS;
  preaccess = NO_HANDLERS;
  access = NO_HANDLERS;
  precontent = NO_HANDLERS;
  contents = NO_HANDLERS;
  log = NO_HANDLERS;
  /** The location's own content handler (`proxy_pass`). */
  content: Handler | undefined = undefined;
  headerFilters = NO_FILTERS;
  /** Of these, what the replies of subrequests pass too. */
  subrequestFilters = NO_FILTERS;
  /** `limit_except`: for methods other than these the request goes on there. */
  limit: { readonly methods: ReadonlySet<string>; readonly location: Location } | undefined = undefined;
  /** Locations inside this one; undefined when there are none. */
  inner: LocationTable | undefined = undefined;
  /** The merged configuration of a module, once compiled. */
  confs!: (module: AnyModule) => unknown;

  constructor(
    readonly kind: LocationKind,
    /** The path, pattern or `@name` as written. */
    readonly name: string,
    /** `^~`: no regular expression is tried after it. */
    readonly noRegex: boolean,
    readonly regex: Regex | undefined,
    /** Made by proxy_pass and its like on a prefix that ends in a slash: `/x` is redirected to `/x/`. */
    public autoRedirect: boolean,
  ) {}

  /** The merged configuration of any module here; for work outside the hot path. */
  confOf<D extends Table, X>(module: Module<D, X>): Conf<D> & X {
    return this.confs(module) as Conf<D> & X;
  }
}

/** The locations of one block, ready to be searched; see find-location.ts. */
export interface LocationTable {
  readonly exact: ReadonlyMap<string, Location>;
  /** Longest first. */
  readonly prefixes: readonly Location[];
  /** For many prefixes. */
  readonly index: PrefixIndex | undefined;
  /** `/x` for a prefix location `/x/` that redirects there, where nothing else is named `/x`. */
  readonly redirects: ReadonlyMap<string, Location>;
  /** In the order of the file. */
  readonly regexes: readonly Location[];
  /** Named locations, on a server's table only. */
  readonly named: ReadonlyMap<string, Location>;
}

export class Server {
  /** The first server_name, for `$server_name` and the logs. */
  name = '';
  /** TLS may agree on HTTP/2 where this server is asked for (`http2 on`). */
  http2 = false;
  /** It takes CONNECT (`tunnel_pass`). */
  allowsConnect = false;
  /** What TLS offers where this server is asked for; see modules/ssl.ts. */
  tls: HttpTls = NO_TLS;
  /** What holds outside of any location. */
  location!: Location;
  postRead = NO_HANDLERS;
  serverRewrite = NO_HANDLERS;
  locations!: LocationTable;
}
