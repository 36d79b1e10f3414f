/** The header lines of a request (RFC 9112 section 5), as strict as nginx. */
import { INFO } from '../../log/levels.ts';
import { standsAt } from '../../net/latin1.ts';
import { internName } from '../header-names.ts';
import { type HostSink, latest, noteKnown } from '../known-headers.ts';
import { IN_HEADERS, refuseHeaders } from '../refusal.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';

const CR = 13;
const SPACE = 32;
const COLON = 58;

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
      latest.names = sink.lastNames = names;
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
