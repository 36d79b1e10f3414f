/** The request target: split, and normalized where it needs care. */

import { refuse } from './refusal.ts';
import type { Request } from './request.ts';
import { normalizeTarget } from './uri.ts';

/** A path that is taken as it stands: without escapes, dots at the start of a segment, doubled slashes, fragment. */
const CARE = /[\x00-\x20\x7f%#]|\/[/.]/;
const CONTROL = /[\x00-\x20\x7f]/;
/** What an unreadable first line is logged as. */
export const INVALID = 'client sent invalid request while reading client request line';

/** The line is none: nothing of it counts. */
const unreadable = (request: Request): number => {
  request.target = '';
  request.uri = '';
  request.args = '';
  request.requestLength = 0;
  return refuse(400, INVALID);
};

/** Splits and, where it needs care, normalizes the target, which begins with a slash. Answers 0 or a status. */
export const setTarget = (request: Request, target: string, mergeSlashes: boolean): number => {
  request.target = target;
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  if (mark === 0 || CARE.test(path) || (mark > 0 && target.indexOf('#', mark) >= 0)) {
    if (CONTROL.test(target)) return unreadable(request);
    const parsed = normalizeTarget(target, mergeSlashes);
    if (!parsed) {
      request.target = '';
      return refuse(400, INVALID);
    }
    request.uri = parsed.uri;
    request.args = parsed.args;
    request.complexTarget = true;
    request.validTarget = mark !== 0;
    return 0;
  }
  request.uri = path;
  if (mark >= 0) {
    request.args = target.slice(mark + 1);
    if (CONTROL.test(request.args)) return unreadable(request);
  }
  return 0;
};
