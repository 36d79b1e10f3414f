/** What a reply's head says of its body, where a filter changes that. */
import type { HeadersOut } from './headers.ts';

/** A tag of the reply as it was no longer fits it byte for byte (RFC 9110 section 8.8.1). */
export const weakenEtag = (out: HeadersOut): void => {
  if (out.etag === '' || out.etag.startsWith('W/')) return;
  out.etag = out.etag.startsWith('"') ? `W/${out.etag}` : '';
};

/** Its length is no longer known, and no part of it can be asked for. */
export const forgetLength = (out: HeadersOut): void => {
  out.contentLength = -1;
  out.acceptRanges = false;
  out.remove('accept-ranges');
};
