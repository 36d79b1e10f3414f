/** The blocks of a stream configuration: stream, server; and listen, server_name. */
import { hostname } from 'node:os';
import { type Args, block, ConfError, defineModule, statement } from '../config/contract.ts';
import { wordAt } from '../config/parsers.ts';
import { UpstreamGroups } from '../upstream/registry.ts';
import { type ServerBuild, STREAM, StreamBuild } from './build.ts';
import { parseListen } from './listen.ts';
import type { AnyStreamModule } from './module.ts';
import { Server } from './server.ts';

const serverOf = (args: Args): ServerBuild => {
  const server = args.scope.need(STREAM).servers.at(-1);
  if (!server) throw new Error('no server block');
  return server;
};

const addName = (args: Args, server: ServerBuild, index: number): void => {
  const word = wordAt(args, index);
  const { text } = word;
  const first = text[0];
  if ((first === '*' && (text.length < 3 || text[1] !== '.')) || (first === '.' && text.length < 2)) {
    args.fail(`server name "${text}" is invalid`, word);
  }
  if (text.includes('/')) args.warn(`server name "${text}" has suspicious symbols`);
  if (first !== '~') {
    const name = text.toLowerCase() === '$hostname' ? hostname() : text;
    server.names.push({ text: name.toLowerCase(), regex: undefined });
    return;
  }
  if (text.length === 1) args.fail(`empty regex in server name "${text}"`, word);
  const source = text.slice(1);
  const regex = args.scope.need(STREAM).regex(source, /[A-Z]/.test(source), args.place);
  server.names.push({ text: source, regex });
};

/** The directives that make blocks; `modules` are all stream modules, `complete` runs when the block is read. */
export const streamBlock = (
  modules: () => readonly AnyStreamModule[],
  complete: (build: StreamBuild) => void,
) =>
  defineModule({
    name: 'stream',
    directives: {
      stream: block({
        in: ['main'],
        arity: 'none',
        child: 'stream',
        begin(_args, inner) {
          const rules = { port: 0, keeps: false };
          const build = new StreamBuild(inner, new UpstreamGroups(inner.load.addresses, rules));
          inner.carry(STREAM, build);
          for (const module of modules()) {
            if (module.variables) build.variables.declare(module.variables);
            module.begin?.(build);
          }
        },
        end: (_args, inner) => complete(inner.need(STREAM)),
      }),
      server: block({
        in: ['stream'],
        arity: 'none',
        repeats: true,
        child: 'stream-server',
        begin(_args, inner) {
          const server = { scope: inner, runtime: new Server(), names: [], listens: [] };
          inner.need(STREAM).servers.push(server);
        },
        end(args, inner) {
          if (serverOf(args).listens.length > 0) return;
          throw new ConfError('no "listen" is defined for server', inner.place);
        },
      }),
      listen: statement({
        in: ['stream-server'],
        arity: { min: 1, max: Number.POSITIVE_INFINITY },
        repeats: true,
        run(args) {
          const server = serverOf(args);
          for (const listen of parseListen(args, args.scope.load.addresses))
            args.scope.need(STREAM).addListen(args, server, listen);
        },
      }),
      server_name: statement({
        in: ['stream-server'],
        arity: { min: 1, max: Number.POSITIVE_INFINITY },
        repeats: true,
        run(args) {
          const server = serverOf(args);
          for (const index of args.words.keys()) addName(args, server, index);
        },
      }),
    },
  });
