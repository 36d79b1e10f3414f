/** Waiting for what gives no event. */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { listening } from './sockets.ts';

/** Resolves once `ready` holds, looking every 5 ms; throws after `ms`. */
export async function until(ready: () => boolean | Promise<boolean>, what: string, ms = 8000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await ready())) {
    if (Date.now() > deadline) {
      throw new Error(`${what}: not within ${ms} ms`);
    }
    await sleep(5);
  }
}

/** Resolves once something listens at a port, or a unix socket exists; connects to neither. */
export function waitForListener(at: number | string): Promise<void> {
  return until(() => (typeof at === 'number' ? listening(at) : existsSync(at)), `listener at ${at}`);
}
