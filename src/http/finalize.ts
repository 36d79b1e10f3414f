/** The end of a request, in order or not: replies, error pages, internal redirects, and the log. */

import { ERROR as ERROR_LEVEL } from '../log/levels.ts';
import { paddingFor, refreshPage, wantsRefresh } from './browser-pages.ts';
import { clearEncoding, clearLastModified, clearTag, forgetLength } from './changed-body.ts';
import type { ErrorPage } from './core-conf.ts';
import { enterLocation } from './enter-location.ts';
import { programName } from './identity.ts';
import { limitRate } from './limit-rate.ts';
import { LAST, NOTHING, OWNED } from './output.ts';
import { REWRITE, SERVER_REWRITE } from './phase-numbers.ts';
import { discardBody } from './read-body.ts';
import type { Request } from './request.ts';
import { logRequest } from './request-log.ts';
import { errorPageBody } from './status.ts';
import { DECLINED, DONE, ERROR, OK, type Verdict } from './verdict.ts';

/** A header filter has refused the reply: it is dropped, and the status's page takes its place. */
const refuse = (request: Request): boolean => {
  const status = request.refused;
  const { producer } = request;
  request.refused = 0;
  request.headerSent = false;
  request.sink = request.stream;
  request.lastFilter = undefined;
  request.producer = undefined;
  producer?.abortOutput(request);
  finalize(request, status === ERROR ? ERROR : specialResponse(request, status));
  return false;
};

/**
 * Runs the header filters and gives the head to the connection; it goes out with the first piece of the body.
 * False: the reply has been replaced by an error page, and its maker must stop.
 */
export const sendHeader = (request: Request): boolean => {
  if (request.headerSent || request.afterAction) return true;
  request.headerSent = true;
  if (request.errorStatus !== 0) {
    request.out.status = request.errorStatus;
    request.out.statusLine = '';
  }
  const isMain = request === request.main;
  if (isMain) limitRate(request);
  const filters = isMain ? request.location.headerFilters : request.location.subrequestFilters;
  for (let i = 0; i < filters.length; i++) {
    filters[i]?.(request);
    if (request.refused !== 0) return refuse(request);
  }
  request.stream.writeHead(request);
  return true;
};

/** Sends the last, empty piece of a reply. */
const sendLast = (request: Request): void => request.sink.write(request, NOTHING, LAST);

/** Statuses after which the connection is not kept: what the client sent can't be trusted. */
const CLOSING = new Set([400, 413, 414, 494, 495, 496, 497, 500, 501]);
/** After these the client's bytes are not waited for either. */
const NO_LINGER = new Set([400, 495, 496, 497]);

/** Sends the page of `status`: the configured one or this program's. Answers what finalize gets. */
const specialResponse = (request: Request, status: number): Verdict => {
  request.errorStatus = status;
  if (CLOSING.has(status)) request.keepAlive = false;
  if (NO_LINGER.has(status)) request.lingering = false;
  request.out.contentType = '';
  const { core } = request.location;
  if (!request.inErrorPage && core.error_pages.length > 0 && request.uriChanges !== 0) {
    if (!core.recursive_error_pages) request.inErrorPage = true;
    const page = core.error_pages.find((one) => one.status === status);
    if (page) return errorPage(request, page);
  }
  request.expectTested = true;
  discardBody(request);
  if ((status === 301 || status === 302) && wantsRefresh(request)) return refresh(request);
  return ownPage(request, status);
};

/** This program's own page for `status`. */
const ownPage = (request: Request, status: number): Verdict => {
  if (status >= 494 && status <= 497) request.errorStatus = 400;
  const body = errorPageBody(status, programName(request));
  return sendPage(request, body === '' ? '' : body + paddingFor(request, status));
};

/** A redirect for browsers that need a page for it. */
const refresh = (request: Request): Verdict => {
  const { out } = request;
  const page = refreshPage(out.location);
  request.errorStatus = 200;
  out.location = '';
  return sendPage(request, page);
};

const sendPage = (request: Request, body: string): Verdict => {
  const { out } = request;
  forgetLength(out);
  clearLastModified(out);
  clearTag(out);
  clearEncoding(out);
  out.charset = '';
  out.typeLength = -1;
  out.contentType = body === '' ? '' : 'text/html';
  out.contentLength = body.length;
  sendHeader(request);
  if (request.headerOnly) return OK;
  if (body === '') sendLast(request);
  else request.sink.write(request, Buffer.from(body, 'latin1'), LAST | OWNED);
  return OK;
};

/** Follows an `error_page`: an internal redirect, a named location, or a redirect of the client. */
const errorPage = (request: Request, page: ErrorPage): Verdict => {
  if (page.overwrite > 0 && page.overwrite !== 200) request.expectTested = true;
  if (page.overwrite >= 0) request.errorStatus = page.overwrite;
  const uri = page.to.text(request);
  if (uri.startsWith('/')) {
    if (request.method !== 'HEAD') request.method = 'GET';
    const mark = page.to.constant === undefined ? uri.indexOf('?') : -1;
    if (mark >= 0) return internalRedirect(request, uri.slice(0, mark), uri.slice(mark + 1));
    return internalRedirect(request, uri, page.args);
  }
  if (uri.startsWith('@')) return namedLocation(request, uri);
  request.expectTested = true;
  discardBody(request);
  const { errorStatus } = request;
  const redirects = [301, 302, 303, 307, 308].includes(errorStatus);
  if (!redirects) request.errorStatus = 302;
  request.out.redirectTo(uri);
  if (wantsRefresh(request)) return refresh(request);
  return ownPage(request, request.errorStatus);
};

