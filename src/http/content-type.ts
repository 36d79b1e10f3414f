/** The type of a reply by the extension of its URI: `types` and `default_type`. */
import type { Request } from './request.ts';

const SLASH = 0x2f;

/** What stands behind the last dot of the URI's last segment; '' when there is none or the segment begins with it. */
export const extensionOf = (uri: string): string => {
  // Searching from the front is several times as fast, and most paths of a proxy have no dot.
  if (uri.indexOf('.') < 0) return '';
  const dot = uri.lastIndexOf('.');
  if (dot < 2 || uri.charCodeAt(dot - 1) === SLASH || uri.indexOf('/', dot) >= 0) return '';
  return uri.slice(dot + 1);
};

/** Sets the reply's type unless it has one. */
export const setContentType = (request: Request): void => {
  const { out } = request;
  if (out.contentType !== '') return;
  const { type_map, default_type } = request.location.core;
  const extension = extensionOf(request.uri);
  const type =
    extension === '' ? undefined : (type_map.get(extension) ?? type_map.get(extension.toLowerCase()));
  out.contentType = type ?? default_type;
};
