/** Why a request's head is refused: a status, and beside it the reason in nginx's words, for the log. */

/** Why the last head was refused. */
export let refusal = '';

/** What nginx says behind the reason, by what it was reading. */
export const IN_LINE = ' while reading client request line';
export const IN_HEADERS = ' while reading client request headers';

/** Notes the reason, and answers with the status. */
export const refuse = (status: number, reason: string): number => {
  refusal = reason;
  return status;
};

/** Refuses header lines. */
export const refuseHeaders = (status: number, reason: string): number => refuse(status, reason + IN_HEADERS);
