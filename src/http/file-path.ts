/** Where a request's URI lies in the file system: `root` and `alias` (nginx's ngx_http_map_uri_to_path). */
import { realpathSync } from 'node:fs';
import { ALERT, CRIT } from '../log/levels.ts';
import { errorText } from '../platform/errno.ts';
import { contextKey, type Request } from './request.ts';
import { logRequest } from './request-log.ts';

/** Set by try_files: in a location with a regular expression, the URI goes behind `alias` after all. */
export const URI_BEHIND_ALIAS = contextKey<boolean>('alias');

/** The folder of `root` or `alias` for this request, absolute. */
export const documentRoot = (request: Request): string => {
  const { files, prefix } = request.location.core;
  const { path } = files;
  if (path.constant !== undefined) return path.constant;
  const text = path.text(request);
  return text.startsWith('/') ? text : prefix + text;
};

/** What of the URI stands behind the folder; undefined, logged, where `alias` can't be applied. */
const tail = (request: Request, uri: string): string | undefined => {
  const { strip } = request.location.core.files;
  if (strip < 0) return uri;
  if (!request.validLocation) {
    const { name } = request.location;
    logRequest(request, ALERT, `"alias" cannot be used in location "${name}" where URI was rewritten`);
    return undefined;
  }
  if (strip === Number.POSITIVE_INFINITY) return request.context(URI_BEHIND_ALIAS) ? uri : '';
  return uri.slice(strip);
};

/** The path of `uri` (the request's own when left out); undefined, logged, where there is none: status 500. */
export const filePath = (request: Request, uri: string = request.uri): string | undefined => {
  const rest = tail(request, uri);
  return rest === undefined ? undefined : documentRoot(request) + rest;
};

/** The variable $request_filename. */
export const requestFilename = (request: Request): string | undefined => filePath(request);

/** The variable $realpath_root: the folder without symbolic links. */
export const realpathRoot = (request: Request): string | undefined => {
  const root = documentRoot(request);
  try {
    return realpathSync.native(root);
  } catch (error) {
    logRequest(request, CRIT, `realpath() "${root}" failed (${errorText(error)})`);
    return undefined;
  }
};
