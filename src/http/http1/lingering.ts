/** The end of a connection whose client may be sending still (`lingering_close`). */
import type { Connection } from '../../net/connection.ts';
import { monotonic } from '../../net/timers.ts';
import type { Request } from '../request.ts';

/** Whether its connection lingers when `request` is over; `unread`: there are bytes of the client that nobody has looked at. */
export const lingers = (request: Request, unread: boolean): boolean => {
  const { lingering_close: mode } = request.location.core;
  return mode === 'always' || (mode === 'on' && (request.lingering || unread));
};

/** Our side is shut; the client's bytes are thrown away for a while, so that it can read the reply. */
export class Lingering {
  readonly #until: number;

  constructor(
    readonly connection: Connection,
    readonly request: Request,
  ) {
    const { lingering_time: time, lingering_timeout: timeout } = request.location.core;
    this.#until = monotonic() + time;
    connection.end();
    connection.resume();
    connection.timer.start(Math.min(timeout, time));
  }

  /** More bytes to throw away: another lingering_timeout, but no longer than lingering_time in all. False: it is over. */
  goesOn(): boolean {
    const left = this.#until - monotonic();
    if (left <= 0) return false;
    this.connection.timer.start(Math.min(this.request.location.core.lingering_timeout, left));
    return true;
  }
}
