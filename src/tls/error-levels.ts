/** How loud an error of TLS is: what the other side can cause is as loud as its caller says, the rest `crit`, as in nginx. */
import { CRIT } from '../log/levels.ts';
import { FAULT, lastError, SYSCALL } from './errors.ts';

/** Alerts of the other side are reasons from here on. */
const ALERTS = 1000;
const LAST_ALERT = ALERTS + 255;

/** OpenSSL's reasons (SSL_R_*) that the other side is to blame for. */
const BY_PEERS: ReadonlySet<number> = new Set([
  101, 102, 103, 108, 110, 111, 112, 115, 118, 122, 129, 133, 137, 145, 146, 149, 150, 151, 152, 154, 155,
  156, 159, 160, 182, 183, 186, 187, 193, 198, 205, 213, 220, 226, 227, 234, 235, 244, 245, 246, 252, 253,
  256, 258, 266, 267, 270, 271, 281, 291, 292, 293, 298, 300, 306, 313, 335, 336, 337, 338, 339, 345, 373,
  376, 377, 396, 409, 443,
]);

/** The level for the newest error of the queue; `error` is what SSL_get_error said, `ordinary` that of the usual failures. */
export const levelOfLastError = (error: number, ordinary: number): number => {
  if (error === SYSCALL) return ordinary;
  if (error !== FAULT) return CRIT;
  const { reason } = lastError();
  return BY_PEERS.has(reason) || (reason >= ALERTS && reason <= LAST_ALERT) ? ordinary : CRIT;
};
