/** One worker process as the master sees it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { isToMaster, type ToWorker, type WorkerStart } from './messages.ts';
import { LINEAR_REGEXPS } from './regexp-engine.ts';

/** What the master is told about a worker. */
export interface WorkerEvents {
  ready(worker: WorkerHandle): void;
  failed(worker: WorkerHandle, reason: string): void;
  /** Its end; `signal` is a number, 0 when it left by itself. */
  exit(worker: WorkerHandle, code: number, signal: number): void;
  /** It could not be started at all (no memory, no process left). */
  refused(worker: WorkerHandle, error: Error): void;
}

/** How a worker process is started. */
export interface WorkerSpawn {
  readonly script: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Listening descriptors of the master, by `socketId`. */
  readonly sockets: ReadonlyMap<string, number>;
  /** What the worker's standard error is: the master's own, or a log. */
  readonly stderr: number | 'inherit';
}

/**
 * Regular expressions that backtrack without end fall back to V8's linear engine, and a young generation of
 * this size lets a request's short-lived strings die before they are copied.
 */
const EXEC_ARGV = [LINEAR_REGEXPS, '--max-semi-space-size=32'];
/** 0 to 2 are the standard streams, 3 is the channel. */
const FIRST_SOCKET = 4;

export class WorkerHandle {
  readonly #child: ChildProcess;
  readonly startedAt = Date.now();
  ready = false;
  /** Told to leave: its end is expected and it is not replaced. */
  leaving = false;
  gone = false;

  constructor(
    readonly worker: number,
    how: WorkerSpawn,
    start: Omit<WorkerStart, 'kind' | 'worker' | 'sockets' | 'master'>,
    events: WorkerEvents,
  ) {
    const sockets: [string, number][] = [];
    const inherited: number[] = [];
    for (const [key, fd] of how.sockets) {
      sockets.push([key, FIRST_SOCKET + inherited.length]);
      inherited.push(fd);
    }
    this.#child = spawn(process.execPath, [...EXEC_ARGV, how.script], {
      env: { ...how.environment },
      stdio: ['ignore', 'inherit', how.stderr, 'ipc', ...inherited],
      serialization: 'advanced',
    });
    this.#child.on('message', (message: unknown) => {
      if (!isToMaster(message)) return;
      if (message.kind === 'ready') {
        this.ready = true;
        events.ready(this);
      } else events.failed(this, message.reason);
    });
    this.#child.on('error', (error) => {
      // Also told when a message or signal does not reach it; only a process that never was ends here.
      if (this.#child.pid !== undefined || this.gone) return;
      this.gone = true;
      events.refused(this, error);
    });
    this.#child.on('exit', (code, signal) => {
      this.gone = true;
      events.exit(this, code ?? 0, signal === null ? 0 : constants.signals[signal]);
    });
    this.send({ kind: 'start', worker, sockets, master: process.pid, ...start });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Sends a message; one that has gone is not an error, its end is told by itself. */
  send(message: ToWorker): void {
    if (message.kind === 'drain' || message.kind === 'stop') this.leaving = true;
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  kill(signal: NodeJS.Signals): void {
    this.leaving = true;
    this.#child.kill(signal);
  }
}
