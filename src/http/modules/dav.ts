/** Files written over HTTP: PUT, DELETE, MKCOL, COPY and MOVE of WebDAV (RFC 4918, ngx_http_dav). */
import { lstatSync, mkdirSync, type Stats, statSync } from 'node:fs';
import { type Conf, type Context, directive } from '../../config/contract.ts';
import { access, flag, num, wordsOf } from '../../config/parsers.ts';
import { ERROR } from '../../log/levels.ts';
import { nativePath } from '../../platform/byte-path.ts';
import { errorCode } from '../../platform/errno.ts';
import { filePath } from '../file-path.ts';
import { finalize, sendHeader } from '../finalize.ts';
import { parseHttpDate } from '../http-date.ts';
import { type Handler, httpModule } from '../module.ts';
import { folderMode, moveFile } from '../move-file.ts';
import { readBodyToFile } from '../read-body.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { escapeUri } from '../uri.ts';
import { DECLINED, DONE, OK, type Verdict } from '../verdict.ts';
import { copyOrMove, depthOf, INFINITY } from './dav-copy.ts';
import { davError } from './dav-error.ts';
import { removePath } from './dav-tree.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];
const METHODS = ['off', 'put', 'delete', 'mkcol', 'copy', 'move'] as const;

const directives = {
  dav_methods: directive(wordsOf(...METHODS), { in: WHERE, initial: ['off'] }),
  create_full_put_path: directive(flag, { in: WHERE, initial: false }),
  min_delete_depth: directive(num(), { in: WHERE, initial: 0 }),
  dav_access: directive(access, { in: WHERE, initial: 0o600 }),
};
type DavConf = Conf<typeof directives>;

const hasBody = ({ headers: { contentLength, chunked } }: Request): boolean =>
  contentLength > 0 || (chunked && contentLength < 0);

const refuseBody = (request: Request, what: string): Verdict => {
  logRequest(request, ERROR, `${what} unsupported`);
  return 415;
};

/** What stands at the place of an upload. */
const present = (path: string): Stats | undefined => {
  try {
    return statSync(nativePath(path), { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
};

/** Moves an uploaded file to its place. Answers 201, 204 or the status of a failure, logged. */
const place = (request: Request, conf: DavConf): Verdict => {
  const { body, headers } = request;
  if (body?.file === undefined) {
    logRequest(request, ERROR, 'PUT request body must be in a file');
    return 500;
  }
  const path = filePath(request);
  if (path === undefined) return 500;
  const before = present(path);
  if (before?.isDirectory()) {
    logRequest(request, ERROR, `"${path}" could not be created (21: Is a directory)`);
    body.file.remove();
    return 409;
  }
  const date = headers.get('date');
  const moved = moveFile(request, body.file.path, path, {
    mode: conf.dav_access,
    pathMode: conf.dav_access,
    time: (date === undefined ? undefined : parseHttpDate(date)) ?? -1,
    createPath: conf.create_full_put_path,
    deleteSource: true,
  });
  if (!moved) return 500;
  return before ? 204 : 201;
};

const put = (request: Request, conf: DavConf): void => {
  const status = place(request, conf);
  if (status >= 300) {
    finalize(request, status);
    return;
  }
  const { out } = request;
  if (status === 201) {
    out.location = escapeUri(request.uri);
    out.contentLength = 0;
  }
  out.status = status;
  request.headerOnly = true;
  if (sendHeader(request)) finalize(request, OK);
};

const receive = (request: Request, conf: DavConf): Verdict => {
  if (request.uri.endsWith('/')) {
    logRequest(request, ERROR, 'cannot PUT to a collection');
    return 409;
  }
  if (request.headers.get('content-range') !== undefined) {
    logRequest(request, ERROR, 'PUT with range is unsupported');
    return 501;
  }
  const failure = readBodyToFile(request, () => put(request, conf));
  return failure === 0 ? DONE : failure;
};

/** Whether the URI has as many parts as a DELETE needs; `found` are those that were counted. */
const deepEnough = (request: Request, wanted: number): boolean => {
  if (wanted === 0) return true;
  const { uri } = request;
  let found = 0;
  for (let slash = uri.indexOf('/'); slash >= 0; slash = uri.indexOf('/', slash + 1)) {
    found++;
    if (found >= wanted && slash + 1 < uri.length) return true;
  }
  logRequest(request, ERROR, `insufficient URI depth:${found} to DELETE`);
  return false;
};

const remove = (request: Request, least: number): Verdict => {
  if (hasBody(request)) return refuseBody(request, 'DELETE with body is');
  if (!deepEnough(request, least)) return 409;
  const path = filePath(request);
  if (path === undefined) return 500;
  let stat: Stats;
  try {
    stat = lstatSync(nativePath(path));
  } catch (error) {
    return davError(request, error, errorCode(error) === 'ENOTDIR' ? 409 : 404, 'lstat', path);
  }
  const folder = stat.isDirectory();
  if (folder && !request.uri.endsWith('/')) {
    logRequest(request, ERROR, `DELETE "${path}" failed (21: Is a directory)`);
    return 409;
  }
  const depth = depthOf(request, folder ? INFINITY : 0);
  if (depth !== INFINITY && (folder || depth !== 0)) {
    logRequest(request, ERROR, `"Depth" header must be ${folder ? 'infinity' : '0 or infinity'}`);
    return 400;
  }
  const removed = removePath(request, path, folder);
  return removed === OK ? 204 : removed;
};

const makeFolder = (request: Request, mode: number): Verdict => {
  if (hasBody(request)) return refuseBody(request, 'MKCOL with body is');
  if (!request.uri.endsWith('/')) {
    logRequest(request, ERROR, 'MKCOL can create a collection only');
    return 409;
  }
  const path = filePath(request)?.slice(0, -1);
  if (path === undefined) return 500;
  try {
    mkdirSync(nativePath(path), { mode: folderMode(mode) });
  } catch (error) {
    return davError(request, error, 409, 'mkdir', path);
  }
  request.out.location = escapeUri(request.uri);
  return 201;
};

const handler = (conf: DavConf): Handler => {
  const methods: ReadonlySet<string> = new Set(conf.dav_methods.map((name) => name.toUpperCase()));
  return (request) => {
    if (!methods.has(request.method)) return DECLINED;
    switch (request.method) {
      case 'PUT':
        return receive(request, conf);
      case 'DELETE':
        return remove(request, conf.min_delete_depth);
      case 'MKCOL':
        return makeFolder(request, conf.dav_access);
      case 'COPY':
      case 'MOVE':
        if (hasBody(request)) return refuseBody(request, 'COPY and MOVE with body are');
        return copyOrMove(request, conf.dav_access);
      default:
        return DECLINED;
    }
  };
};

export const davModule = httpModule({
  name: 'http_dav',
  directives,
  phases: {
    content: (conf) => (conf.dav_methods.every((name) => name === 'off') ? undefined : handler(conf)),
  },
});
