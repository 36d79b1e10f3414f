/** The heads of a client's requests, from text that may come in pieces; refused as early as nginx refuses them. */

import type { ValidHost } from '../../values/host.ts';
import { type HeaderName, HeadersIn } from '../headers.ts';
import { checkHeaders, type HostSink, latest } from '../known-headers.ts';
import type { Server } from '../location.ts';
import { IN_HEADERS, IN_LINE, refusal, refuse } from '../refusal.ts';
import type { Request } from '../request.ts';
import type { ServerNames } from '../server-names.ts';
import { OTHER_NAME, othersOnly } from '../verify-client.ts';
import { checkBuffers, tooLongAt } from './head-limits.ts';
import { headEnd, headRead, parseHeaders } from './header-lines.ts';
import { parseRequestLine, plausibleStart } from './request-line.ts';

/** What reading came to: more is needed, a head is complete, or it is refused with `status`. */
export const MORE = 0;
export const COMPLETE = 1;
export const REFUSED = 2;

/** Who makes requests and knows the servers that they may go to. */
export interface IntakeOwner {
  newRequest(headers: HeadersIn): Request;
  readonly names: ServerNames;
  /** The name that TLS was asked for, when a server has it; '' otherwise. */
  readonly sniHost: string;
}

/** Header lines that do not fit. */
const TOO_LONG = 494;
const CR = 13;
const LF = 10;
/** Longer heads are not remembered: they would stay in memory while the connection idles. */
const LONGEST_KNOWN = 4096;

export class HeadIntake implements HostSink {
  /** The request whose head is being read, from its first byte on. */
  request: Request | undefined = undefined;
  /** With COMPLETE: where the head ends in the text. */
  end = 0;
  /** With MORE: the text that the next piece is to follow. */
  rest = '';
  /** With REFUSED: the status, and why, for the log. */
  status = 0;
  reason = '';
  lastHost: string = latest.host;
  lastValidHost: ValidHost | undefined = latest.valid;
  lastNames: readonly HeaderName[] = latest.names;
  #lastServer: Server | undefined = undefined;
  #lastServerHost = '';
  #lineRead = false;
  /** A header line behind the request line does not fit. */
  #long = false;
  #headerStart = 0;
  /**
   * The header lines of the last head, as text and as read: a client mostly repeats them, and lines that come again
   * byte by byte are not read again.
   */
  #knownText = '';
  #knownHeaders: HeadersIn | undefined = undefined;
  /** There has been a request: most clients that idle after their first one hold nothing of it. */
  #asked = false;
  /** Made for a request that has taken the known ones instead. */
  #unused: HeadersIn | undefined = undefined;

  constructor(readonly owner: IntakeOwner) {}

  /** The next head begins. */
  reset(): void {
    this.request = undefined;
    this.#lineRead = false;
  }

  /** Reads on in `text`, which begins with what was left as `rest`. */
  read(text: string): number {
    let start = 0;
    const continued = this.#lineRead;
    if (!continued) {
      while (text.charCodeAt(start) === CR || text.charCodeAt(start) === LF) start++;
      if (start === text.length && !this.request) return this.#more('');
      this.request ??= this.#newRequest();
      const found = this.#readLine(this.request, text, start);
      if (found !== COMPLETE) return found;
      if (this.request.version < 1000) {
        this.end = this.#headerStart + start;
        this.request.requestLength = this.#headerStart;
        return COMPLETE;
      }
    }
    const { request } = this;
    if (!request) return MORE;
    if (this.#long || (continued && !this.#fits(request, text, start))) {
      return this.#refuseLong(request, text, start);
    }
    return this.#readHeaders(request, text, start);
  }

