/** The http block while it is read: what its statements register for the time when it is complete. */
import { type Args, key, type Place, type Scope } from '../config/contract.ts';
import type { Resolver } from '../net/resolver.ts';
import { ListenProtocols } from '../process/listen-protocols.ts';
import type { UpstreamGroups } from '../upstream/registry.ts';
import type * as values from '../values/regex.ts';
import { Values } from '../values/values.ts';
import type { Zone } from '../zone/zones.ts';
import { ClientCounters } from './counters.ts';
import type { Listen } from './listen.ts';
import type { Location, Server } from './location.ts';
import type { Written } from './location-table.ts';
import type { Request } from './request.ts';
import type { ServerName } from './server-names.ts';
import { complain } from './variables.ts';

/** A `server { }` as written. */
export interface ServerBuild {
  readonly scope: Scope;
  readonly runtime: Server;
  readonly names: ServerName[];
  readonly listens: Listen[];
}

/** A regular expression of the configuration, for requests. */
export type Regex = values.Regex<Request>;

/** One address that is listened on: the options of its socket and the servers behind it. */
export interface AddressBuild {
  listen: Listen;
  readonly servers: ServerBuild[];
  /** The default server. */
  fallback: ServerBuild;
  hasDefault: boolean;
  readonly protocols: ListenProtocols;
}

/** What is collected while an http block is read; found through `scope.need(HTTP)`. */
export class HttpBuild extends Values<Request> {
  readonly servers: ServerBuild[] = [];
  /** What each block became that has a location of its own: servers, locations, `if`, `limit_except`. */
  readonly locations = new Map<Scope, Location>();
  constructor(
    readonly scope: Scope,
    readonly upstreams: UpstreamGroups,
  ) {
    super(complain);
  }

  /** Every location, once compiled. */
  readonly compiled: Location[] = [];
  /** The numbers of stub_status for this worker. */
  readonly counters = new ClientCounters();
  /** Where all workers count; only with a `stub_status` page. */
  counterZone: Zone | undefined = undefined;
  /** The log files that workers open, by full path. */
  readonly logFiles = new Set<string>();
  /** The folders of temporary files, by full path. */
  readonly tempFolders = new Set<string>();
  /** One for each `resolver`. */
  readonly resolvers: Resolver[] = [];
  /** The locations written in each block, in order. */
  readonly inner = new Map<Scope, Written[]>();
  /** `limit_except` by the location that it stands in. */
  readonly limits = new Map<Scope, { readonly methods: ReadonlySet<string>; readonly location: Location }>();
  /** Every address that is listened on, in order, with its servers. */
  readonly addresses = new Map<string, AddressBuild>();

  /** Adds a location to the block it stands in. */
  addLocation(scope: Scope, location: Location, place: Place): void {
    const list = this.inner.get(scope) ?? [];
    list.push({ location, place });
    this.inner.set(scope, list);
  }

  /** Adds a `listen` to its server and its address. Throws for a second default server or a second set of options. */
  addListen(args: Args, server: ServerBuild, listen: Listen): void {
    server.listens.push(listen);
    const { key: address } = listen.spec;
    const known = this.addresses.get(address);
    if (!known) {
      this.addresses.set(address, {
        listen,
        servers: [server],
        fallback: server,
        hasDefault: listen.isDefault,
        protocols: new ListenProtocols(),
      });
      return;
    }
    if (listen.set && known.listen.set) args.fail(`duplicate listen options for ${address}`);
    if (listen.isDefault && known.hasDefault) args.fail(`a duplicate default server for ${address}`);
    known.servers.push(server);
    const before = known.listen;
    const ssl = listen.ssl || before.ssl;
    const http2 = listen.http2 || before.http2;
    const proxyProtocol = listen.proxyProtocol || before.proxyProtocol;
    const isNew =
      listen.set || ssl !== before.ssl || http2 !== before.http2 || proxyProtocol !== before.proxyProtocol;
    if (isNew) known.listen = { ...(listen.set ? listen : before), ssl, http2, proxyProtocol };
    if (known.protocols.redefines(before, listen)) args.warn(`protocol options redefined for ${address}`);
    if (listen.isDefault) {
      known.hasDefault = true;
      known.fallback = server;
    }
  }
}

export const HTTP = key<HttpBuild>('the http block');
