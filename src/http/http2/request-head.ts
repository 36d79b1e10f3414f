/** The head of a request from its fields (RFC 9113 section 8.3), as strict as nginx and in its words. */
import { INFO } from '../../log/levels.ts';
import { type ValidHost, validateHost } from '../../values/host.ts';
import { internName, KNOWN } from '../header-names.ts';
import type { HeaderName } from '../headers.ts';
import { INVALID_LENGTH, noteKnown } from '../known-headers.ts';
import { refusal } from '../refusal.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { setTarget } from '../target.ts';
import { OTHER_NAME } from '../verify-client.ts';
import { type Field, INVALID, PSEUDO, REFUSED_NAME, UNDERSCORE } from './field.ts';

const COOKIE = internName('cookie');
const HOST = internName('host');
const METHOD = /^[A-Z_-]+$/;
const PATH = /^\/[^\x00-\x20\x7f]*$/;
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*$/;
const WHILE = ' while reading client request headers';

/** A server is asked for that this connection does not lead to. */
export const MISDIRECTED = 421;

/** Finds the server of a host. Answers 0 or a status that the request is refused with. */
export interface ServerChoice {
  chooseServer(request: Request, host: string): number;
  /** Whether requests to the request's server may come by HTTP/2. */
  allowed(request: Request): boolean;
}

/** Headers that belong to a connection, which requests over HTTP/2 have none of. */
const CONNECTION_HEADERS: readonly (readonly [known: number, name: string])[] = [
  [KNOWN.connection, 'Connection'],
  [KNOWN['keep-alive'], 'Keep-Alive'],
  [KNOWN['transfer-encoding'], 'Transfer-Encoding'],
  [KNOWN.upgrade, 'Upgrade'],
];
const isConnectionHeader = new Uint8Array(256);
for (const [known] of CONNECTION_HEADERS) isConnectionHeader[known] = 1;

export class RequestHead {
  /** The status that the request is refused with; 0 while all is well. */
  status = 0;
  reason = '';
  lastHost = '';
  lastValidHost: ValidHost | undefined = undefined;
  lastNames: readonly HeaderName[] = [];
  #scheme = '';
  #authority: string | undefined = undefined;
  #cookies: string | undefined = undefined;
  /** The pseudo-headers are complete: `requestLine` has been made. */
  #lineMade = false;
  #ofConnection = false;
  #badLength = false;
  #te = 0;
  #teFine = true;

  constructor(readonly servers: ServerChoice) {}

  /** Another request's block begins. */
  begin(): void {
    this.status = 0;
    this.reason = '';
    this.#scheme = '';
    this.#authority = undefined;
    this.#cookies = undefined;
    this.#lineMade = false;
    this.#ofConnection = false;
    this.#badLength = false;
    this.#te = 0;
    this.#teFine = true;
  }

  chooseServer(request: Request, host: string): number {
    return this.servers.chooseServer(request, host);
  }