  /** The request line: COMPLETE when it has been read. */
  #readLine(request: Request, text: string, start: number): number {
    const { core } = request.server.location;
    this.#long = !this.#fits(request, text, start);
    if (this.#long && this.status !== TOO_LONG) {
      // What the log shows of it is the buffer that it filled.
      const { client_header_buffer_size: first, headerBuffers } = core;
      request.requestLine = text.slice(start, start + Math.max(first, headerBuffers.size));
      return this.#refuseLine(request, this.status, refusal);
    }
    const lf = text.indexOf('\n', start);
    if (lf < 0) {
      if (plausibleStart(text, start)) return this.#more(start === 0 ? text : text.slice(start));
      this.#noteLine(request, text, start);
      return this.#refuseLine(request, 400, 'client sent invalid method while reading client request line');
    }
    const status = parseRequestLine(request, text, start, lf, core.merge_slashes);
    if (status !== 0) {
      this.#noteLine(request, text, start);
      return this.#refuseLine(request, status, refusal);
    }
    const { headers, version } = request;
    if (headers.host !== '' || version < 1000) {
      const refused = this.chooseServer(request, headers.host);
      if (refused !== 0) {
        headers.host = '';
        return this.#refuseLine(request, refused, refusal);
      }
    }
    this.#lineRead = true;
    this.#headerStart = lf + 1 - start;
    return COMPLETE;
  }

  /** What the log shows of a line that has not been read to its end. */
  #noteLine(request: Request, text: string, start: number): void {
    request.requestLine = text.slice(start).split(/[\r\n]/, 1)[0] ?? '';
  }

  #refuseLine(request: Request, status: number, reason: string): number {
    return this.#refuse(
      status,
      request.pipelined ? reason.replace('client request line', 'client pipelined request line') : reason,
    );
  }

  /** The client will send no more of the head. Answers what was being read, for the log. */
  breakOff(request: Request): string {
    if (this.#lineRead) return ' while reading client request headers';
    this.#noteLine(request, this.rest, 0);
    return request.pipelined
      ? ' while reading client pipelined request line'
      : ' while reading client request line';
  }

  /** Whether what there is of the head fits the configured buffers; else `status` says how it is refused. */
  #fits(request: Request, text: string, start: number): boolean {
    const { client_header_buffer_size: first, headerBuffers } = request.server.location.core;
    if (text.length - start <= first) return true;
    this.status = checkBuffers(text, start, text.length, first, headerBuffers);
    return this.status === 0;
  }

  /** A line does not fit: those before it count, and may be wrong themselves. */
  #refuseLong(request: Request, text: string, start: number): number {
    const { status } = this;
    const reason = refusal;
    const whole = text.slice(0, tooLongAt);
    const found = parseHeaders(request, whole, start + this.#headerStart, request.server.location.core, this);
    request.requestLength = headRead - start;
    return found === 0 ? this.#refuse(status, reason) : this.#refuse(found, refusal);
  }

  #readHeaders(request: Request, text: string, start: number): number {
    const from = start + this.#headerStart;
    const named = request.headers.host !== '';
    const known = this.#knownHeaders;
    if (known && !named && text.slice(from, from + this.#knownText.length) === this.#knownText) {
      this.#unused = request.headers;
      request.headers = known;
      this.chooseServer(request, known.host);
      return this.#check(request, start, from + this.#knownText.length);
    }
    if (!hasBlankLine(text, from)) return this.#more(start === 0 ? text : text.slice(start));
    const status = parseHeaders(request, text, from, request.server.location.core, this);
    if (status !== 0) {
      request.requestLength = headRead - start;
      return this.#refuse(status, refusal);
    }
    const { headers } = request;
    if (headers.host === '') {
      const refused = this.chooseServer(request, '');
      if (refused !== 0) return this.#refuse(refused, refusal);
    }
    const checked = this.#check(request, start, headEnd);
    // The log is told again about lines that were left out.
    if (checked === COMPLETE && !named && !headers.incomplete && text.length <= LONGEST_KNOWN) {
      if (this.#asked) {
        this.#knownText = text.slice(from, headEnd);
        this.#knownHeaders = headers;
      }
      this.#asked = true;
    }
    return checked;
  }

  /** The head ends at `end`: the checks of all of it together. */
  #check(request: Request, start: number, end: number): number {
    this.end = end;
    request.requestLength = end - start;
    const status = checkHeaders(request, request.server.allowsConnect);
    return status === 0 ? COMPLETE : this.#refuse(status, refusal);
  }

  #newRequest(): Request {
    const headers = this.#unused ?? new HeadersIn();
    this.#unused = undefined;
    return this.owner.newRequest(headers);
  }

  chooseServer(request: Request, host: string): number {
    const { names, sniHost } = this.owner;
    if (names.single) return 0;
    let found = this.#lastServer;
    if (!found || host !== this.#lastServerHost) {
      found = names.find(host, request);
      // With patterns the request keeps what they captured: they are asked each time.
      if (!names.patterns) {
        this.#lastServer = found;
        this.#lastServerHost = host;
      }
    }
    if (othersOnly(found, sniHost, host))
      return refuse(421, `${OTHER_NAME}${this.#lineRead ? IN_HEADERS : IN_LINE}`);
    request.server = found;
    request.location = found.location;
    return 0;
  }

  #more(rest: string): number {
    this.rest = rest;
    return MORE;
  }

  #refuse(status: number, reason: string): number {
    this.status = status;
    this.reason = reason;
    return REFUSED;
  }
}

const hasBlankLine = (text: string, from: number): boolean => {
  if (text.endsWith('\r\n\r\n')) return true;
  if (text.indexOf('\r\n\r\n', from - 2) >= 0) return true;
  for (let lf = text.indexOf('\n', from - 1); lf >= 0; lf = text.indexOf('\n', lf + 1)) {
    let next = lf + 1;
    while (text.charCodeAt(next) === CR) next++;
    if (text.charCodeAt(next) === LF) return true;
  }
  return false;
};
