/** What a phase handler answers: one of these, or an HTTP status (>= 100) that ends the request. */

/** Done what it had to; the next phase (in access and content: see phases.ts). */
export const OK = 0;
/** The request could not be answered and its connection can't be trusted: it is closed. */
export const ERROR = -1;
/** Not mine: the next handler of the phase. */
export const DECLINED = -5;
/** Not finished: `request.resume()` runs the same handler's phase again later. */
export const AGAIN = -2;
/** The handler has taken the request over and will finalize it. */
export const DONE = -4;

export type Verdict = number;