  #refuse(status: number, reason: string): void {
    this.status = status;
    this.reason = reason;
  }

  /** Takes a field. A fault stands in `status` then, and no further field is wanted. */
  take(request: Request, field: Field): void {
    const { kind, name, value } = field;
    if (kind === REFUSED_NAME) {
      this.#refuse(400, `client sent invalid header name: "${name.text}"${WHILE}`);
    } else if (field.breaksLines) {
      // Not as it is, or it would make lines of its own in the log.
      const shown = value.replace(/[\0\r\n]/g, (one) => `\\x0${one.charCodeAt(0).toString(16)}`);
      this.#refuse(400, `client sent header "${name.text}" with invalid value: "${shown}"${WHILE}`);
    } else if (kind === PSEUDO) {
      this.#takePseudo(request, name.text, value);
    } else if (this.#lineMade || this.#makeLine(request)) {
      this.#takeLine(request, kind, name, value);
    }
  }

  #takePseudo(request: Request, name: string, value: string): void {
    if (this.#lineMade) {
      this.#refuse(400, `client sent out of order pseudo-headers${WHILE}`);
      return;
    }
    switch (name) {
      case ':method':
        if (request.method !== '') this.#refuse(400, `client sent duplicate :method header${WHILE}`);
        else if (value === '') this.#refuse(400, `client sent empty :method header${WHILE}`);
        else this.#takeMethod(request, value);
        return;
      case ':path':
        this.#takePath(request, value);
        return;
      case ':scheme':
        if (this.#scheme !== '') this.#refuse(400, `client sent duplicate :scheme header${WHILE}`);
        else if (value === '') this.#refuse(400, `client sent empty :scheme header${WHILE}`);
        else if (!SCHEME.test(value))
          this.#refuse(400, `client sent invalid :scheme header: "${value}"${WHILE}`);
        else this.#scheme = value;
        return;
      case ':authority':
        this.#takeAuthority(request, value);
        return;
      default:
        this.#refuse(400, `client sent unknown pseudo-header "${name}"${WHILE}`);
    }
  }

  #takeMethod(request: Request, value: string): void {
    // For the log, even if it is none.
    request.method = value;
    if (!METHOD.test(value)) this.#refuse(400, `client sent invalid method: "${value}"${WHILE}`);
  }

  #takePath(request: Request, value: string): void {
    if (request.target !== '') this.#refuse(400, `client sent duplicate :path header${WHILE}`);
    else if (value === '') this.#refuse(400, `client sent empty :path header${WHILE}`);
    else if (!PATH.test(value)) this.#refuse(400, `client sent invalid :path header: "${value}"${WHILE}`);
    else if (setTarget(request, value, request.server.location.core.merge_slashes) !== 0)
      this.#refuse(400, `client sent invalid request${WHILE}`);
  }

  #takeAuthority(request: Request, value: string): void {
    if (this.#authority !== undefined) {
      this.#refuse(400, `client sent duplicate ":authority" header${WHILE}`);
      return;
    }
    this.#authority = value;
    let valid = this.lastValidHost;
    if (!valid || value !== this.lastHost) {
      valid = validateHost(value);
      if (!valid) {
        this.#refuse(400, `client sent invalid ":authority" header${WHILE}`);
        return;
      }
      this.lastHost = value;
      this.lastValidHost = valid;
    }
    const status = this.servers.chooseServer(request, valid.host);
    if (status !== 0) {
      this.#refuseFor(status);
      return;
    }
    request.headers.host = valid.host;
    request.headers.port = valid.port;
  }

  /** What choosing a server or a known header has come to. */
  #refuseFor(status: number): void {
    this.#refuse(status, status === MISDIRECTED ? `${OTHER_NAME}${WHILE}` : refusal);
  }

  /** All pseudo-headers are there. False: they are not what a request needs. */
  #makeLine(request: Request): boolean {
    const missing =
      request.method === ''
        ? ':method'
        : this.#scheme === ''
          ? ':scheme'
          : request.target === ''
            ? ':path'
            : undefined;
    if (missing !== undefined) {
      this.#refuse(400, `client sent no ${missing} header${WHILE}`);
      return false;
    }
    this.#lineMade = true;
    request.requestLine = `${request.method} ${request.target} HTTP/2.0`;
    return true;
  }

  #takeLine(request: Request, kind: number, name: HeaderName, value: string): void {
    const { headers } = request;
    const { core } = request.server.location;
    if (
      (kind === INVALID || (kind === UNDERSCORE && !core.underscores_in_headers)) &&
      core.ignore_invalid_headers
    ) {
      logRequest(request, INFO, `client sent invalid header: "${name.text}"${WHILE}`);
      return;
    }
    if (name === COOKIE) {
      this.#cookies = this.#cookies === undefined ? value : `${this.#cookies}; ${value}`;
      return;
    }
    if (headers.names.length >= core.max_headers) {
      this.#refuse(494, `client sent too many header lines${WHILE}`);
      return;
    }
    headers.names.push(name);
    headers.values.push(value);
    headers.starts.push(-1);
    const { known } = name;
    if (known === 0) return;
    if (known === KNOWN.te) {
      this.#te++;
      this.#teFine = this.#te === 1 && value.toLowerCase() === 'trailers';
      return;
    }
    if (known === KNOWN['proxy-connection']) {
      this.#refuse(400, `client sent "Proxy-Connection" header${WHILE}`);
      return;
    }
    if (isConnectionHeader[known] === 1) this.#ofConnection = true;
    const status = noteKnown(request, known, value, this);
    if (status === 0) return;
    // Of a length, what is wrong with the rest of the head is said first.
    if (refusal === INVALID_LENGTH + WHILE) this.#badLength = true;
    else this.#refuseFor(status);
  }

  /** The block is complete. `whole`: no body follows. Answers 0 or a status, as `status` is from then on. */
  end(request: Request, whole: boolean): number {
    if (!this.servers.allowed(request)) {
      this.#refuse(
        MISDIRECTED,
        `client attempted to request the server name for which the negotiated protocol is disabled${WHILE}`,
      );
      return this.status;
    }
    if (!this.#lineMade && !this.#makeLine(request)) return this.status;
    this.#addCookie(request);
    this.#checkConnection(request);
    if (this.status === 0) this.#checkHost(request);
    if (this.status === 0) this.#checkBody(request, whole);
    return this.status;
  }

  #addCookie({ headers }: Request): void {
    if (this.#cookies === undefined) return;
    headers.names.push(COOKIE);
    headers.values.push(this.#cookies);
    headers.starts.push(-1);
  }

  #checkConnection({ headers }: Request): void {
    if (this.#ofConnection) {
      const sent = CONNECTION_HEADERS.find(([number]) => headers.names.some(({ known }) => known === number));
      this.#refuse(400, `client sent "${sent?.[1]}" header${WHILE}`);
    } else if (!this.#teFine) {
      this.#refuse(400, `client sent invalid "TE" header${WHILE}`);
    }
  }

  #checkHost({ headers }: Request): void {
    const authority = this.#authority;
    if (headers.host === '') {
      this.#refuse(400, `client sent neither ":authority" nor "Host" header${WHILE}`);
    } else if (authority === undefined) {
      return;
    } else if (headers.hostIndex < 0) {
      // For $http_host and its like.
      headers.hostIndex = headers.names.length;
      headers.names.push(HOST);
      headers.values.push(authority);
      headers.starts.push(-1);
    } else if (headers.values[headers.hostIndex] !== authority) {
      this.#refuse(400, `client sent ":authority" and "Host" headers with different values${WHILE}`);
    }
  }

  #checkBody(request: Request, whole: boolean): void {
    const { headers, method } = request;
    if (this.#badLength) {
      this.#refuse(400, INVALID_LENGTH + WHILE);
      return;
    }
    if (headers.contentLength > 0 && whole) {
      this.#refuse(400, `client prematurely closed stream${WHILE}`);
      return;
    }
    // A body of no bytes ends with the stream too.
    if (headers.contentLength <= 0) headers.chunked = !whole;
    if (method === 'CONNECT' || method === 'TRACE') this.#refuse(405, `client sent ${method} method${WHILE}`);
  }
}
