/** What changes when a request comes into a location. */

import { monotonic } from '../net/timers.ts';
import type { Location } from './location.ts';
import type { Request } from './request.ts';
import { isMsie6, isSafari } from './user-agent.ts';

/** Makes `location` the request's, and looks at what it says about keeping the client's connection. */
export const enterLocation = (request: Request, found: Location): void => {
  const limit = found.limit;
  const location = limit && !limit.methods.has(request.method) ? limit.location : found;
  request.location = location;
  if (!request.keepAlive || request !== request.main) return;
  const { core } = location;
  const { stream } = request;
  if (core.keepalive === 0 || stream.requests >= core.keepalive_requests) {
    request.keepAlive = false;
    return;
  }
  if (stream.started !== undefined && monotonic() - stream.started > core.keepalive_time) {
    request.keepAlive = false;
    return;
  }
  const disable = core.keepalive_disable;
  if (
    request.method === 'POST' &&
    disable.includes('msie6') &&
    isMsie6(request.headers.get('user-agent') ?? '')
  ) {
    request.keepAlive = false;
  } else if (disable.includes('safari') && isSafari(request.headers.get('user-agent') ?? '')) {
    request.keepAlive = false;
  }
};
