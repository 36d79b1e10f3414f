/** COPY and MOVE of WebDAV (RFC 4918 sections 9.8 and 9.9, ngx_http_dav). */
import { lstatSync, mkdirSync, renameSync, type Stats } from 'node:fs';
import { ERROR } from '../../log/levels.ts';
import { nativePath } from '../../platform/byte-path.ts';
import { errorCode } from '../../platform/errno.ts';
import { filePath } from '../file-path.ts';
import { copyFile, moveFile } from '../move-file.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { trustedUri } from '../trusted-uri.ts';
import { OK } from '../verdict.ts';
import { davError } from './dav-error.ts';
import { copyTree, removePath } from './dav-tree.ts';

export const INFINITY = -1;
const INVALID = -2;

/** The Depth header: 0, 1, INFINITY; something else, logged, for one that is not valid. */
export const depthOf = (request: Request, absent: number): number => {
  const depth = request.headers.get('depth');
  if (depth === undefined) return absent;
  if (depth === '0' || depth === '1') return Number(depth);
  if (depth === 'infinity') return INFINITY;
  logRequest(request, ERROR, `client sent invalid "Depth" header: "${depth}"`);
  return INVALID;
};

const invalidDestination = (request: Request, destination: string): number => {
  logRequest(request, ERROR, `client sent invalid "Destination" header: "${destination}"`);
  return 400;
};

/** The path in a Destination, arguments included; a status, logged, for one that leads elsewhere. */
const destinationPath = (request: Request, destination: string): string | number => {
  if (destination.startsWith('/')) return destination;
  const { host } = request.headers;
  if (host === '') {
    logRequest(request, ERROR, 'client sent no "Host" header');
    return 400;
  }
  const scheme = request.stream.secure ? 'https://' : 'http://';
  if (!destination.startsWith(scheme)) return invalidDestination(request, destination);
  if (!destination.startsWith(host, scheme.length)) {
    logRequest(
      request,
      ERROR,
      `"Destination" URI "${destination}" is handled by different repository than the source URI`,
    );
    return 400;
  }
  const slash = destination.indexOf('/', scheme.length + host.length);
  return slash < 0 ? invalidDestination(request, destination) : destination.slice(slash);
};

/** The URI that Destination names; a status, logged, when there is none or it can't be one for this URI. */
const destinationUri = (request: Request, destination: string): string | number => {
  const path = destinationPath(request, destination);
  if (typeof path === 'number') return path;
  const target = trustedUri(path);
  if (!target) {
    logRequest(request, ERROR, `unsafe URI "${path}" was detected`);
    return invalidDestination(request, destination);
  }
  const { uri } = request;
  if (uri.endsWith('/') !== destination.endsWith('/')) {
    logRequest(
      request,
      ERROR,
      `both URI "${uri}" and "Destination" URI "${destination}" should be either collections or non-collections`,
    );
    return 409;
  }
  const { strip } = request.location.core.files;
  if (strip > 0 && strip !== Number.POSITIVE_INFINITY && target.uri.length < strip) {
    return invalidDestination(request, destination);
  }
  return target.uri;
};

/** Whether Depth fits the method; logged when it does not. */
const depthFits = (request: Request): boolean => {
  const depth = depthOf(request, INFINITY);
  if (depth === INFINITY || (depth === 0 && request.method === 'COPY')) return true;
  const wanted = request.method === 'COPY' ? '0 or infinity' : 'infinity';
  logRequest(request, ERROR, `"Depth" header must be ${wanted}`);
  return false;
};

/** Whether what stands at the destination may be replaced; undefined, logged, when the header is not valid. */
const overwriteOf = (request: Request): boolean | undefined => {
  const text = request.headers.get('overwrite');
  if (text === undefined || text === 'T' || text === 't') return true;
  if (text === 'F' || text === 'f') return false;
  logRequest(request, ERROR, `client sent invalid "Overwrite" header: "${text}"`);
  return undefined;
};

const mergeSlashes = (path: string): string => path.replace(/\/{2,}/g, '/');

const notInto = (request: Request, destination: string): void => {
  const { uri, method } = request;
  logRequest(request, ERROR, `"${uri}" could not be ${method}ed to collection "${destination}"`);
};

