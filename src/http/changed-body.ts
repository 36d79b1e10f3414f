/** What a reply's head says of its body, where a filter changes that. */
import type { HeadersOut } from './headers.ts';
import { parseHttpDate } from './http-date.ts';

/** The reply's tag, our own or an upstream's; '' without one. */
export const tagOf = (out: HeadersOut): string => (out.etag === '' ? (out.line('etag') ?? '') : out.etag);

/** When the body was changed last, in seconds, as the head says: by a time of ours or a line; -1 when it does not. */
export const lastModifiedOf = (out: HeadersOut): number => {
  if (out.lastModified !== -1) return out.lastModified;
  const line = out.line('last-modified');
  return line === undefined ? -1 : (parseHttpDate(line) ?? -1);
};

export const hasLastModified = (out: HeadersOut): boolean =>
  out.lastModified !== -1 || out.line('last-modified') !== undefined;

/** How the body is coded, by us or by an upstream; '' when it is not. */
export const encodingOf = (out: HeadersOut): string =>
  out.contentEncoding === '' ? (out.line('content-encoding') ?? '') : out.contentEncoding;

/** The body is coded no longer. */
export const clearEncoding = (out: HeadersOut): void => {
  out.contentEncoding = '';
  out.remove('content-encoding');
};

/** Its length is no longer known, and no part of it can be asked for. */
export const forgetLength = (out: HeadersOut): void => {
  out.contentLength = -1;
  out.acceptRanges = false;
  out.remove('accept-ranges');
};

export const clearLastModified = (out: HeadersOut): void => {
  out.lastModified = -1;
  out.remove('last-modified');
};

export const clearTag = (out: HeadersOut): void => {
  out.etag = '';
  out.remove('etag');
};

/** A tag no longer stands for each byte of the body; one that is no tag by the rules goes (RFC 9110 section 8.8.3). */
export const weakenTag = (out: HeadersOut): void => {
  const tag = tagOf(out);
  if (tag === '' || tag.startsWith('W/')) return;
  if (!tag.startsWith('"')) clearTag(out);
  else if (out.etag === '') out.replace('etag', 'ETag', `W/${tag}`);
  else out.etag = `W/${tag}`;
};
