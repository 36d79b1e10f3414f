/**
 * What is to run when the code that runs now has returned: at the end of the read that is being dealt with, else at
 * the next tick, which costs more. In the order in which it was asked for.
 */
import { clockStands } from './timers.ts';

export interface Task {
  run(): void;
}

let waiting: Task[] = [];
let next = 0;

/** Runs what waits, and what that asks for. */
export const runWaiting = (): void => {
  if (waiting.length === 0) return;
  try {
    while (next < waiting.length) {
      const task = waiting[next];
      next++;
      task?.run();
    }
  } finally {
    waiting = waiting.slice(next);
    next = 0;
    if (waiting.length > 0) process.nextTick(runWaiting);
  }
};

/** `task` runs soon, once. */
export const soon = (task: Task): void => {
  if (waiting.push(task) === 1 && !clockStands()) process.nextTick(runWaiting);
};
