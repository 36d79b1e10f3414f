/** What a phase handler answers: one of these, or a status (200, 400, 403, 500 ...) that ends the session. */

/** Done: the next phase. */
export const OK = 0;
/** It failed: 500. */
export const ERROR = -1;
/** The same handler runs again: when `session.resume()` is called, in the preread phase when more has come. */
export const AGAIN = -2;
/** The handler has taken the session over; it finalizes or resumes it. */
export const DONE = -4;
/** Not mine: the next handler of the phase. */
export const DECLINED = -5;

export type Verdict = number;

/** Statuses of sessions. */
export const STATUS_OK = 200;
export const BAD_REQUEST = 400;
export const FORBIDDEN = 403;
export const INTERNAL_ERROR = 500;
export const BAD_GATEWAY = 502;
export const UNAVAILABLE = 503;
