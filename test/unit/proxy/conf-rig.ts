/** Statements of an http block, read as the loader would read them, for one location. */
import {
  type AnyModule,
  type Args,
  ConfError,
  type Directive,
  defineModule,
  type LoadContext,
  type Place,
  Scope,
  type Word,
} from '../../../src/config/contract.ts';
import { builtInPaths } from '../../../src/config/loader.ts';
import { HTTP, HttpBuild } from '../../../src/http/build.ts';
import { Location, type LocationKind, Server } from '../../../src/http/location.ts';
import { derive, directives } from '../../../src/http/modules/proxy-conf.ts';
import { Request, type Stream } from '../../../src/http/request.ts';
import type { Value } from '../../../src/http/variables.ts';
import { UpstreamGroups } from '../../../src/upstream/registry.ts';

/** The configuration of the proxy module, without its handlers. */
export const proxy = defineModule({ name: 'http_proxy', directives, derive });

const PLACE: Place = { file: 'nginx.conf', line: 1, column: 1 };

export class ConfRig {
  readonly warnings: string[] = [];
  readonly load: LoadContext = {
    prefix: '/prefix/',
    confPrefix: '/prefix/',
    builtIn: builtInPaths('/prefix/'),
    testing: true,
    object: () => undefined,
    addresses: () => [],
    warn: (reason) => this.warnings.push(reason),
  };
  readonly http = new Scope('http', undefined, [], PLACE, this.load);
  readonly build: HttpBuild;

  constructor(variables: Readonly<Record<string, Value>> = {}) {
    this.build = new HttpBuild(this.http, new UpstreamGroups(this.load.addresses));
    this.http.carry(HTTP, this.build);
    for (const [name, value] of Object.entries(variables)) {
      this.build.variables.declare({ [name]: { get: () => value } });
    }
  }

  /** A location block inside `parent`. */
  location(kind: LocationKind, name: string, parent: Scope = this.http): Scope {
    const scope = new Scope(kind === 'if' ? 'if-in-location' : 'location', parent, [], PLACE, this.load);
    this.build.locations.set(scope, new Location(kind, name, false, undefined, false));
    return scope;
  }

  /** Reads `name words...` into the scope. Throws ConfError as the loader does. */
  set(module: AnyModule, scope: Scope, name: string, ...texts: readonly string[]): void {
    const words: Word[] = texts.map((text) => ({ ...PLACE, text, quoted: false }));
    const fail = (reason: string): never => {
      throw new ConfError(reason, undefined);
    };
    const args: Args = {
      name,
      words,
      texts,
      scope,
      place: PLACE,
      fail,
      failDirective: (reason) => fail(`"${name}" directive ${reason}`),
      warn: (reason) => this.warnings.push(reason),
    };
    const entries = Object.entries(module.directives) as [string, Directive<unknown>][];
    const entry = entries.find(([key, row]) => (row.names ?? [key]).includes(name));
    if (!entry) throw new Error(`no directive ${name}`);
    const [key, row] = entry;
    scope.put(module, key, row.parser.parse(args, scope.own.get(module)?.[key]));
  }
}

/** A request with the given path and head. */
export const makeRequest = (
  fields: Partial<Pick<Request, 'uri' | 'args' | 'target' | 'method'>> = {},
): Request => {
  const stream = { remoteAddress: '192.0.2.1', unix: false } as Stream;
  return Object.assign(new Request(stream, new Server(), undefined, 8), { method: 'GET', ...fields });
};
