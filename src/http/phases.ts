/**
 * The way of a request through its phases, in nginx's order:
 *
 *   post-read, server-rewrite, find-config, rewrite, (again from find-config when the URI changed),
 *   preaccess, access, precontent, content.
 *
 * A handler that answers AGAIN is run again by `resume`; DONE means that somebody else will finalize.
 */
import { DEBUG, ERROR as ERROR_LEVEL, INFO } from '../log/levels.ts';
import { enterLocation } from './enter-location.ts';
import { filePath } from './file-path.ts';
import { finalize } from './finalize.ts';
import { findLocation, REDIRECT } from './find-location.ts';
import type { Handler } from './module.ts';
import { Pause } from './pause.ts';
import {
  ACCESS,
  CONTENT,
  FIND_CONFIG,
  POST_READ,
  POST_REWRITE,
  PREACCESS,
  PRECONTENT,
  REWRITE,
  SERVER_REWRITE,
} from './phase-numbers.ts';
import type { Request } from './request.ts';
import { logOf, logRequest } from './request-log.ts';
import { escapeUri } from './uri.ts';
import { AGAIN, DECLINED, DONE, OK, type Verdict } from './verdict.ts';

const enter = (request: Request, phase: number): void => {
  request.phase = phase;
  request.handler = 0;
};

/** What a phase of ordinary handlers came to. */
const PASSED = 1;
const STOPPED = 2;

/** Runs the handlers of a phase from where the request stands; OK ends the phase. */
const runHandlers = (request: Request, handlers: readonly Handler[], okEnds: boolean): number => {
  while (request.handler < handlers.length) {
    const verdict = handlers[request.handler]?.(request) ?? DECLINED;
    if (verdict === DECLINED) {
      request.handler++;
    } else if (verdict === OK && okEnds) {
      return PASSED;
    } else {
      if (verdict !== AGAIN && verdict !== DONE) finalize(request, verdict);
      return STOPPED;
    }
  }
  return PASSED;
};

/** Refuses a request after `auth_delay`, so that passwords can't be tried quickly. */
const refuseLater = (request: Request, code: number): void => {
  const delay = request.location.core.auth_delay;
  if (delay === 0) {
    finalize(request, code);
    return;
  }
  logRequest(request, INFO, 'delaying unauthorized request');
  new Pause(request, delay, () => finalize(request, code));
};

/** A password is missing or wrong: to us as a server, or as a proxy. */
const unauthorized = (verdict: Verdict): boolean => verdict === 401 || verdict === 407;

const runAccess = (request: Request): number => {
  const handlers = request.location.access;
  if (request !== request.main) return PASSED;
  const any = request.location.core.satisfy === 'any';
  while (request.handler < handlers.length) {
    const verdict = handlers[request.handler]?.(request) ?? DECLINED;
    if (verdict === AGAIN || verdict === DONE) return STOPPED;
    if (verdict === OK && any) {
      request.accessCode = 0;
      request.out.remove(request.method === 'CONNECT' ? 'proxy-authenticate' : 'www-authenticate');
      return PASSED;
    }
    if (any && (verdict === 403 || unauthorized(verdict))) {
      if (!unauthorized(request.accessCode)) request.accessCode = verdict;
    } else if (verdict !== OK && verdict !== DECLINED) {
      if (unauthorized(verdict)) refuseLater(request, verdict);
      else finalize(request, verdict);
      return STOPPED;
    }
    request.handler++;
  }
  const code = request.accessCode;
  if (code === 0) return PASSED;
  request.accessCode = 0;
  if (code === 403) logRequest(request, ERROR_LEVEL, 'access forbidden by rule');
  if (unauthorized(code)) refuseLater(request, code);
  else finalize(request, code);
  return STOPPED;
};

/** Finds the location; false when the request has been answered instead. */
const findConfig = (request: Request): boolean => {
  request.location = request.server.location;
  request.uriChanged = false;
  const found = findLocation(request, request.server.locations);
  const { location } = request;
  if (!request.internal && location.core.internal) {
    finalize(request, 404);
    return false;
  }
  enterLocation(request, location);
  if (logOf(request).level >= DEBUG) logRequest(request, DEBUG, `using configuration "${location.name}"`);
  const { contentLength } = request.headers;
  const limit = location.core.client_max_body_size;
  if (contentLength > limit && limit > 0 && request.body === undefined && request === request.main) {
    logRequest(request, ERROR_LEVEL, `client intended to send too large body: ${contentLength} bytes`);
    request.expectTested = true;
    finalize(request, 413);
    return false;
  }
  if (found !== REDIRECT) return true;
  request.out.location = `${escapeUri(location.name)}${request.args === '' ? '' : `?${request.args}`}`;
  finalize(request, 301);
  return false;
};

const runContent = (request: Request): void => {
  const { content, contents } = request.location;
  if (content && !request.withoutHandler) {
    finalize(request, content(request));
    return;
  }
  while (request.handler < contents.length) {
    const verdict: Verdict = contents[request.handler]?.(request) ?? DECLINED;
    if (verdict !== DECLINED) {
      finalize(request, verdict);
      return;
    }
    request.handler++;
  }
  if (request.uri.endsWith('/')) {
    logRequest(request, ERROR_LEVEL, `directory index of "${filePath(request) ?? request.uri}" is forbidden`);
    finalize(request, 403);
  } else {
    logRequest(request, ERROR_LEVEL, 'no handler found');
    finalize(request, 404);
  }
};

/** After the rewrite phase: where to go on, or -1 when the request has been answered. */
const afterRewrite = (request: Request): number => {
  if (!request.uriChanged) return PREACCESS;
  request.uriChanges--;
  if (request.uriChanges === 0) {
    logRequest(
      request,
      ERROR_LEVEL,
      `rewrite or internal redirection cycle while processing "${request.uri}"`,
    );
    finalize(request, 500);
    return -1;
  }
  return FIND_CONFIG;
};

/** Goes on from where the request stands until it is answered or waits. */
export const runPhases = (request: Request): void => {
  for (;;) {
    switch (request.phase) {
      case POST_READ:
        if (runHandlers(request, request.server.postRead, true) === STOPPED) return;
        enter(request, SERVER_REWRITE);
        break;
      case SERVER_REWRITE:
        if (runHandlers(request, request.server.serverRewrite, false) === STOPPED) return;
        enter(request, FIND_CONFIG);
        break;
      case FIND_CONFIG:
        if (!findConfig(request)) return;
        enter(request, REWRITE);
        break;
      case REWRITE:
        if (runHandlers(request, request.location.rewrite, false) === STOPPED) return;
        enter(request, POST_REWRITE);
        break;
      case POST_REWRITE: {
        const next = afterRewrite(request);
        if (next < 0) return;
        enter(request, next);
        break;
      }
      case PREACCESS:
        if (runHandlers(request, request.location.preaccess, true) === STOPPED) return;
        enter(request, ACCESS);
        break;
      case ACCESS:
        if (runAccess(request) === STOPPED) return;
        enter(request, PRECONTENT);
        break;
      case PRECONTENT:
        if (runHandlers(request, request.location.precontent, true) === STOPPED) return;
        enter(request, CONTENT);
        break;
      default:
        runContent(request);
        return;
    }
  }
};

/** Runs the handler that answered AGAIN once more. */
export const resume = (request: Request): void => {
  if (!request.finished) runPhases(request);
};