const cycle = (request: Request, what: string): Verdict => {
  logRequest(request, ERROR_LEVEL, what);
  finalize(request, 500);
  return DONE;
};

/** Serves `uri` in place of what was asked for; `internal` locations are open to it. */
export const internalRedirect = (request: Request, uri: string, args: string): Verdict => {
  request.uriChanges--;
  if (request.uriChanges === 0) {
    return cycle(request, `rewrite or internal redirection cycle while internally redirecting to "${uri}"`);
  }
  request.upstream?.settle();
  request.uri = uri;
  request.args = args;
  request.clearContexts();
  request.location = request.server.location;
  request.internal = true;
  request.validTarget = false;
  request.validLocation = true;
  request.phase = SERVER_REWRITE;
  request.handler = 0;
  request.withoutHandler = false;
  request.stream.runPhases(request);
  return DONE;
};

/** Goes on in `@name` with the same URI. */
export const namedLocation = (request: Request, name: string): Verdict => {
  request.uriChanges--;
  if (request.uriChanges === 0) {
    return cycle(request, `rewrite or internal redirection cycle while redirect to named location "${name}"`);
  }
  if (request.uri === '') return cycle(request, `empty URI in redirect to named location "${name}"`);
  const location = request.server.locations.named.get(name);
  if (!location) return cycle(request, `could not find named location "${name}"`);
  request.upstream?.settle();
  request.internal = true;
  request.clearContexts();
  request.uriChanged = false;
  enterLocation(request, location);
  request.withoutHandler = false;
  request.phase = REWRITE;
  request.handler = 0;
  request.stream.runPhases(request);
  return DONE;
};

/**
 * Ends a request with what its handler answered: OK (the reply has been written), DONE (somebody else will),
 * DECLINED (the location's handler does not want it: the content phase), ERROR (the connection is cut), or a
 * status.
 */
export const finalize = (request: Request, verdict: Verdict): void => {
  if (verdict === DONE || request.finished || request.complete) return;
  if (verdict === DECLINED) {
    request.withoutHandler = true;
    request.stream.runPhases(request);
    return;
  }
  if (request === request.main) finalizeAs(request, verdict);
  else finalizeAs(request, request.stream.owner?.verdictOf?.(request, verdict) ?? verdict);
};

const finalizeAs = (request: Request, verdict: Verdict): void => {
  if (verdict === ERROR || verdict === 408 || verdict === 499 || verdict === 444 || request.stream.broken) {
    if (request.stream.broken || !postAction(request)) terminate(request, verdict);
    return;
  }
  if (verdict >= 300 || verdict === 201 || verdict === 204) {
    if (request.headerSent && !request.afterAction) {
      terminate(request, verdict);
      return;
    }
    finalize(request, specialResponse(request, verdict));
    return;
  }
  if (request.headerSent && !request.outputDone) {
    if (request.headerOnly) {
      sendLast(request);
    } else {
      request.finalizing = true;
      return;
    }
  }
  if (request.subrequests?.holdsEnd() || postAction(request)) return;
  request.producer = undefined;
  request.complete = true;
  request.stream.finish(request);
};

/** All of the reply has been written: what was finalized before that ends now. */
export const endOutput = (request: Request): void => {
  request.outputDone = true;
  if (!request.finalizing) return;
  request.finalizing = false;
  finalize(request, OK);
};

/** A body is refused: the exchange with an upstream ends, if one has begun, and `status` is the answer. */
export const refuseBody = (request: Request, status: number): void => {
  const { producer } = request;
  request.producer = undefined;
  producer?.abortOutput(request);
  if (!request.finished) finalize(request, status);
};

/** No more of a body will come: the exchange with an upstream ends, if one has begun, and the request with `status`. */
export const breakOff = (request: Request, status: number): void => {
  request.producer?.abortOutput(request);
  if (!request.finished) terminate(request, status);
};

/** The client waits no longer: upstreams that work for it are told. False: there are none. */
export const leaveUpstreams = (request: Request): boolean => {
  const { upstream, producer, subrequests } = request;
  if (upstream && producer) producer.abortOutput(request);
  else if (subrequests && subrequests.count > 0) subrequests.clientGone();
  else return false;
  return true;
};

/** `post_action`: the request runs once more after its end, elsewhere and for its effects only. False: there is none. */
const postAction = (request: Request): boolean => {
  const uri = request.location.core.post_action;
  if (uri === '' || request !== request.main || (request.afterAction && request.uriChanges === 0))
    return false;
  request.afterAction = true;
  request.headerOnly = true;
  request.producer = undefined;
  if (uri.startsWith('/')) internalRedirect(request, uri, '');
  else namedLocation(request, uri);
  return true;
};

/** Ends a request whose reply can't be completed; the client sees its connection closed. */
export const terminate = (request: Request, status: number): void => {
  if (request.finished) return;
  if (request !== request.main) {
    terminate(request.main, status);
    return;
  }
  request.complete = false;
  request.outputDone = false;
  if (status > 0 && (request.out.status === 0 || request.stream.sent === 0)) request.out.status = status;
  const { producer } = request;
  request.producer = undefined;
  producer?.abortOutput(request);
  request.subrequests?.abort();
  request.stream.abort(request);
};

/** The last step: the log, and what was opened for the request is let go. Called by its connection, once. */
export const endRequest = (request: Request): void => {
  if (request.finished) return;
  request.finished = true;
  const isMain = request === request.main;
  if (isMain || request.location.core.log_subrequest) {
    const handlers = request.location.log;
    for (let i = 0; i < handlers.length; i++) handlers[i]?.(request);
  }
  if (isMain) request.body?.release();
  request.runEndings();
};
