/** The first line of a request (RFC 9112 section 3), as strict as nginx. */
import { standsAt } from '../../net/latin1.ts';
import { validateHost } from '../../values/host.ts';
import { IN_LINE, refuse } from '../refusal.ts';
import type { Request } from '../request.ts';
import { INVALID, setTarget } from '../target.ts';

const LF = 10;
const CR = 13;
const SPACE = 32;

const METHOD = /^[A-Z_-]+$/;
const CONTROL = /[\x00-\x20\x7f]/;
const ABSOLUTE =
  /^([A-Za-z][A-Za-z0-9+.-]*):\/\/((?:\[[A-Za-z0-9:\-._~!$&'()*+,;=]*\]|[A-Za-z0-9.-]*)(?::\d*)?)(?=[/? ])/;
const AUTHORITY = /^((?:\[[A-Za-z0-9:\-._~!$&'()*+,;=]*\]|[A-Za-z0-9.-]*):\d+) /;

/** Whether bytes that may be the start of a request line can still become one. */
export const plausibleStart = (text: string, start: number): boolean => {
  for (let i = start; i < text.length && i < start + 32; i++) {
    const c = text.charCodeAt(i);
    if (c === SPACE) return i > start;
    if ((c < 0x41 || c > 0x5a) && c !== 0x5f && c !== 0x2d) return c === LF || c === CR ? i === start : false;
  }
  return true;
};

/** Reads the line in `text` from `start` to the LF at `lf`. */
export const parseRequestLine = (
  request: Request,
  text: string,
  start: number,
  lf: number,
  mergeSlashes: boolean,
): number => {
  const end = text.charCodeAt(lf - 1) === CR ? lf - 1 : lf;
  request.requestLine = text.slice(start, end);
  const space = text.indexOf(' ', start);
  if (space < 0 || space >= end)
    return refuse(400, 'client sent invalid method while reading client request line');
  const method = standsAt(text, 'GET ', start) ? 'GET' : text.slice(start, space);
  if (method !== 'GET' && !METHOD.test(method)) {
    return refuse(400, 'client sent invalid method while reading client request line');
  }
  request.method = method;
  const from = space + 1;
  const to = text.indexOf(' ', from);
  if (
    text.charCodeAt(from) === 0x2f &&
    to === end - 9 &&
    method !== 'CONNECT' &&
    standsAt(text, 'HTTP/1.', to + 1)
  ) {
    const minor = text.charCodeAt(end - 1) - 0x30;
    if (minor === 1 || minor === 0) {
      request.version = 1000 + minor;
      request.requestLength = lf + 1 - start;
      return setTarget(request, text.slice(from, to), mergeSlashes);
    }
  }
  return parseUnusual(request, text.slice(from, end), lf + 1 - start, mergeSlashes);
};

/** All other forms: absolute targets, CONNECT, several spaces, HTTP/0.9, other versions. */
const parseUnusual = (request: Request, written: string, length: number, mergeSlashes: boolean): number => {
  const rest = written.replace(/^ +/, '');
  let target: string;
  let behind: string;
  let host: string | undefined;
  if (request.method === 'CONNECT') {
    const match = AUTHORITY.exec(rest);
    if (!match) return refuse(400, INVALID);
    host = match[1] ?? '';
    target = '/';
    behind = rest.slice(host.length);
  } else {
    let path = rest;
    if (!rest.startsWith('/')) {
      const match = ABSOLUTE.exec(rest);
      if (!match) return refuse(400, INVALID);
      host = match[2] ?? '';
      path = rest.slice(match[0].length);
    }
    const space = path.indexOf(' ');
    target = space < 0 ? path : path.slice(0, space);
    behind = space < 0 ? '' : path.slice(space);
    if (target === '') target = '/';
  }
  if (CONTROL.test(target)) return refuse(400, INVALID);
  const version = parseVersion(behind);
  if (version === 505) return refuse(505, 'client sent invalid version while reading client request line');
  if (version === 400) return refuse(400, INVALID);
  request.version = version;
  if (version < 1000 && request.method !== 'GET') {
    return refuse(400, `client sent invalid method in HTTP/0.9 request${IN_LINE}`);
  }
  request.requestLength = length;
  const status = setTarget(request, target, mergeSlashes);
  if (status !== 0 || host === undefined) return status;
  const valid = validateHost(host);
  if (!valid) return refuse(400, `client sent invalid host in request line${IN_LINE}`);
  request.headers.host = valid.host;
  request.headers.port = valid.port;
  return 0;
};

/** What follows the target: nothing is HTTP/0.9. Answers the version, 400 or 505. */
const parseVersion = (behind: string): number => {
  if (/^ *$/.test(behind)) return 9;
  const match = /^ +HTTP\/([1-9]\d*)(?:\.(\d{1,3}) *$)?/.exec(behind);
  if (!match) return 400;
  if (match[1] !== '1') return 505;
  return match[2] === undefined ? 400 : 1000 + Number(match[2]);
};