/** Whether source and target are different, and neither is inside the other. `slash`: the target is a folder. */
const apart = (request: Request, from: string, to: string, slash: boolean, destination: string): boolean => {
  const source = from.length > 1 && from.endsWith('/') ? from.slice(0, -1) : from;
  if (source === to) {
    logRequest(
      request,
      ERROR,
      `both URI "${request.uri}" and "Destination" URI "${destination}" point to the same location`,
    );
    return false;
  }
  const inside = source.length < to.length ? to.startsWith(`${source}/`) : from.startsWith(`${to}/`);
  if (!slash || !inside) return true;
  notInto(request, destination);
  return false;
};

interface Paths {
  /** As it was asked for; a folder's ends in a slash. */
  readonly from: string;
  /** Without a slash at its end. */
  readonly to: string;
  readonly slash: boolean;
  readonly destination: string;
}

/** What a target is: its record, undefined when it is absent, or a status, logged. */
const look = (request: Request, path: string): Stats | undefined | number => {
  try {
    return lstatSync(nativePath(path));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    return davError(request, error, 404, 'lstat', path);
  }
};

const PERMISSIONS = 0o777;

const putFolder = (request: Request, { from, to }: Paths, stat: Stats): number => {
  const source = from.slice(0, -1);
  if (request.method === 'MOVE') {
    try {
      renameSync(nativePath(source), nativePath(to));
      return 201;
    } catch {
      // Copied, and removed, instead.
    }
  }
  try {
    mkdirSync(nativePath(to), { mode: stat.mode & PERMISSIONS });
  } catch (error) {
    return davError(request, error, 404, 'mkdir', to);
  }
  if (!copyTree(request, source, to)) return 500;
  if (request.method !== 'MOVE') return 201;
  const removed = removePath(request, from, true);
  return removed === OK ? 201 : removed;
};

const putFile = (request: Request, { from, to }: Paths, stat: Stats, access: number): number => {
  if (request.method === 'MOVE') {
    const options = { mode: 0, pathMode: access, time: -1, createPath: true, deleteSource: false };
    return moveFile(request, from, to, options) ? 204 : 500;
  }
  const options = { mode: stat.mode & PERMISSIONS, time: Math.floor(stat.mtimeMs / 1000) };
  return copyFile(request, from, to, options) ? 204 : 500;
};

const put = (request: Request, paths: Paths, mayReplace: boolean, access: number): number => {
  const { from, to, slash, destination } = paths;
  if (!apart(request, from, to, slash, destination)) return 403;
  const present = look(request, to);
  if (typeof present === 'number') return present;
  if (present?.isDirectory() && !slash) {
    notInto(request, destination);
    return 409;
  }
  if (present && !mayReplace) {
    logRequest(request, ERROR, `"${to}" could not be created (17: File exists)`);
    return 412;
  }
  let stat: Stats;
  try {
    stat = lstatSync(nativePath(from));
  } catch (error) {
    return davError(request, error, 404, 'lstat', from);
  }
  if (!stat.isDirectory()) return putFile(request, paths, stat, access);
  if (!request.uri.endsWith('/')) {
    logRequest(request, ERROR, `"${request.uri}" is collection`);
    return 400;
  }
  if (present) {
    const removed = removePath(request, to, present.isDirectory());
    if (removed !== OK) return removed;
  }
  return putFolder(request, paths, stat);
};

/** Answers a COPY or MOVE with its status. `access`: the mode from which that of new folders follows. */
export const copyOrMove = (request: Request, access: number): number => {
  const destination = request.headers.get('destination');
  if (destination === undefined) {
    logRequest(request, ERROR, 'client sent no "Destination" header');
    return 400;
  }
  const uri = destinationUri(request, destination);
  if (typeof uri === 'number') return uri;
  if (!depthFits(request)) return 400;
  const mayReplace = overwriteOf(request);
  if (mayReplace === undefined) return 400;
  const source = filePath(request);
  const target = source === undefined ? undefined : filePath(request, uri);
  if (source === undefined || target === undefined) return 500;
  const to = mergeSlashes(target);
  const slash = to.endsWith('/');
  const paths = { from: mergeSlashes(source), to: slash ? to.slice(0, -1) : to, slash, destination };
  return put(request, paths, mayReplace, access);
};
