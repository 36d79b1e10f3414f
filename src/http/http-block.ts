/** The blocks of an http configuration: http, server, location, limit_except, types; and listen, server_name. */
import { hostname } from 'node:os';
import { type Args, block, type Context, defineModule, type Scope, statement } from '../config/contract.ts';
import { wordAt } from '../config/parsers.ts';
import { UpstreamGroups } from '../upstream/registry.ts';
import { HTTP, HttpBuild, type ServerBuild } from './build.ts';
import { core } from './core-conf.ts';
import { defaultListen, parseListen } from './listen.ts';
import { Location, Server } from './location.ts';
import { openLocation } from './location-block.ts';
import type { AnyHttpModule } from './module.ts';

const METHODS = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'MKCOL',
  'COPY',
  'MOVE',
  'OPTIONS',
  'PROPFIND',
  'PROPPATCH',
  'LOCK',
  'UNLOCK',
  'PATCH',
]);

/** The methods that a `limit_except` block does not apply to; GET includes HEAD. */
const exceptMethods = (args: Args): ReadonlySet<string> => {
  const methods = new Set<string>();
  for (const word of args.words) {
    const method = word.text.toUpperCase();
    if (!METHODS.has(method)) args.fail(`invalid method "${word.text}"`, word);
    methods.add(method);
    if (method === 'GET') methods.add('HEAD');
  }
  return methods;
};

/** Puts a value of the core module into a block, for a row that no directive name writes. */
const setCore = (scope: Scope, name: keyof typeof core.directives, value: unknown): void => {
  scope.put(core, name, value);
};

const typesOf = (scope: Scope): Map<string, string> => {
  const own = scope.own.get(core)?.type_map;
  if (own instanceof Map) return own;
  const types = new Map<string, string>();
  setCore(scope, 'type_map', types);
  return types;
};

const serverOf = (args: Args): ServerBuild => {
  const server = args.scope.need(HTTP).servers.at(-1);
  if (!server) throw new Error('no server block');
  return server;
};

const addName = (args: Args, server: ServerBuild, index: number): void => {
  const word = wordAt(args, index);
  const text = word.text;
  const first = text[0];
  if ((first === '*' && (text.length < 3 || text[1] !== '.')) || (first === '.' && text.length < 2)) {
    args.fail(`server name "${text}" is invalid`, word);
  }
  if (text.includes('/')) args.warn(`server name "${text}" has suspicious symbols`);
  if (first === '~') {
    if (text.length === 1) args.fail(`empty regex in server name "${text}"`, word);
    const source = text.slice(1);
    const regex = args.scope.need(HTTP).regex(source, /[A-Z]/.test(source), args.place);
    server.names.push({ text: source, regex });
  } else {
    server.names.push({
      text: (text.toLowerCase() === '$hostname' ? hostname() : text).toLowerCase(),
      regex: undefined,
    });
  }
};

const AT_LOCATION: readonly Context[] = ['http', 'server', 'location'];

/** The directives that make blocks; `modules` are all http modules, `complete` runs when the http block is read. */
export const httpBlock = (modules: () => readonly AnyHttpModule[], complete: (build: HttpBuild) => void) =>
  defineModule({
    name: 'http',
    directives: {
      http: block({
        in: ['main'],
        arity: 'none',
        child: 'http',
        begin(_args, inner) {
          const build = new HttpBuild(inner, new UpstreamGroups(inner.load.addresses));
          inner.carry(HTTP, build);
          for (const module of modules()) {
            if (module.variables) build.variables.declare(module.variables);
            module.begin?.(build);
          }
        },
        end: (_args, inner) => complete(inner.need(HTTP)),
      }),
      server: block({
        in: ['http'],
        arity: 'none',
        repeats: true,
        child: 'server',
        begin(_args, inner) {
          const build = inner.need(HTTP);
          const runtime = new Server();
          runtime.location = new Location('server', '', false, undefined, false);
          build.locations.set(inner, runtime.location);
          build.servers.push({ scope: inner, runtime, names: [], listens: [] });
        },
        end(args, inner) {
          const server = serverOf(args);
          if (server.listens.length === 0) inner.need(HTTP).addListen(args, server, defaultListen(args));
        },
      }),
      location: block({
        in: ['server', 'location'],
        arity: [1, 2],
        repeats: true,
        child: 'location',
        begin: openLocation,
      }),
      limit_except: block({
        in: ['location'],
        arity: { min: 1, max: Number.POSITIVE_INFINITY },
        child: 'limit_except',
        begin(args, inner) {
          const build = inner.need(HTTP);
          const methods = exceptMethods(args);
          const location = new Location('limit_except', '', false, undefined, false);
          build.locations.set(inner, location);
          build.limits.set(args.scope, { methods, location });
        },
      }),
      types: block({
        in: AT_LOCATION,
        arity: 'none',
        repeats: true,
        child: 'rows',
        begin: (args) => {
          typesOf(args.scope);
        },
        row(row, inner) {
          const scope = inner.parent;
          if (!scope) return;
          const types = typesOf(scope);
          for (const word of row.words) {
            const extension = word.text.toLowerCase();
            const before = types.get(extension);
            if (before !== undefined) {
              row.warn(
                `duplicate extension "${word.text}", content type: "${row.name}", previous content type: "${before}"`,
              );
            }
            types.set(extension, row.name);
          }
        },
      }),
      listen: statement({
        in: ['server'],
        arity: { min: 1, max: Number.POSITIVE_INFINITY },
        repeats: true,
        run(args) {
          const server = serverOf(args);
          for (const listen of parseListen(args, args.scope.load.addresses)) {
            if (server.listens.some((other) => other.spec.key === listen.spec.key)) {
              args.fail(`a duplicate listen ${listen.spec.key}`);
            }
            args.scope.need(HTTP).addListen(args, server, listen);
          }
        },
      }),
      server_name: statement({
        in: ['server'],
        arity: { min: 1, max: Number.POSITIVE_INFINITY },
        repeats: true,
        run(args) {
          const server = serverOf(args);
          for (const index of args.words.keys()) addName(args, server, index);
        },
      }),
    },
  });
