/** A stream that nobody waits for any more: what becomes of its request, and what the log says of it, as nginx has it. */
import { INFO } from '../../log/levels.ts';
import { DRAINING, HEAD_ACTION, OVER, SENDING_ACTION } from '../../upstream/states.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { terminate } from '../finalize.ts';
import { logPrematureClose } from '../read-body.ts';
import type { Request } from '../request.ts';
import { logRequest, sendingAction } from '../request-log.ts';
import { ERROR } from '../verdict.ts';
import { CANCEL, INTERNAL_ERROR } from './frames.ts';
import type { StreamBody } from './stream-body.ts';

/** The exchange with an upstream that is under way for the request. */
const exchangeOf = ({ upstream, producer }: Request): Upstream | undefined =>
  upstream && producer && upstream.phase !== OVER && upstream.phase !== DRAINING ? upstream : undefined;

/** Whose work is done at the moment: a subrequest's that waits for an upstream, or its own. */
const worker = (request: Request): Request =>
  (exchangeOf(request) ? undefined : request.subrequests?.exchanging) ?? request;

/** What nginx says that it is doing. */
const actionOf = (request: Request): string => {
  const exchange = exchangeOf(request);
  if (!exchange) return sendingAction(request);
  const { action, answered } = exchange;
  // As long as nothing has been answered, nginx is still sending.
  return ` while ${action === HEAD_ACTION && !answered ? SENDING_ACTION : action}`;
};

/** Part of the body is to come still, and somebody takes it. */
const takes = (body: StreamBody | undefined): body is StreamBody =>
  body?.reader !== undefined && !body.reader.discarding && !body.ended;

/** How RST_STREAM ends a stream. */
const ending = (id: number, code: number): string => {
  if (code === CANCEL) return `client canceled stream ${id}`;
  return `client terminated stream ${id} ${code === INTERNAL_ERROR ? 'due to internal error' : `with status ${code}`}`;
};

/** Logs the client's RST_STREAM. */
export const logReset = (request: Request, body: StreamBody | undefined, id: number, code: number): void => {
  const who = worker(request);
  const buffers = takes(body) && body.reader?.streamed !== true;
  logRequest(who, INFO, ending(id, code) + (buffers ? '' : actionOf(who)));
};

/** What is logged behind a fault of a body: the exchange that it is passed on to. */
export const bodyAction = (request: Request, body: StreamBody): string =>
  body.reader?.streamed === true ? actionOf(request) : '';

/** Ends a request whose client is gone: at once, or by way of who works on it. */
export const endGone = (request: Request, body: StreamBody | undefined, inHead: boolean): void => {
  if (inHead) {
    terminate(request, ERROR);
  } else if (takes(body)) {
    const streamed = body.reader?.streamed === true;
    if (!streamed) logRequest(request, INFO, 'client prematurely closed stream');
    terminate(request, streamed ? 400 : 499);
  } else if (exchangeOf(request)) {
    request.producer?.abortOutput(request);
  } else {
    const who = request.complete ? request : worker(request);
    if (who !== request) request.subrequests?.clientGone();
    if (who !== request || request.finished) return;
    // It waits in a phase (limit_req and its like), or for room, with an answer that nobody will read.
    logPrematureClose(request, sendingAction(request));
    terminate(request, 499);
  }
};
