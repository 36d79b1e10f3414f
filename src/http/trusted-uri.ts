/** URIs that an upstream server or a page names, which are not checked as a client's are. */
import { unescapeUri } from './uri.ts';

/** A path that could lead out of the tree, or holds a NUL. */
const unsafe = (uri: string): boolean => uri === '' || /(?:^|\/)\.\.(?:\/|$)|\0/.test(uri);

/** Path and arguments of such a URI; undefined when it is not safe (`unsafe URI "x" was detected`). */
export const trustedUri = (text: string): { readonly uri: string; readonly args: string } | undefined => {
  const mark = text.indexOf('?');
  const path = mark < 0 ? text : text.slice(0, mark);
  if (unsafe(path)) return undefined;
  const uri = unescapeUri(path);
  return unsafe(uri) ? undefined : { uri, args: mark < 0 ? '' : text.slice(mark + 1) };
};
