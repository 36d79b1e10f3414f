/** `X-Accel-Redirect`: the peer names a URI of ours that answers in its place. */
import { internalRedirect, namedLocation } from '../http/finalize.ts';
import type { Request } from '../http/request.ts';
import { logRequest } from '../http/request-log.ts';
import { unescapeUri } from '../http/uri.ts';
import { OK } from '../http/verdict.ts';
import { ERROR } from '../log/levels.ts';
import type { ReplyHead } from './reply-head.ts';
import { ACCEL_REDIRECT, REDIRECTED, type ReplyName } from './reply-name.ts';

/** A path that could lead out of the tree, or holds a NUL. */
const unsafe = (uri: string): boolean => uri === '' || /(?:^|\/)\.\.(?:\/|$)|\0/.test(uri);

/** Path and arguments of a URI that did not come from a client; undefined when it is not safe. */
export const trustedUri = (text: string): { readonly uri: string; readonly args: string } | undefined => {
  const mark = text.indexOf('?');
  const path = mark < 0 ? text : text.slice(0, mark);
  if (unsafe(path)) return undefined;
  const uri = unescapeUri(path);
  return unsafe(uri) ? undefined : { uri, args: mark < 0 ? '' : text.slice(mark + 1) };
};

/**
 * Goes on at the URI that `head` names, with the lines that survive a redirect given to `copy`. Answers OK, or
 * the status that the request is to be finalized with.
 */
export const accelRedirect = (
  request: Request,
  head: ReplyHead,
  copy: (name: ReplyName, value: string) => void,
): number => {
  const { names, values } = head;
  for (let i = 0; i < names.length; i++) {
    const name = names[i];
    if (name && (REDIRECTED & (1 << name.kind)) !== 0) copy(name, values[i] ?? '');
  }
  const { out } = request;
  out.withoutServer = false;
  out.withoutDate = false;
  const text = head.value(ACCEL_REDIRECT) ?? '';
  if (text.startsWith('@')) {
    namedLocation(request, text);
    return OK;
  }
  const target = trustedUri(text);
  if (!target) {
    logRequest(request, ERROR, `unsafe URI "${text}" was detected`);
    return 404;
  }
  if (request.method !== 'HEAD') request.method = 'GET';
  internalRedirect(request, target.uri, target.args);
  return OK;
};
