/** The program under test: started with a configuration of its own, watched, and stopped with its log checked. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Message } from './message.ts';
import { freePorts } from './ports.ts';
import type { Rig } from './rig.ts';
import { Wire } from './wire.ts';

/** The checkout. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
/** The program under test; `SLUICE_TEST_BINARY` names another, such as nginx. */
export const BINARY = resolve(process.env.SLUICE_TEST_BINARY ?? join(ROOT, 'bin/sluice.js'));
/** True when the subject is nginx itself: what only Sluice has is left out then. */
export const IS_NGINX = !BINARY.endsWith('.js');

const START_MS = 15_000;
const STOP_MS = 15_000;

/** What to run. In each text `%port%`, `%port:name%` and `%dir%` are put in. */
export interface ProxyOptions {
  /** The inside of `http { }`. */
  readonly http?: string;
  /** More lines at the top level; replaces the default of the same name where given. */
  readonly main?: string;
  readonly workers?: number;
  /** `error_log`'s level; info when not given. */
  readonly level?: string;
  /** The whole file, instead of the above. */
  readonly conf?: string;
  /** Lets the log hold `[alert]` lines that match. */
  readonly allowAlert?: RegExp;
  /** More environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A running proxy. */
export class Subject {
  readonly dir: string;
  readonly ports: ReadonlyMap<string, number>;
  readonly #options: ProxyOptions;
  #child: ChildProcess | undefined;
  #stderr = '';
  readonly #clients: Wire[] = [];

  constructor(dir: string, ports: ReadonlyMap<string, number>, options: ProxyOptions) {
    this.dir = dir;
    this.ports = ports;
    this.#options = options;
  }

  /** The port behind `%port%` or `%port:name%`. */
  port(name = ''): number {
    const port = this.ports.get(name);
    assert.ok(port !== undefined, `the configuration has no %port:${name}%`);
    return port;
  }

  /** The master's process id. */
  get pid(): number {
    const pid = this.#child?.pid;
    assert.ok(pid !== undefined, 'not running');
    return pid;
  }

  get confPath(): string {
    return join(this.dir, 'nginx.conf');
  }

  /** What was written to stderr. */
  get stderr(): string {
    return this.#stderr;
  }

  /** The error log so far. */
  get log(): string {
    const path = join(this.dir, 'error.log');
    return existsSync(path) ? readFileSync(path, 'latin1') : '';
  }

  /** Writes the configuration, with ports and folder put in. */
  configure(options: ProxyOptions): void {
    const text = confText(options)
      .replaceAll('%dir%', this.dir)
      .replace(/%port(?::(\w+))?%/g, (_, name: string | undefined) => String(this.port(name ?? '')));
    writeFileSync(this.confPath, text);
  }

  /** Starts and waits for the pid file. Throws with the log when the program exits or takes too long. */
  async start(): Promise<void> {
    const pidFile = join(this.dir, 'nginx.pid');
    const child = spawn(
      BINARY,
      ['-p', this.dir, '-c', this.confPath, '-e', 'error.log', '-g', 'daemon off;'],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, NODE_TEST_CONTEXT: '', ...this.#options.env },
      },
    );
    this.#child = child;
    const keep = (bytes: Buffer): void => {
      this.#stderr += bytes.toString('latin1');
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    let failure: Error | undefined;
    child.on('error', (error) => {
      failure = error;
    });
    const deadline = Date.now() + START_MS;
    while (!existsSync(pidFile) || readFileSync(pidFile, 'latin1').trim() === '') {
      if (failure !== undefined || child.exitCode !== null || Date.now() > deadline) {
        child.kill('SIGKILL');
        throw new Error(`did not start: ${failure?.message ?? ''}\n${this.#stderr}\n${this.log}`);
      }
      await sleep(5);
    }
  }

  /** Sends a signal to the master. */
  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** Resolves with the log (from an offset on, when given) once it matches. */
  async logged(what: RegExp | { includes: string; from: number }, ms = 4000): Promise<string> {
    const deadline = Date.now() + ms;
    for (;;) {
      const log = what instanceof RegExp ? this.log : this.log.slice(what.from);
      if (what instanceof RegExp ? what.test(log) : log.includes(what.includes)) {
        return log;
      }
      if (Date.now() > deadline) {
        const wanted = what instanceof RegExp ? what.source : what.includes;
        throw new Error(`the log does not say ${wanted}:\n${log.slice(-3000)}`);
      }
      await sleep(10);
    }
  }

  /** Connects to a port of the proxy; closed at the latest when the proxy is stopped. */
  async connect(name = ''): Promise<Wire> {
    const wire = await Wire.connect(this.port(name));
    this.#clients.push(wire);
    return wire;
  }

  /** One GET (or any head and body of your own) on a connection of its own, closed afterwards. */
  async get(target: string, headers = '', name = ''): Promise<Message> {
    const wire = await this.connect(name);
    const reply = await wire.request(
      `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${headers}Connection: close\r\n\r\n`,
    );
    wire.close();
    return reply;
  }

  /** Stops gracefully; fails when the program stays, exits with an error or logged an `[alert]`. */
  async stop(signal: NodeJS.Signals = 'SIGQUIT'): Promise<void> {
    const child = this.#child;
    if (child === undefined) {
      return;
    }
    this.#child = undefined;
    for (const wire of this.#clients) {
      wire.close();
    }
    let late = false;
    if (child.exitCode === null && child.signalCode === null) {
      const exited = new Promise((done) => child.once('exit', done));
      const timer = setTimeout(() => {
        late = true;
        child.kill('SIGTERM');
        setTimeout(() => child.kill('SIGKILL'), 2000).unref();
      }, STOP_MS);
      child.kill(signal);
      await exited;
      clearTimeout(timer);
    }
    assert.equal(late, false, `did not exit on ${signal}\n${this.log.slice(-4000)}`);
    const alerts = this.log
      .split('\n')
      .filter((line) => /\[(alert|emerg)\]/.test(line) && !this.#options.allowAlert?.test(line));
    assert.deepEqual(alerts, [], 'the error log holds alerts');
    assert.equal(child.exitCode, 0, `exit status (${child.signalCode ?? 'no signal'})\n${this.#stderr}`);
  }
}

function confText(options: ProxyOptions): string {
  if (options.conf !== undefined) {
    return options.conf;
  }
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  return `${user}
worker_processes ${options.workers ?? 1};
pid %dir%/nginx.pid;
error_log %dir%/error.log ${options.level ?? 'info'};
${options.main ?? ''}
events { worker_connections 2048; }
http {
  access_log off;
${options.http ?? ''}
}
`;
}

/** Starts the program under test; it is stopped, and its log checked, when the rig closes. */
export async function startProxy(rig: Rig, options: ProxyOptions): Promise<Subject> {
  const names = new Set<string>();
  for (const [, name = ''] of confText(options).matchAll(/%port(?::(\w+))?%/g)) {
    names.add(name);
  }
  const found = await freePorts(names.size);
  const ports = new Map([...names].map((name, i) => [name, found[i] ?? 0]));
  mkdirSync(join(rig.dir, 'logs'), { recursive: true });
  const proxy = new Subject(rig.dir, ports, options);
  proxy.configure(options);
  await proxy.start();
  rig.defer(() => proxy.stop());
  return proxy;
}
