/** Plain files below `root` and `alias` (ngx_http_static). */
import type { Stats } from 'node:fs';
import { CRIT } from '../../log/levels.ts';
import { setContentType } from '../content-type.ts';
import { SMALL } from '../file-memory.ts';
import { filePath } from '../file-path.ts';
import { finalize, sendHeader } from '../finalize.ts';
import { httpModule } from '../module.ts';
import { failureOf, OpenFailure, type OpenFile } from '../open-file.ts';
import { NOTHING } from '../output.ts';
import { discardBody } from '../read-body.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { escapeUri } from '../uri.ts';
import { DECLINED, DONE, OK, type Verdict } from '../verdict.ts';
import { fileError } from './file-errors.ts';
import { FileProducer } from './file-producer.ts';
import { RangeSink, whole } from './range-sink.ts';
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
const describe = (request: Request, stat: Stats): void => {
  const { out } = request;
  const modified = Math.floor(stat.mtimeMs / 1000);
  out.status = 200;
  out.contentLength = stat.size;
  out.lastModified = modified;
  if (request.location.core.etag) out.etag = `"${modified.toString(16)}-${stat.size.toString(16)}"`;
  out.acceptRanges = true;
};

/** Sends a file out of its descriptor. */
const sendLarge = (request: Request, file: OpenFile): Verdict => {
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
  if (sink instanceof RangeSink) producer.begin(request, sink.next, sink.parts, sink.after);
  else producer.begin(request, sink, [whole(file.stat.size)], NOTHING);
  producer.resumeOutput(request);
  return DONE;
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
  describe(request, file.stat);
  setContentType(request);
  try {
    if (isLarge(request, file.stat.size)) return sendLarge(request, file);
    const bytes = file.bytes();
    file.close();
    return sendBytes(request, bytes);
  } catch (error) {
    if (request.headerSent) throw error;
    file.close();
    request.out.clear();
    return fileError(request, failureOf(error, 'open()'), file.path);
  }
};

/** Answers a request for what is no regular file. */
const notPlain = (request: Request, { path, stat }: OpenFile): Verdict => {
  if (stat.isDirectory()) return toFolder(request);
  logRequest(request, CRIT, `"${path}" is not a regular file`);
  return 404;
};

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
  const status = file.stat.isFile() ? 405 : notPlain(request, file);
  file.close();
  return status;
};

export const staticModule = httpModule({
  name: 'http_static',
  directives: {},
  phases: { content: () => serve },
});
