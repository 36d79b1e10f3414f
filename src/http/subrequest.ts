/** Requests that the program makes to itself, for the sake of a client's: `subrequest` (ngx_http_subrequest). */
import { ERROR } from '../log/levels.ts';
import { soon } from '../net/soon.ts';
import { monotonic, wallClock } from '../net/timers.ts';
import { MemoryOutput } from './memory-output.ts';
import type { BodySink } from './output.ts';
import { SERVER_REWRITE } from './phase-numbers.ts';
import { Request } from './request.ts';
import { logRequest } from './request-log.ts';
import { Subrequests } from './subrequests.ts';
import { type SubrequestOwner, Substream } from './substream.ts';
import { Turn } from './turn.ts';

/** How deep subrequests may stand in each other. */
const DEEPEST = 50;

/** The reply joins its parent's, where that one's body stands now. */
export const IN_TURN = 'in turn';
/** For replies whose body nobody wants. */
export const DISCARD: BodySink = { write: () => undefined };

export interface SubrequestConf extends SubrequestOwner {
  /** Where the reply's body goes; `sendHeader` and the location's filters for subrequests come before it. */
  readonly output: typeof IN_TURN | BodySink;
  /** Only the head of the reply is wanted. */
  readonly headerOnly?: boolean;
  /** Goes on where its parent stands, with its method, location and captures, rather than from its URI. */
  readonly clone?: boolean;
}

/**
 * Puts the place where the output of subrequests joins the body behind the filters that are there now: to be called
 * before the first of the body when subrequests are likely. Without it the first subrequest does that.
 */
export const joinSubrequests = (main: Request): void => {
  main.subrequests ??= new Subrequests(main);
  main.subrequests.root();
};

/** The turn of `parent`'s own output. */
const turnOf = (parent: Request, subrequests: Subrequests): Turn | undefined => {
  if (parent === parent.main) return subrequests.root();
  const { stream } = parent;
  return stream instanceof Substream && stream.output instanceof Turn ? stream.output : undefined;
};

/**
 * Makes a subrequest of `parent`'s for `uri` (decoded) and `args`; it starts when what runs now has returned, and
 * its main request does not end before it. Undefined, with a line in the log, when there are too many of them.
 */
export const subrequest = (
  parent: Request,
  uri: string,
  args: string,
  conf: SubrequestConf,
): Request | undefined => {
  const { main, stream } = parent;
  const depth = stream instanceof Substream ? stream.depth + 1 : 1;
  if (depth > DEEPEST) {
    logRequest(parent, ERROR, `subrequests cycle while processing "${uri}"`);
    return undefined;
  }
  main.subrequests ??= new Subrequests(main);
  const { subrequests } = main;
  const substream = new Substream(main, subrequests, depth, conf);
  const request = new Request(substream, parent.server, parent, 0);
  const kept = stream instanceof Substream && stream.output instanceof MemoryOutput;
  substream.request = request;
  const turn = conf.output === IN_TURN && !kept ? turnOf(parent, subrequests)?.add(request) : undefined;
  const output = conf.output === IN_TURN || kept ? turn : conf.output;
  if (!output) {
    logRequest(parent, ERROR, `nested in-memory subrequest "${uri}"`);
    return undefined;
  }
  substream.output = output;
  subrequests.add(substream);
  request.method = 'GET';
  request.requestLine = parent.requestLine;
  request.target = parent.target;
  request.version = parent.version;
  request.uri = uri;
  request.args = args;
  request.validTarget = false;
  request.internal = true;
  request.expectTested = true;
  request.headerOnly = conf.headerOnly ?? false;
  request.body = parent.body;
  request.remoteUser = parent.remoteUser;
  request.startedAt = wallClock();
  request.started = monotonic();
  request.phase = SERVER_REWRITE;
  if (conf.clone) cloneFrom(request, parent);
  soon(substream);
  return request;
};

const cloneFrom = (request: Request, parent: Request): void => {
  request.method = parent.method;
  request.location = parent.location;
  request.validLocation = parent.validLocation;
  request.validTarget = parent.validTarget;
  request.captures = parent.captures;
  request.withoutHandler = parent.withoutHandler;
  request.phase = parent.phase;
  request.handler = parent.handler;
};
