/**
 * A program small enough to test processes with: `serve ADDRESS ANSWER` answers every line it gets on a TCP port
 * or unix socket with `ANSWER PID GENERATION`; the line `hold` is answered half a second later, `crash` throws.
 */
import { appendFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import {
  type AnyModule,
  defineModule,
  directive,
  type Parser,
  resolve,
  type Scope,
} from '../../../src/config/contract.ts';
import { errorLogModule } from '../../../src/log/error-log-directive.ts';
import type { LogFile } from '../../../src/log/log-file.ts';
import type { ListenSpec, Program, Service, WorkerContext } from '../../../src/process/contract.ts';
import { coreModule } from '../../../src/process/core-module.ts';
import { eventsModule } from '../../../src/process/events-module.ts';

interface Serve {
  readonly spec: ListenSpec;
  readonly answer: string;
}

const serve: Parser<readonly Serve[]> = {
  arity: { min: 2, max: 3 },
  repeats: true,
  parse(args, own = []) {
    const [address = '', answer = '', option] = args.texts;
    const unix = address.startsWith('unix:');
    const spec: ListenSpec = {
      key: unix ? address : `127.0.0.1:${address}`,
      datagram: false,
      family: unix ? 'unix' : 'ipv4',
      address: unix ? address.slice(5) : '127.0.0.1',
      port: unix ? 0 : Number(address),
      backlog: 511,
      reuseport: option === 'reuseport',
      ipv6only: false,
      deferred: false,
      rcvbuf: undefined,
      sndbuf: undefined,
      fastopen: undefined,
      keepalive: undefined,
      place: args.place,
    };
    return [...own, { spec, answer }];
  },
};

const text: Parser<string> = { arity: 1, parse: (args) => args.texts[0] ?? '' };

const testModule = defineModule({
  name: 'test',
  directives: {
    serve: directive(serve, { in: ['main'], initial: [] }),
    /** A log file that gets a line a request. */
    request_log: directive(text, { in: ['main'], initial: '' }),
    /** `prepare` fails with this. */
    fail_prepare: directive(text, { in: ['main'], initial: '' }),
  },
});

class EchoService implements Service {
  readonly listens: readonly ListenSpec[];
  readonly logFiles: readonly string[];
  readonly #serves: readonly Serve[];
  readonly #fail: string;
  readonly #servers: Server[] = [];
  readonly #sockets = new Map<Socket, number>();
  #context: WorkerContext | undefined = undefined;
  #log: LogFile | undefined = undefined;
  #drained: (() => void) | undefined = undefined;

  constructor(main: Scope) {
    const conf = resolve(testModule, [main]);
    this.#serves = conf.serve;
    this.#fail = conf.fail_prepare;
    this.listens = conf.serve.map(({ spec }) => spec);
    this.logFiles = conf.request_log === '' ? [] : [conf.request_log];
  }

  prepare(context: WorkerContext): void {
    if (this.#fail !== '') throw new Error(this.#fail);
    this.#context = context;
    const [path] = this.logFiles;
    if (path !== undefined) this.#log = context.logs.file({ kind: 'file', path });
  }

  open(fds: ReadonlyMap<string, number>): void {
    for (const { spec, answer } of this.#serves) {
      const server = createServer((socket) => this.#accept(socket, answer));
      server.listen({ fd: fds.get(spec.key) }, spec.backlog);
      this.#servers.push(server);
    }
  }

  drain(done: () => void): void {
    for (const server of this.#servers) server.close();
    this.#drained = done;
    for (const [socket, busy] of this.#sockets) if (busy === 0) socket.end();
    this.#check();
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  reopen(): void {}

  #check(): void {
    if (this.#sockets.size === 0) this.#drained?.();
  }

  #accept(socket: Socket, answer: string): void {
    this.#sockets.set(socket, 0);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#check();
    });
    socket.on('data', (data) => {
      for (const line of data.toString('latin1').split('\n').slice(0, -1)) this.#line(socket, line, answer);
    });
  }

  #line(socket: Socket, line: string, answer: string): void {
    if (line === 'crash') throw new Error('crash asked for');
    if (line.startsWith('append ')) appendFileSync(line.slice(7), 'x');
    this.#sockets.set(socket, 1);
    const reply = (): void => {
      socket.write(`${answer} ${process.pid} ${this.#context?.generation}\n`);
      this.#log?.log(`${answer} ${line}`);
      this.#sockets.set(socket, 0);
      if (this.#drained) socket.end();
    };
    if (line === 'hold') setTimeout(reply, 500);
    else reply();
  }
}

const modules: readonly AnyModule[] = [coreModule, eventsModule, errorLogModule, testModule];

export const program: Program = {
  modules,
  services: (main) => [new EchoService(main)],
};
