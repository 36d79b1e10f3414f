/** The stream block while it is read: what its statements register for the time when it is complete. */
import { type Args, key, type Scope } from '../config/contract.ts';
import { ERROR } from '../log/levels.ts';
import type { Resolver } from '../net/resolver.ts';
import { socketId } from '../process/contract.ts';
import { ListenProtocols } from '../process/listen-protocols.ts';
import type { UpstreamGroups } from '../upstream/registry.ts';
import type { ServerName } from '../values/server-names.ts';
import { Values } from '../values/values.ts';
import type { Listen } from './listen.ts';
import type { Server } from './server.ts';
import type { Session } from './session.ts';

/** A `server { }` as written. */
export interface ServerBuild {
  readonly scope: Scope;
  readonly runtime: Server;
  readonly names: ServerName<Session>[];
  readonly listens: Listen[];
}

/** One address that is listened on: the options of its socket and the servers behind it. */
export interface AddressBuild {
  listen: Listen;
  readonly servers: ServerBuild[];
  /** The default server. */
  fallback: ServerBuild;
  hasDefault: boolean;
  readonly protocols: ListenProtocols;
}

/** What is collected while a stream block is read; found through `scope.need(STREAM)`. */
export class StreamBuild extends Values<Session> {
  readonly servers: ServerBuild[] = [];
  /** The log files that workers open, by full path. */
  readonly logFiles = new Set<string>();
  /** One for each `resolver`. */
  readonly resolvers: Resolver[] = [];
  /** Every address that is listened on, in order, with its servers. */
  readonly addresses = new Map<string, AddressBuild>();

  constructor(
    readonly scope: Scope,
    readonly upstreams: UpstreamGroups<Session>,
  ) {
    super((session, message) => session.log(ERROR, message));
  }

  /** Adds a `listen` to its server and its address. Throws for a second default server or a second set of options. */
  addListen(args: Args, server: ServerBuild, listen: Listen): void {
    server.listens.push(listen);
    const { key: address } = listen.spec;
    const id = socketId(listen.spec);
    const known = this.addresses.get(id);
    if (!known) {
      this.addresses.set(id, {
        listen,
        servers: [server],
        fallback: server,
        hasDefault: listen.isDefault,
        protocols: new ListenProtocols(),
      });
      return;
    }
    if (known.servers.includes(server)) args.fail(`a duplicate listen ${address}`);
    if (listen.set && known.listen.set) args.fail(`duplicate listen options for ${address}`);
    if (listen.isDefault && known.hasDefault) args.fail(`a duplicate default server for ${address}`);
    known.servers.push(server);
    const before = known.listen;
    const ssl = listen.ssl || before.ssl;
    const proxyProtocol = listen.proxyProtocol || before.proxyProtocol;
    if (listen.set || ssl !== before.ssl || proxyProtocol !== before.proxyProtocol)
      known.listen = { ...(listen.set ? listen : before), ssl, proxyProtocol };
    if (known.protocols.redefines(before, listen)) args.warn(`protocol options redefined for ${address}`);
    if (listen.isDefault) {
      known.hasDefault = true;
      known.fallback = server;
    }
  }
}

export const STREAM = key<StreamBuild>('the stream block');
