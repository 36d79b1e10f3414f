/** The head of a reply as a header block, in nginx's order of fields. */
import { ownText } from '../../net/latin1.ts';
import { wallClock } from '../../net/timers.ts';
import { httpDate } from '../http-date.ts';
import { programName } from '../identity.ts';
import type { Request } from '../request.ts';
import { absoluteLocation } from '../write-head.ts';
import {
  dateField,
  field,
  lengthField,
  locationField,
  modifiedField,
  serverField,
  statusField,
  typeField,
  varyField,
} from './hpack-encoder.ts';

/** Status, server and date of this second, by status, where nothing about them is out of the ordinary. */
const beginnings: string[] = [];
let second = 0;
let date = '';

const currentDate = (): string => {
  const now = Math.floor(wallClock() / 1000);
  if (now !== second) {
    second = now;
    date = dateField(httpDate(now));
    beginnings.length = 0;
  }
  return date;
};

const beginning = (request: Request): string => {
  const { out } = request;
  const { status } = out;
  const today = currentDate();
  const usual = out.server === '' && out.date === '' && !out.withoutServer && !out.withoutDate;
  if (usual && request.location.core.server_tokens === 'on') {
    const known = beginnings[status];
    if (known !== undefined) return known;
    const text = ownText(statusField(status) + serverField(programName(request)) + today);
    if (status >= 0 && status < 1000) beginnings[status] = text;
    return text;
  }
  let text = statusField(status);
  if (out.server !== '') text += field('Server', out.server);
  else if (!out.withoutServer) text += serverField(programName(request));
  if (out.date !== '') text += field('Date', out.date);
  else if (!out.withoutDate) text += today;
  return text;
};

/** Decides what is not sent. */
const frame = (request: Request): void => {
  const { out } = request;
  if (request.method === 'HEAD' || out.status === 304 || out.status === 204) request.headerOnly = true;
  if (out.status !== 204) return;
  out.contentType = '';
  out.contentLength = -1;
};

/** The block of the reply's head, one character a byte. Sets `request.headerOnly` where no body follows. */
export const headBlock = (request: Request): string => {
  const { out } = request;
  const { status } = out;
  frame(request);
  let text = beginning(request);
  if (out.contentType !== '') text += typeField(out.sentType);
  if (out.contentLength >= 0) text += lengthField(out.contentLength);
  if (out.lastModified >= 0 && (status === 200 || status === 206 || status === 304)) {
    text += modifiedField(httpDate(out.lastModified));
  }
  if (out.location !== '') {
    // What is sent is also what is logged.
    if (out.location.startsWith('/') && request.location.core.absolute_redirect)
      out.location = absoluteLocation(request);
    text += locationField(out.location);
  }
  if (out.gzipVary && request.location.core.gzip_vary) text += varyField('Accept-Encoding');
  if (out.etag !== '') text += field('ETag', out.etag);
  text += fields(out.lines);
  if (out.contentEncoding !== '') text += field('Content-Encoding', out.contentEncoding);
  if (out.acceptRanges) text += field('Accept-Ranges', 'bytes');
  return text;
};

/** A list of name, value, name, value as fields. */
export const fields = (lines: readonly string[]): string => {
  let text = '';
  for (let i = 0; i < lines.length; i += 2) text += field(lines[i] ?? '', lines[i + 1] ?? '');
  return text;
};

/** The block of an interim reply. */
export const interimBlock = (status: number, lines: readonly string[]): string =>
  statusField(status) + fields(lines);
