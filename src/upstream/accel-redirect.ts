/** `X-Accel-Redirect`: the peer names a URI of ours that answers in its place. */
import { internalRedirect, namedLocation } from '../http/finalize.ts';
import type { Request } from '../http/request.ts';
import { logRequest } from '../http/request-log.ts';
import { trustedUri } from '../http/trusted-uri.ts';
import { OK } from '../http/verdict.ts';
import { ERROR } from '../log/levels.ts';
import type { ReplyHead } from './reply-head.ts';
import { ACCEL_REDIRECT, REDIRECTED, type ReplyName } from './reply-name.ts';
import { HEAD_ACTION } from './states.ts';

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
    logRequest(request, ERROR, `unsafe URI "${text}" was detected while ${HEAD_ACTION}`);
    return 404;
  }
  if (request.method !== 'HEAD') request.method = 'GET';
  internalRedirect(request, target.uri, target.args);
  return OK;
};
