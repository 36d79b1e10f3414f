/** The header lines that mean something to the server itself: checked one by one as they come, and together at the end. */
import { ownText } from '../net/latin1.ts';
import { type ValidHost, validateHost } from '../values/host.ts';
import { KNOWN } from './header-names.ts';
import type { HeaderName, HeadersIn } from './headers.ts';
import { refuseHeaders } from './refusal.ts';
import type { Request } from './request.ts';

/** Where the virtual server is chosen as soon as the host is known. Answers 0 or a status. */
export interface HostSink {
  /** The host of the last request and what it came to: most clients ask for one host only. */
  lastHost: string;
  lastValidHost: ValidHost | undefined;
  /** The names of the last head, in order: a client's requests are much alike, and a name that stands where it stood needs no look-up. */
  lastNames: readonly HeaderName[];
  chooseServer(request: Request, host: string): number;
}

/** What the last head of any connection had: a new connection begins with it, since clients are much alike. */
export const latest: { host: string; valid: ValidHost | undefined; names: readonly HeaderName[] } = {
  host: '',
  valid: undefined,
  names: [],
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

export const INVALID_LENGTH = 'client sent invalid "Content-Length" header';

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
      latest.host = sink.lastHost = ownText(value);
      latest.valid = sink.lastValidHost = valid;
    }
    if (headers.host !== '') return 0;
    const status = sink.chooseServer(request, valid.host);
    if (status !== 0) return status;
    headers.host = valid.host;
    headers.port = valid.port;
    return 0;
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
    if (!isLength(value)) return refuseHeaders(400, INVALID_LENGTH);
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
