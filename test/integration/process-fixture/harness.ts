/** Starts the test program in a folder of its own and stops it again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readStatus } from '../../../src/process/status-file.ts';

const START = fileURLToPath(new URL('./start.js', import.meta.url));

/** A port that was free a moment ago. */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
};

/** Waits until `test` gives something, looking every few milliseconds; what the wait was for is in the error. */
export const until = async <T>(what: string, test: () => T | undefined | false, ms = 10_000): Promise<T> => {
  for (const end = Date.now() + ms; Date.now() < end; ) {
    const value = test();
    if (value !== undefined && value !== false) return value;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`waited in vain for ${what}`);
};

export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

/** The processes started by `pid`. */
export const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

export class Sandbox {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-process-'));
  readonly conf = join(this.folder, 'nginx.conf');
  readonly log = join(this.folder, 'error.log');
  readonly pidFile = join(this.folder, 'nginx.pid');
  readonly #started: ChildProcess[] = [];
  readonly #pids = new Set<number>();

  /** Writes the configuration: the usual lines, then `text`. */
  configure(text: string, usual = 'daemon off; worker_processes 2;'): void {
    const user = process.geteuid?.() === 0 ? 'user root;' : '';
    writeFileSync(
      this.conf,
      `${usual} ${user} pid ${this.pidFile}; error_log ${this.log} info;\nevents { }\n${text}\n`,
    );
  }

  spawn(...words: string[]): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
    const child = spawn(
      process.execPath,
      [START, '-p', this.folder, '-c', 'nginx.conf', '-e', 'error.log', ...words],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    this.#started.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        output += data.toString();
      });
    }
    const ended = once(child, 'exit').then(() => ({ code: child.exitCode, output }));
    return { child, ended };
  }

  /** Runs to the end. */
  run(...words: string[]): Promise<Ended> {
    return this.spawn(...words).ended;
  }

  /** Starts in the foreground; resolves when all workers serve. */
  async start(): Promise<{ readonly child: ChildProcess; readonly ended: Promise<Ended> }> {
    const started = this.spawn();
    await this.serving();
    return started;
  }

  /** Waits until the workers of configuration number `generation` serve. */
  async serving(generation = 1): Promise<void> {
    await until('the workers', () => {
      const status = existsSync(this.pidFile) ? readStatus(this.pidFile, this.pid) : undefined;
      return status !== undefined && status.generation >= generation;
    });
  }

  get pid(): number {
    const pid = Number(readFileSync(this.pidFile, 'utf8'));
    this.#pids.add(pid);
    return pid;
  }

  get logged(): string {
    return existsSync(this.log) ? readFileSync(this.log, 'utf8') : '';
  }

  /** How often the log has a pattern. */
  count(pattern: string): number {
    return [...this.logged.matchAll(new RegExp(pattern, 'g'))].length;
  }

  /** Ends everything and removes the folder. */
  async clean(): Promise<void> {
    for (const child of this.#started) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    for (const pid of this.#pids) if (isAlive(pid)) process.kill(pid, 'SIGTERM');
    for (const pid of this.#pids) await until(`the end of ${pid}`, () => !isAlive(pid));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A connection that asks line by line. */
export class Client {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  #buffered = '';
  #waiting: ((line: string) => void) | undefined = undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    // Not `once`, which rejects at an error: a reset is an end too.
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('data', (data) => {
      this.#buffered += data.toString();
      this.#next();
    });
  }

  static async open(where: number | string): Promise<Client> {
    const socket = typeof where === 'number' ? connect(where, '127.0.0.1') : connect(where);
    await once(socket, 'connect');
    socket.on('error', () => undefined);
    return new Client(socket);
  }

  /** The answer's words; rejects when the connection ends instead. */
  async ask(line: string): Promise<string[]> {
    const answer = new Promise<string>((resolve) => {
      this.#waiting = resolve;
    });
    this.socket.write(`${line}\n`);
    const end = this.closed.then(() => {
      throw new Error(`closed instead of answering "${line}"`);
    });
    this.#next();
    return (await Promise.race([answer, end])).split(' ');
  }

  close(): void {
    this.socket.destroy();
  }

  #next(): void {
    const at = this.#buffered.indexOf('\n');
    if (at < 0 || !this.#waiting) return;
    const line = this.#buffered.slice(0, at);
    this.#buffered = this.#buffered.slice(at + 1);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting(line);
  }
}

/** One question over a connection of its own. */
export const askOnce = async (where: number | string, line = 'hello'): Promise<string[]> => {
  const client = await Client.open(where);
  try {
    return await client.ask(line);
  } finally {
    client.close();
  }
};
