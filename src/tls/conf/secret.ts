/** A secret that the workers of one configuration share: what the keys of session tickets are made of. */
import { randomFillSync } from 'node:crypto';
import type { Scope } from '../../config/contract.ts';
import { SharedLock } from '../../zone/lock.ts';
import { type Zone, zonesOf } from '../../zone/zones.ts';

/** A lock, whether there is a secret, and from byte 64 on the secret. */
const ZONE_BYTES = 4096;
const FILLED = 1;
const SECRET_AT = 64;
const SECRET_BYTES = 32;

/** No name of a user's holds a space. Each configuration gets another secret, as nginx's contexts do. */
export const ticketSecretZone = (scope: Scope): Zone =>
  zonesOf(scope).declare(
    'ssl session tickets',
    ZONE_BYTES,
    'ssl_session_tickets',
    (reason) => {
      throw new Error(reason);
    },
    { fresh: true },
  );

/** The secret; the first worker that asks makes it. */
export const ticketSecret = (memory: ArrayBuffer): Uint8Array => {
  const words = new Int32Array(memory, 0, SECRET_AT / 4);
  const secret = new Uint8Array(memory, SECRET_AT, SECRET_BYTES);
  const lock = new SharedLock(words, 0);
  lock.lock();
  if (words[FILLED] === 0) {
    randomFillSync(secret);
    words[FILLED] = 1;
  }
  lock.unlock();
  return secret;
};
