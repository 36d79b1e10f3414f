/**
 * The head of an HTTP/1 request: its first line and header lines, read from latin1 text, as strict as nginx
 * (RFC 9112). Each function answers 0, or the status that the request is refused with; `refusal` then says
 * why in nginx's words, for the log.
 */

import { INFO } from '../log/levels.ts';
import { ownText, standsAt } from '../net/latin1.ts';
import { internName, KNOWN } from './header-names.ts';
import type { HeaderName, HeadersIn } from './headers.ts';
import { type ValidHost, validateHost } from './host.ts';
import type { Request } from './request.ts';
import { logRequest } from './request-log.ts';
import { normalizeTarget } from './uri.ts';

const LF = 10;
const CR = 13;
const SPACE = 32;
const COLON = 58;

/** Why the last head was refused. */
export let refusal = '';

const refuse = (status: number, reason: string): number => {
  refusal = reason;
  return status;
};

/** What nginx says behind the reason, by what it was reading. */
const IN_LINE = ' while reading client request line';
const IN_HEADERS = ' while reading client request headers';

const refuseHeaders = (status: number, reason: string): number => refuse(status, reason + IN_HEADERS);

const METHOD = /^[A-Z_-]+$/;
/** A path that is taken as it stands: without escapes, dots at the start of a segment, doubled slashes, fragment. */
const CARE = /[\x00-\x20\x7f%#]|\/[/.]/;
const CONTROL = /[\x00-\x20\x7f]/;
const ABSOLUTE =
  /^([A-Za-z][A-Za-z0-9+.-]*):\/\/((?:\[[A-Za-z0-9:\-._~!$&'()*+,;=]*\]|[A-Za-z0-9.-]*)(?::\d*)?)(?=[/? ])/;
const AUTHORITY = /^((?:\[[A-Za-z0-9:\-._~!$&'()*+,;=]*\]|[A-Za-z0-9.-]*):\d+) /;

/** Where the virtual server is chosen as soon as the host is known. Answers 0 or a status. */
export interface HostSink {
  /** The host of the last request and what it came to: most clients ask for one host only. */
  lastHost: string;
  lastValidHost: ValidHost | undefined;
  /** The names of the last head, in order: a client's requests are much alike, and a name that stands where it stood needs no look-up. */
  lastNames: readonly HeaderName[];
  chooseServer(request: Request, host: string): number;
}

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

const INVALID = 'client sent invalid request while reading client request line';

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

/** What the limits and permissions of header lines are. */
export interface HeaderRules {
  readonly ignore_invalid_headers: boolean;
  readonly underscores_in_headers: boolean;
  readonly max_headers: number;
}

/** Set by `parseHeaders`: where the body begins, or -1 when the head is not complete. */
export let headEnd = -1;
/** Set by `parseHeaders` when it refuses: where the lines end that it could read. */
export let headRead = 0;

/**
 * Reads the header lines in `text` from `start` on. Answers 0 with `headEnd` set, or a status. Only complete
 * heads are given to it: `text` holds the empty line.
 */
export const parseHeaders = (
  request: Request,
  text: string,
  start: number,
  rules: HeaderRules,
  sink: HostSink,
): number => {
  const { names, values, starts } = request.headers;
  request.headers.text = text;
  const before = sink.lastNames;
  let line = 0;
  headEnd = -1;
  headRead = start;
  const nul = text.indexOf('\0', start);
  for (let position = start; ; ) {
    const lf = text.indexOf('\n', position);
    if (lf < 0) return 0;
    let end = text.indexOf('\r', position);
    if (end !== lf - 1) {
      if (end < 0 || end > lf) end = lf;
      else if (end === position || !isAll(text, CR, end, lf))
        return invalidLine(text, position, valueEnd(text, position, end));
    }
    if (nul >= 0 && nul >= position && nul < end)
      return invalidLine(text, position, badCharacter(text, position));
    if (end === position) {
      headEnd = lf + 1;
      sink.lastNames = names;
      return 0;
    }
    let name = before[line++];
    let colon = position + (name === undefined ? 0 : name.text.length);
    if (name === undefined || text.charCodeAt(colon) !== COLON || !standsAt(text, name.text, position)) {
      colon = text.indexOf(':', position);
      if (colon < 0 || colon > end) colon = end;
      name = internName(text.slice(position, colon));
      if (name.validity === -2) return invalidLine(text, position, badCharacter(text, position));
    }
    let from = colon + 1;
    while (from < end && text.charCodeAt(from) === SPACE) from++;
    let to = end;
    while (to > from && text.charCodeAt(to - 1) === SPACE) to--;
    const value = from < to ? text.slice(from, to) : '';
    const begin = position;
    position = lf + 1;
    headRead = position;
    if (
      name.validity !== 0 &&
      rules.ignore_invalid_headers &&
      (name.validity < 0 || !rules.underscores_in_headers)
    ) {
      logRequest(
        request,
        INFO,
        `client sent invalid header line: "${text.slice(begin, Math.max(to, colon))}"${IN_HEADERS}`,
      );
      request.headers.incomplete = true;
      continue;
    }
    if (names.length >= rules.max_headers) return refuseHeaders(494, 'client sent too many header lines');
    names.push(name);
    values.push(value);
    starts.push(from === colon + 2 && to === end && end === lf - 1 ? begin : -1);
    if (name.known !== 0) {
      const status = noteKnown(request, name.known, value, sink);
      if (status !== 0) return status;
    }
  }
};

const invalidLine = (text: string, from: number, at: number): number => {
  const code = text.charCodeAt(at).toString(16).padStart(2, '0');
  return refuseHeaders(400, `client sent invalid header line: "${text.slice(from, at)}\\x${code}..."`);
};

/** Where the value of the line ends before a CR at `at` that no LF follows: before the spaces in front of it. */
const valueEnd = (text: string, position: number, at: number): number => {
  const colon = text.indexOf(':', position);
  if (colon < 0 || colon > at || text.slice(colon + 1, at).trim() === '') return at;
  let end = at;
  while (text.charCodeAt(end - 1) === SPACE) end--;
  return end;
};

const isAll = (text: string, c: number, from: number, to: number): boolean => {
  for (let i = from; i < to; i++) if (text.charCodeAt(i) !== c) return false;
  return true;
};

/** Where a line stops being one: at a control character or space in its name, or a NUL in its value. */
const badCharacter = (text: string, start: number): number => {
  let at = start;
  if (text.charCodeAt(at) === COLON) return at;
  for (; text.charCodeAt(at) !== COLON; at++) {
    const c = text.charCodeAt(at);
    if (c <= SPACE || c === 0x7f) return at;
  }
  return text.indexOf('\0', at);
};

/** The second line of a header that may come once, against the line at `before`. */
const duplicate = ({ names, values }: HeadersIn, what: string, before: number): number => {
  const line = (at: number): string => `"${names[at]?.text}: ${values[at]}"`;
  return refuseHeaders(
    400,
    `client sent duplicate ${what}: ${line(names.length - 1)}, previous value: ${line(before)}`,
  );
};

/** Headers that may come once only. */
const UNIQUE = new Uint8Array(256);
for (const known of [
  KNOWN['if-modified-since'],
  KNOWN['if-unmodified-since'],
  KNOWN['if-match'],
  KNOWN['if-none-match'],
  KNOWN['content-length'],
  KNOWN['content-range'],
  KNOWN['if-range'],
  KNOWN['transfer-encoding'],
  KNOWN.expect,
  KNOWN.authorization,
  KNOWN['proxy-authorization'],
]) {
  UNIQUE[known] = 1;
}

/** The largest off_t. */
const LONGEST_BODY = 2n ** 63n - 1n;

const isLength = (value: string): boolean =>
  /^\d+$/.test(value) && (value.length < 16 || BigInt(value) <= LONGEST_BODY);

/** Takes note of the last line, a well-known header's. Answers 0 or a status. */
export const noteKnown = (request: Request, known: number, value: string, sink: HostSink): number => {
  const headers = request.headers;
  if (known === KNOWN.host) {
    if (headers.hostIndex >= 0) {
      return duplicate(headers, 'host header', headers.hostIndex);
    }
    headers.hostIndex = headers.names.length - 1;
    let valid = sink.lastValidHost;
    if (!valid || value !== sink.lastHost) {
      valid = validateHost(value);
      if (!valid) return refuseHeaders(400, 'client sent invalid host header');
      sink.lastHost = ownText(value);
      sink.lastValidHost = valid;
    }
    if (headers.host !== '') return 0;
    headers.host = valid.host;
    headers.port = valid.port;
    return sink.chooseServer(request, valid.host);
  }
  if (known === KNOWN.connection) {
    const lower = value.toLowerCase();
    if (lower.includes('close')) {
      headers.connectionClose = true;
      headers.connectionKeepAlive = false;
    } else if (lower.includes('keep-alive')) {
      headers.connectionKeepAlive = true;
      headers.connectionClose = false;
    }
    return 0;
  }
  if (UNIQUE[known] !== 1) return 0;
  const last = headers.names.length - 1;
  for (let i = 0; i < last; i++) {
    if (headers.names[i]?.known === known) return duplicate(headers, 'header line', i);
  }
  if (known === KNOWN['content-length']) {
    if (!isLength(value)) return refuseHeaders(400, 'client sent invalid "Content-Length" header');
    headers.contentLength = Number(value);
  } else if (known === KNOWN['transfer-encoding']) {
    headers.transferEncoding = value;
  } else if (known === KNOWN.expect) {
    headers.expectContinue = value.toLowerCase() === '100-continue';
  }
  return 0;
};

/** The checks across header lines, once all are there. Answers 0 or a status. */
export const checkHeaders = (request: Request, allowConnect: boolean): number => {
  const headers = request.headers;
  if (headers.hostIndex < 0 && request.version > 1000) {
    return refuseHeaders(400, 'client sent HTTP/1.1 request without "Host" header');
  }
  if (headers.transferEncoding !== undefined) {
    if (request.version < 1001) {
      return refuseHeaders(400, 'client sent HTTP/1.0 request with "Transfer-Encoding" header');
    }
    if (headers.transferEncoding.toLowerCase() !== 'chunked') {
      return refuseHeaders(501, `client sent unknown "Transfer-Encoding": "${headers.transferEncoding}"`);
    }
    if (headers.contentLength >= 0) {
      return refuseHeaders(
        400,
        'client sent "Content-Length" and "Transfer-Encoding" headers at the same time',
      );
    }
    headers.chunked = true;
  }
  if (request.method === 'CONNECT') {
    if (request.version !== 1001 || !allowConnect) return refuseHeaders(405, 'client sent CONNECT method');
    if (headers.contentLength > 0 || headers.chunked)
      return refuseHeaders(400, 'client sent CONNECT request with body');
  }
  if (request.method === 'TRACE') return refuseHeaders(405, 'client sent TRACE method');
  return 0;
};

/** How much of a header line fits into a line of the log. */
const LOGGED = 1748;

/** Set by `checkBuffers` with 494: where the line begins that does not fit. */
export let tooLongAt = 0;

/** `room`: what of the line would have been in the last buffer. */
const tooLong = (text: string, position: number, room: number): number => {
  tooLongAt = position;
  return refuseHeaders(
    494,
    room === 0
      ? 'client sent too large request'
      : `client sent too long header line: "${text.slice(position, position + Math.min(room, LOGGED))}..."`,
  );
};

/**
 * Whether the head fits nginx's buffers: `client_header_buffer_size` first, then at most `number` of `size`;
 * a line never spans two. Answers 0, 414 for the request line or 494 for a header line; `text` may still be
 * incomplete at `end`.
 */
export const checkBuffers = (
  text: string,
  start: number,
  end: number,
  first: number,
  large: { count: number; size: number },
): number => {
  let capacity = first;
  let used = 0;
  let taken = 0;
  for (let position = start, line = 0; position < end; line++) {
    const lf = text.indexOf('\n', position);
    const next = lf < 0 || lf >= end ? end : lf + 1;
    const length = next - position;
    // The empty line: what stands behind it is a body, which no header buffer has to hold.
    if (line > 0 && (length === 1 || (length === 2 && text.charCodeAt(position) === 13)) && lf >= 0) return 0;
    if (used + length > capacity) {
      if (length > large.size || taken >= large.count) {
        if (line === 0) return refuse(414, `client sent too long URI${IN_LINE}`);
        return tooLong(text, position, taken < large.count ? large.size : capacity - used);
      }
      taken++;
      capacity = large.size;
      used = 0;
    }
    used += length;
    position = next;
  }
  return 0;
};
