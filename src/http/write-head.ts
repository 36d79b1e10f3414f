/** The head of a reply as HTTP/1 text: nginx's order of lines (RFC 9112 section 4). */
import { ownText } from '../net/latin1.ts';
import { wallClock } from '../net/timers.ts';
import { httpDate } from './http-date.ts';
import { programName } from './identity.ts';
import type { Request } from './request.ts';
import { statusLine } from './status.ts';

let dateSecond = 0;
let dateLine = '';

/** The Date line of this second. */
const dateHeader = (): string => {
  const second = Math.floor(wallClock() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateLine = `\r\nDate: ${httpDate(second)}\r\n`;
  }
  return dateLine;
};

/** Status line, Server and Date of this second, by status, where nothing about them is out of the ordinary. */
const beginnings: string[] = [];
let beginningsSecond = 0;

const usualBeginning = (request: Request, status: number): string => {
  const date = dateHeader();
  if (beginningsSecond !== dateSecond) {
    beginningsSecond = dateSecond;
    beginnings.length = 0;
  }
  const known = beginnings[status];
  if (known !== undefined) return known;
  // One flat text: what is joined to it is copied once, not piece by piece.
  const text = ownText(`HTTP/1.1 ${statusLine(status)}\r\nServer: ${programName(request)}${date}`);
  if (status >= 0 && status < 1000) beginnings[status] = text;
  return text;
};

/** Status line, Server and Date. */
const beginning = (request: Request): string => {
  const { out } = request;
  const { status } = out;
  const plain = out.server === '' && out.date === '' && !out.withoutServer && !out.withoutDate;
  if (
    plain &&
    request.location.core.server_tokens === 'on' &&
    (out.statusLine === '' || out.statusLine === statusLine(status))
  ) {
    return usualBeginning(request, status);
  }
  let text = `HTTP/1.1 ${out.statusLine === '' ? statusLine(status) : out.statusLine}`;
  if (out.server === '') {
    const name = out.withoutServer ? '' : programName(request);
    text += name === '' ? '' : `\r\nServer: ${name}`;
  } else {
    text += `\r\nServer: ${out.server}`;
  }
  if (out.date !== '') return `${text}\r\nDate: ${out.date}\r\n`;
  return text + (out.withoutDate ? '\r\n' : dateHeader());
};

/** `Location:` made absolute where it is a path and `absolute_redirect` says so. */
export const absoluteLocation = (request: Request): string => {
  const { location } = request.out;
  const conf = request.location.core;
  if (!location.startsWith('/') || !conf.absolute_redirect) return location;
  const { stream, headers } = request;
  const host = conf.server_name_in_redirect
    ? request.server.name
    : headers.host !== ''
      ? headers.host
      : stream.localAddress.includes(':')
        ? `[${stream.localAddress}]`
        : stream.localAddress;
  const scheme = stream.secure ? 'https' : 'http';
  const usual = stream.secure ? 443 : 80;
  const port =
    conf.port_in_redirect && stream.localPort !== usual && stream.localPort !== 0
      ? `:${stream.localPort}`
      : '';
  return `${scheme}://${host}${port}${location}`;
};

/** Decides how the body is framed, and whether the connection can be kept after it. */
const frame = (request: Request): void => {
  const { out } = request;
  const { status } = out;
  if (status === 304 || status === 204 || status < 200) {
    request.headerOnly = true;
    if (status === 204) {
      out.contentType = '';
      out.contentLength = -1;
    }
    return;
  }
  // As in nginx: a reply to HEAD has no body to frame, nor to end by a close.
  if (request.method === 'HEAD') return;
  // What follows is no body.
  if (request.method === 'CONNECT' && status < 300) return;
  if (out.contentLength >= 0 && out.trailers === undefined) return;
  if (request.version < 1001) {
    if (out.contentLength < 0) request.keepAlive = false;
  } else if (request.location.core.chunked_transfer_encoding) {
    request.chunkedOut = true;
    out.contentLength = -1;
  } else if (out.contentLength < 0) {
    request.keepAlive = false;
  }
};

/** The whole head, ready to be written. '' for HTTP/0.9, which has none. */
export const headText = (request: Request): string => {
  const { out } = request;
  if (request.method === 'HEAD') request.headerOnly = true;
  if (request.version < 1000) return '';
  const { status } = out;
  frame(request);
  let text = beginning(request);
  if (out.contentType !== '') text += `Content-Type: ${out.sentType}\r\n`;
  if (out.contentLength >= 0) text += `Content-Length: ${out.contentLength}\r\n`;
  if (out.lastModified >= 0 && (status === 200 || status === 206 || status === 304)) {
    text += `Last-Modified: ${httpDate(out.lastModified)}\r\n`;
  }
  const relative = out.location.startsWith('/') && request.location.core.absolute_redirect;
  if (relative) {
    // What is sent is also what is logged.
    out.location = absoluteLocation(request);
    text += `Location: ${out.location}\r\n`;
  }
  if (request.chunkedOut) text += 'Transfer-Encoding: chunked\r\n';
  text += connectionLines(request, status);
  if (out.gzipVary && request.location.core.gzip_vary) text += 'Vary: Accept-Encoding\r\n';
  if (out.location !== '' && !relative) text += `Location: ${out.location}\r\n`;
  if (out.etag !== '') text += `ETag: ${out.etag}\r\n`;
  const lines = out.lines;
  for (let i = 0; i < lines.length; i += 2) text += `${lines[i]}: ${lines[i + 1]}\r\n`;
  if (out.contentEncoding !== '') text += `Content-Encoding: ${out.contentEncoding}\r\n`;
  if (out.acceptRanges) text += 'Accept-Ranges: bytes\r\n';
  return `${text}\r\n`;
};

const connectionLines = (request: Request, status: number): string => {
  if (status === 101) return 'Connection: upgrade\r\n';
  if (!request.keepAlive) return 'Connection: close\r\n';
  const { header } = request.location.core.keepalive_timeout;
  return header > 0
    ? `Connection: keep-alive\r\nKeep-Alive: timeout=${header}\r\n`
    : 'Connection: keep-alive\r\n';
};
