/** What master and workers say to each other over the channel between them. */

import type { SourceRecord } from '../config/source.ts';
import type { ZoneDescription } from '../zone/zones.ts';
import type { Invocation } from './invocation.ts';

/** What a worker begins with. */
export interface WorkerStart {
  readonly kind: 'start';
  /** 0-based. */
  readonly worker: number;
  readonly invocation: Invocation;
  /** The configuration as the master read it. */
  readonly record: SourceRecord;
  /** Where the shared memory is that the configuration declares. */
  readonly zones: readonly ZoneDescription[];
  /** Listening descriptors as the worker has them, by `socketId`. */
  readonly sockets: readonly (readonly [string, number])[];
  /** The master's process id: names what its workers share. */
  readonly master: number;
  readonly generation: number;
}

export type ToWorker =
  | WorkerStart
  | { readonly kind: 'drain' }
  | { readonly kind: 'stop' }
  | { readonly kind: 'reopen' };

export type ToMaster =
  | { readonly kind: 'ready' }
  /** The worker could not begin and is about to exit; the master logs why. */
  | { readonly kind: 'failed'; readonly reason: string };

const kindOf = (message: unknown): unknown =>
  typeof message === 'object' && message !== null && 'kind' in message ? message.kind : undefined;

const isOf = (message: unknown, kinds: readonly string[]): boolean => {
  const kind = kindOf(message);
  return typeof kind === 'string' && kinds.includes(kind);
};

/** Whether a message came from the master; anything else on the channel is not ours. */
export const isToWorker = (message: unknown): message is ToWorker =>
  isOf(message, ['start', 'drain', 'stop', 'reopen']);

/** Whether a message came from a worker. */
export const isToMaster = (message: unknown): message is ToMaster => isOf(message, ['ready', 'failed']);
