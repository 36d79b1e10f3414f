/** Where an exchange stands, what it says it is doing, and why an attempt is given up. */
import { NEXT } from './contract.ts';

/** Before the first attempt, and between two. */
export const IDLE = 0;
export const CONNECTING = 1;
/** The request is being sent, or the reply's head is awaited: both may be true. */
export const AWAITING = 2;
/** The head has been passed on; the body is. */
export const PASSING = 3;
export const TUNNELLING = 4;
/** The reply is complete; the client has not taken all of it. */
export const DRAINING = 5;
export const OVER = 6;
/** The group's name is being looked up. */
export const RESOLVING = 7;
/** Connected; TLS is being agreed on. */
export const SHAKING = 8;

/** nginx's words for what goes on, behind `while` in the log. */
export const CONNECTING_ACTION = 'connecting to upstream';
export const HANDSHAKE_ACTION = 'SSL handshaking to upstream';
export const SENDING_ACTION = 'sending request to upstream';
export const HEAD_ACTION = 'reading response header from upstream';
export const BODY_ACTION = 'reading upstream';
export const CLIENT_ACTION = 'sending to client';
export const TUNNEL_ACTION = 'proxying upgraded connection';

/** No peer was left to try: not a bit of any `next_upstream`, so never tried again. */
export const NO_LIVE = 1 << 30;

/** Statuses that `next_upstream` may name. */
export const nextBit = (status: number): number => {
  switch (status) {
    case 500:
      return NEXT.http_500;
    case 502:
      return NEXT.http_502;
    case 503:
      return NEXT.http_503;
    case 504:
      return NEXT.http_504;
    case 403:
      return NEXT.http_403;
    case 404:
      return NEXT.http_404;
    case 429:
      return NEXT.http_429;
    default:
      return 0;
  }
};

/** What the client is told when an attempt was given up for `reason` and no other follows. */
export const statusFor = (reason: number): number => {
  switch (reason) {
    case NEXT.timeout:
    case NEXT.http_504:
      return 504;
    case NEXT.http_500:
      return 500;
    case NEXT.http_503:
      return 503;
    case NEXT.http_403:
      return 403;
    case NEXT.http_404:
      return 404;
    case NEXT.http_429:
      return 429;
    default:
      return 502;
  }
};
