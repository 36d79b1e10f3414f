/** Plain files below `root` and `alias` (ngx_http_static). */
import { openSync, type Stats, statSync } from 'node:fs';
import { CRIT } from '../../log/levels.ts';
import { setContentType } from '../content-type.ts';
import { fileMemory, SMALL } from '../file-memory.ts';
import { filePath } from '../file-path.ts';
import { finalize, sendHeader } from '../finalize.ts';
import { httpModule } from '../module.ts';
import { LAST, NOTHING, OWNED } from '../output.ts';
import { discardBody } from '../read-body.ts';
import { logRequest } from '../request-log.ts';
import type { Request } from '../request.ts';
import { escapeUri } from '../uri.ts';
import { DECLINED, DONE, OK, type Verdict } from '../verdict.ts';
import { fileError, notFound } from './file-errors.ts';
import { FileProducer } from './file-producer.ts';
import { RangeSink, whole } from './range-sink.ts';

const SLASH = 0x2f;
const NO_THROW = { throwIfNoEntry: false } as const;

/** A folder without the slash: the client is sent to the one with it. */
const toFolder = (request: Request): Verdict => {
  const { uri, args } = request;
  request.out.location = `${escapeUri(uri)}/${args === '' ? '' : `?${args}`}`;
  return 301;
};

/** Sets what a file says about itself: length, time, tag, type. */
export const describeFile = (request: Request, stat: Stats): void => {
  const { out } = request;
  const modified = Math.floor(stat.mtimeMs / 1000);
  out.status = 200;
  out.contentLength = stat.size;
  out.lastModified = modified;
  if (request.location.core.etag) out.etag = `"${modified.toString(16)}-${stat.size.toString(16)}"`;
  out.acceptRanges = true;
};

/** Sends the file at `path`, whose head has been set. DONE: the request is finalized here. */
export const sendFile = (request: Request, path: string, stat: Stats): Verdict => {
  let bytes: Buffer | undefined;
  let fd = -1;
  try {
    if (stat.size <= SMALL) bytes = fileMemory.read(path, stat);
    else fd = openSync(path, 'r');
  } catch (error) {
    request.out.clear();
    return fileError(request, error, path);
  }
  if (fd < 0) return sendBytes(request, bytes ?? NOTHING);
  const producer = prepare(request, path, fd, stat.size);
  request.producer = producer;
  sendHeader(request);
  if (request.producer !== producer) return DONE;
  return producer.start(request);
};
