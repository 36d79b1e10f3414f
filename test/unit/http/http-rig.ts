/** A whole http block, read and compiled as the program does it, without a process around it; and requests to it. */
import type { ConfError } from '../../../src/config/contract.ts';
import { type Loaded, load } from '../../../src/config/loader.ts';
import { recorded } from '../../../src/config/source.ts';
import { HTTP, type HttpBuild, type ServerBuild } from '../../../src/http/build.ts';
import { Location, Server } from '../../../src/http/location.ts';
import { Request, type Stream } from '../../../src/http/request.ts';
import type { ErrorLog } from '../../../src/log/error-log.ts';
import { DEBUG } from '../../../src/log/levels.ts';
import { program } from '../../../src/program.ts';

const FILE = '/conf/nginx.conf';

/** The names that the resolver of these tests knows. */
const HOSTS = [
  ['two.test', ['192.0.2.7', '2001:db8::7']],
  ['one.test', ['192.0.2.8']],
] as const;

const read = (text: string): Loaded =>
  load({
    file: FILE,
    prefix: '/prefix/',
    confPrefix: '/conf/',
    modules: program.modules,
    testing: true,
    source: recorded({ files: [{ path: FILE, text }], globs: [], hosts: HOSTS }),
  });

/** What a load says: nginx's one error, or the first warning, or ''. */
export const verdictOf = (http: string): string => {
  const { errors, warnings, main } = read(`events {}\nhttp {\n${http}\n}\n`);
  const first = errors[0]?.reason;
  if (first !== undefined) return first;
  try {
    program.services(main);
  } catch (error) {
    return (error as ConfError).reason;
  }
  return warnings[0]?.reason ?? '';
};

/** Where nginx reports the first error. */
export const errorLine = (http: string): number | undefined =>
  read(`http { ${http}\n}\n`).errors[0]?.place?.line;

/** The lines that an http block's logs were given. */
export class LogLines implements ErrorLog {
  readonly level = DEBUG;
  readonly lines: string[] = [];

  write(_level: number, message: string): void {
    this.lines.push(message);
  }
}

/** Reads an http block. Throws the first error. */
export const loadHttp = (http: string): HttpBuild => {
  const { errors, main } = read(`events {}\nhttp {\n${http}\n}\n`);
  if (errors[0]) throw errors[0];
  const build = main.children.find(({ context }) => context === 'http')?.find(HTTP);
  if (!build) throw new Error('no http block');
  const log = new LogLines();
  for (const location of build.compiled) location.errorLog = log;
  return build;
};

export const serverAt = (build: HttpBuild, index = 0): ServerBuild => {
  const server = build.servers[index];
  if (!server) throw new Error(`no server ${index}`);
  return server;
};

/** A server's own location, or one in it by the words that it was written with. */
export const locationAt = (build: HttpBuild, written: string): Location => {
  for (const [scope, location] of build.locations) {
    if (scope.words.map(({ text }) => text).join(' ') === written) return location;
  }
  throw new Error(`no block ${written}`);
};

/** What a request needs of its connection; the rest of the interface must not be asked for. */
export type StreamFacts = Partial<
  Pick<Stream, 'remoteAddress' | 'localAddress' | 'localPort' | 'secure' | 'unix' | 'requests' | 'number'>
>;

/** What connections need not have. */
const OPTIONAL = new Set(['debugLog', 'tls', 'peer', 'proxyProtocol', 'started']);

const streamOf = (facts: StreamFacts): Stream => {
  const known: Record<string | symbol, unknown> = {
    remoteAddress: '192.0.2.1',
    localAddress: '192.0.2.2',
    localPort: 80,
    secure: false,
    unix: false,
    requests: 1,
    number: 1,
    ...facts,
  };
  return new Proxy({} as Stream, {
    get(_target, name) {
      if (name in known) return known[name];
      if (OPTIONAL.has(String(name))) return undefined;
      throw new Error(`the stream was asked for ${String(name)}`);
    },
  });
};

/** A request as it arrives at a server. */
export const requestTo = (server: Server, slots = 0, facts: StreamFacts = {}): Request =>
  new Request(streamOf(facts), server, undefined, slots);

/** A request that has no configuration around it but a log. */
export const bareRequest = (log: LogLines = new LogLines()): Request => {
  const server = new Server();
  server.location = new Location('server', '', false, undefined, false);
  server.location.errorLog = log;
  return requestTo(server);
};
