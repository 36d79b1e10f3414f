/** What is written outside of a read leaves at the end of the event loop's turn: all of a connection's streams together. */

export interface Flushed {
  flushNow(): void;
}

let waiting: Flushed[] = [];

const flushAll = (): void => {
  const all = waiting;
  waiting = [];
  for (let i = 0; i < all.length; i++) all[i]?.flushNow();
};

/** `owner` is flushed once, soon. */
export const flushSoon = (owner: Flushed): void => {
  if (waiting.push(owner) === 1) setImmediate(flushAll);
};
