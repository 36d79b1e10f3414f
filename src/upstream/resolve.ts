/** The wait of an exchange for the addresses of a name. */
import { logRequest } from '../http/request-log.ts';
import { ERROR } from '../log/levels.ts';
import { type Lookup, lookupError } from '../net/lookup.ts';
import { NameGroup } from './name-group.ts';
import { finalizeUpstream } from './next.ts';
import { IDLE, OVER, RESOLVING } from './states.ts';
import type { Upstream } from './upstream.ts';

const BAD_GATEWAY = 502;

/** Looks the group's name up; the exchange goes on in `resolved`, maybe before this returns. */
export const resolve = (u: Upstream): void => {
  const { group } = u;
  if (!(group instanceof NameGroup)) throw new Error(`upstream "${group.name}" has nothing to choose from`);
  u.phase = RESOLVING;
  const lookup = group.lookup(u);
  if (!lookup.over) u.lookup = lookup;
};

/** The addresses are there, or will not come. */
export const resolved = (u: Upstream, { name, code, addresses }: Lookup): void => {
  u.lookup = undefined;
  if (u.phase === OVER) return;
  u.phase = IDLE;
  if (code !== 0) {
    logRequest(u.request, ERROR, `${name} could not be resolved (${code}: ${lookupError(code)})`);
    finalizeUpstream(u, BAD_GATEWAY);
    return;
  }
  if (u.group instanceof NameGroup) u.group.found(addresses);
  u.chooseAgain();
};
