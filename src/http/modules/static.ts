/** Plain files below `root` and `alias` (ngx_http_static). */
import { openSync, type Stats, statSync } from 'node:fs';
import { CRIT } from '../../log/levels.ts';
import { setContentType } from '../content-type.ts';
import { fileMemory, SMALL } from '../file-memory.ts';
import { filePath } from '../file-path.ts';
import { finalize, sendHeader } from '../finalize.ts';
import { httpModule } from '../module.ts';
import { NOTHING } from '../output.ts';
import { discardBody } from '../read-body.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { escapeUri } from '../uri.ts';
import { DECLINED, DONE, OK, type Verdict } from '../verdict.ts';
import { fileError, notFound } from './file-errors.ts';
import { FileProducer } from './file-producer.ts';
import { RangeSink, whole } from './range-sink.ts';
import { sendBytes } from './send-text.ts';

const SLASH = 0x2f;
const NO_THROW = { throwIfNoEntry: false } as const;

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

/** Sends a file too large to be kept in memory. */
const sendLarge = (request: Request, path: string, size: number): Verdict => {
  const fd = openSync(path, 'r');
  const producer = new FileProducer(fd, path);
  request.producer = producer;
  discardBody(request);
  if (!sendHeader(request) || request.headerOnly) {
    producer.abortOutput();
    if (request.headerSent && !request.finished && request.producer === producer) finalize(request, OK);
    return DONE;
  }
  const { sink } = request;
  if (sink instanceof RangeSink) producer.begin(sink.next, sink.parts, sink.after);
  else producer.begin(sink, [whole(size)], NOTHING);
  producer.resumeOutput(request);
  return DONE;
};

/** Sends the regular file at `path` with its type; the request is finalized, or a status answered. */
export const sendFile = (request: Request, path: string, stat: Stats): Verdict => {
  describe(request, stat);
  setContentType(request);
  try {
    if (stat.size <= SMALL) return sendBytes(request, fileMemory.read(path, stat));
    return sendLarge(request, path, stat.size);
  } catch (error) {
    if (request.headerSent) throw error;
    request.out.clear();
    return fileError(request, error, path);
  }
};

const serve = (request: Request): Verdict => {
  const { method, uri } = request;
  if (method !== 'GET' && method !== 'HEAD' && method !== 'POST') return 405;
  if (uri.charCodeAt(uri.length - 1) === SLASH) return DECLINED;
  const path = filePath(request);
  if (path === undefined) return 500;
  if (path.includes('\0')) return 404;
  let stat: Stats | undefined;
  try {
    stat = statSync(path, NO_THROW);
  } catch (error) {
    return fileError(request, error, path);
  }
  if (!stat) return notFound(request, path);
  if (stat.isDirectory()) return toFolder(request);
  if (!stat.isFile()) {
    logRequest(request, CRIT, `"${path}" is not a regular file`);
    return 404;
  }
  return method === 'POST' ? 405 : sendFile(request, path, stat);
};

export const staticModule = httpModule({
  name: 'http_static',
  directives: {},
  phases: { content: () => serve },
});
