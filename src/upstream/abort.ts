/** The client has closed its side, or is gone, before the reply was complete. */
import { finalize } from '../http/finalize.ts';
import { logRequest } from '../http/request-log.ts';
import { ERROR as CUT } from '../http/verdict.ts';
import { INFO } from '../log/levels.ts';
import { close } from './next.ts';
import { DRAINING, HEAD_ACTION, OVER, RESOLVING, SENDING_ACTION } from './states.ts';
import type { Upstream } from './upstream.ts';

const CLIENT_CLOSED_REQUEST = 499;

/** Lets go of everything; with `ignore_client_abort` the exchange runs to its end, unseen when nobody is left. */
export const abort = (u: Upstream): void => {
  if (u.phase === OVER || u.discarding) return;
  const { request, conf } = u;
  const { broken } = request.stream;
  // Called by the connection itself, not by the request's end: then the end is ours to bring about.
  const ours = request.producer === u;
  // A reply that is being kept is read to its end.
  const readsOn = conf.ignoreClientAbort || (u.cacheable && u.connection !== undefined);
  if (u.phase !== DRAINING && readsOn && ours) {
    if (broken) discard(u);
    return;
  }
  if (u.phase === DRAINING && ours && !broken) return;
  // Over HTTP/2 the log has said how the stream ended.
  if (ours && u.connection && request.version < 2000) {
    // As long as nothing has been answered, nginx is still sending.
    if (u.action === HEAD_ACTION && !u.answered) u.action = SENDING_ACTION;
    u.log(
      INFO,
      'epoll_wait() reported that client prematurely closed connection, so upstream connection is closed too',
    );
  } else if (ours && u.phase === RESOLVING) {
    logRequest(request, INFO, 'epoll_wait() reported that client prematurely closed connection');
  }
  u.keep = false;
  close(u);
  if (!ours) return;
  request.producer = undefined;
  finalize(request, u.headerSent ? CUT : CLIENT_CLOSED_REQUEST);
};

/** Reads the reply to its end for nobody. */
const discard = (u: Upstream): void => {
  u.discarding = true;
  u.pending = undefined;
  u.spool?.close();
  u.spool = undefined;
  u.connection?.resume();
};
