/** Plain files below `root` and `alias` (ngx_http_static). */
import type { Stats } from 'node:fs';
import { ALERT, CRIT } from '../../log/levels.ts';
import { setContentType } from '../content-type.ts';
import { SMALL } from '../file-memory.ts';
import { filePath } from '../file-path.ts';
import { finalize, sendHeader } from '../finalize.ts';
import { httpModule } from '../module.ts';
import { failureOf, OpenFailure, type OpenFile } from '../open-file.ts';
import { type Data, NOTHING } from '../output.ts';
import { discardBody } from '../read-body.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { escapeUri } from '../uri.ts';
import { DECLINED, DONE, ERROR, OK, type Verdict } from '../verdict.ts';
import { fileError } from './file-errors.ts';
import { FileProducer } from './file-producer.ts';
import { type RangePart, RangeSink, whole } from './range-sink.ts';
import { sendBytes } from './send-text.ts';

const SLASH = 0x2f;
/** Bytes from which on sendfile(2) costs less than writing from memory. */
const SENDFILE_FROM = 65536;

/** A folder without the slash: the client is sent to the one with it. */
const toFolder = (request: Request): Verdict => {
  const { uri, args } = request;
  request.out.location = `${escapeUri(uri)}/${args === '' ? '' : `?${args}`}`;
  return 301;
};

/** Sets what a file says about itself: status, length, time and tag. */
const describe = (request: Request, stat: Stats, length: number): void => {
  const { out } = request;
  const modified = Math.floor(stat.mtimeMs / 1000);
  out.status = 200;
  out.contentLength = length;
  out.lastModified = modified;
  if (request.location.core.etag) out.etag = `"${modified.toString(16)}-${length.toString(16)}"`;
  out.acceptRanges = true;
};

/** The parts of what is `head` and then a piece of a file, when only a part of it all was asked for. */
const partOf = (head: Data, { start }: RangePart, wanted: RangePart): RangePart => ({
  before: head.subarray(wanted.start, wanted.end),
  start: start + Math.max(0, wanted.start - head.length),
  end: start + Math.max(0, wanted.end - head.length),
});

/** Sends a part of a file, its `before` first, out of its descriptor. Throws when it can't be opened. */
const sendOpen = (request: Request, file: OpenFile, body: RangePart): Verdict => {
  file.descriptor();
  const producer = new FileProducer(file);
  request.producer = producer;
  discardBody(request);
  if (!sendHeader(request) || request.headerOnly) {
    producer.abortOutput();
    if (request.headerSent && !request.finished && request.producer === producer) finalize(request, OK);
    return DONE;
  }
  const { sink } = request;
  const { before } = body;
  if (!(sink instanceof RangeSink)) producer.begin(request, sink, [body], NOTHING);
  else if (before.length === 0) producer.begin(request, sink.next, sink.parts, sink.after);
  else if (sink.parts.length === 1 && sink.parts[0]) {
    producer.begin(request, sink.next, [partOf(before, body, sink.parts[0])], sink.after);
  } else {
    producer.abortOutput();
    logRequest(request, ALERT, 'range in overlapped buffers');
    return ERROR;
  }
  producer.resumeOutput(request);
  return DONE;
};

/** What can't be opened after all is answered with its status. */
const attempt = (request: Request, file: OpenFile, send: () => Verdict): Verdict => {
  request.sendsFile = true;
  try {
    return send();
  } catch (error) {
    if (request.headerSent) throw error;
    file.close();
    request.out.clear();
    return fileError(request, failureOf(error, 'open()'), file.path);
  }
};

/** Sends a part of a file with `before` in front of it, as a file of its own; see `sendFile`. */
export const sendPart = (request: Request, file: OpenFile, part: RangePart): Verdict => {
  describe(request, file.stat, part.before.length + part.end - part.start);
  setContentType(request);
  return attempt(request, file, () => sendOpen(request, file, part));
};

/** Whether the file's bytes are better left to the system, or too many for the memory. */
const isLarge = ({ stream, location }: Request, size: number): boolean =>
  size > SMALL ||
  (size >= SENDFILE_FROM && location.core.sendfile && stream.sendFile !== undefined && !stream.secure);

/**
 * Sends a regular file with the type of the URI, and closes it. The request is finalized, or
 * a status answered.
 */
export const sendFile = (request: Request, file: OpenFile): Verdict => {
  const { size } = file.stat;
  describe(request, file.stat, size);
  setContentType(request);
  return attempt(request, file, () => {
    if (isLarge(request, size)) return sendOpen(request, file, whole(size));
    const bytes = file.bytes();
    file.close();
    return sendBytes(request, bytes);
  });
};

/** Answers a request for what is no regular file. */
const notPlain = (request: Request, { path, stat }: OpenFile): Verdict => {
  if (stat.isDirectory()) return toFolder(request);
  logRequest(request, CRIT, `"${path}" is not a regular file`);
  return 404;
};

/** Nothing is posted to a file; but one that can't be read says so first. */
const refusePost = (request: Request, file: OpenFile): Verdict =>
  attempt(request, file, () => {
    file.descriptor();
    file.close();
    return 405;
  });

const serve = (request: Request): Verdict => {
  const { method, uri } = request;
  if (method !== 'GET' && method !== 'HEAD' && method !== 'POST') return 405;
  if (uri.charCodeAt(uri.length - 1) === SLASH) return DECLINED;
  const path = filePath(request);
  if (path === undefined) return 500;
  if (path.includes('\0')) return 404;
  const file = request.location.core.opener.open(request, path);
  if (file instanceof OpenFailure) return fileError(request, file, path);
  if (file.stat.isFile() && method !== 'POST') return sendFile(request, file);
  if (file.stat.isFile()) return refusePost(request, file);
  const status = notPlain(request, file);
  file.close();
  return status;
};

export const staticModule = httpModule({
  name: 'http_static',
  directives: {},
  phases: { content: () => serve },
});
