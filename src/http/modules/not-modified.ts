/** Conditional requests: 304 and 412 (RFC 9110 section 13, ngx_http_not_modified). */
import { KNOWN } from '../header-names.ts';
import { parseHttpDate } from '../http-date.ts';
import { httpModule } from '../module.ts';
import type { Request } from '../request.ts';

const MODIFIED_SINCE = KNOWN['if-modified-since'];
const UNMODIFIED_SINCE = KNOWN['if-unmodified-since'];
const MATCH = KNOWN['if-match'];
const NONE_MATCH = KNOWN['if-none-match'];

/** Whether the reply's tag is in a list of tags; a weak comparison leaves `W/` aside on both sides. */
export const tagListed = (list: string, tag: string, weak: boolean): boolean => {
  if (list === '*') return true;
  if (tag === '') return false;
  const wanted = weak && tag.length > 2 && tag.startsWith('W/') ? tag.slice(2) : tag;
  let at = 0;
  while (at < list.length) {
    if (weak && list.length - at > 2 && list.startsWith('W/', at)) at += 2;
    if (wanted.length > list.length - at) return false;
    if (list.startsWith(wanted, at)) {
      at += wanted.length;
      while (list[at] === ' ' || list[at] === '\t') at++;
      if (at === list.length || list[at] === ',') return true;
    }
    while (at < list.length && list[at] !== ',') at++;
    while (list[at] === ' ' || list[at] === '\t' || list[at] === ',') at++;
  }
  return false;
};

/** Whether the client's copy, of the time it names, is out of date. */
const modifiedSince = (request: Request, text: string): boolean => {
  const { lastModified } = request.out;
  const how = request.location.core.if_modified_since;
  if (lastModified === -1 || how === 'off') return true;
  const since = parseHttpDate(text) ?? -1;
  if (since === lastModified) return false;
  return how === 'exact' || since < lastModified;
};

const unmodifiedSince = ({ out }: Request, text: string): boolean =>
  out.lastModified !== -1 && (parseHttpDate(text) ?? -1) >= out.lastModified;

/** The request asked for a condition that does not hold: everything about the reply is forgotten. */
const refuse = (request: Request): void => {
  const { out } = request;
  out.clear();
  out.location = '';
  out.server = '';
  out.date = '';
  out.lines.length = 0;
  out.trailers = undefined;
  request.refused = 412;
};

const notModified = ({ out }: Request): void => {
  out.status = 304;
  out.statusLine = '';
  out.contentType = '';
  out.contentLength = -1;
  out.acceptRanges = false;
  out.contentEncoding = '';
  out.remove('accept-ranges');
};

const filter = (request: Request): void => {
  if (request.out.status !== 200 || request.unconditional) return;
  const { names, values } = request.headers;
  let modified: string | undefined;
  let unmodified: string | undefined;
  let match: string | undefined;
  let noneMatch: string | undefined;
  for (let i = 0; i < names.length; i++) {
    const known = names[i]?.known ?? 0;
    if (known === MODIFIED_SINCE) modified ??= values[i];
    else if (known === UNMODIFIED_SINCE) unmodified ??= values[i];
    else if (known === MATCH) match ??= values[i];
    else if (known === NONE_MATCH) noneMatch ??= values[i];
  }
  const failed =
    (unmodified !== undefined && !unmodifiedSince(request, unmodified)) ||
    (match !== undefined && !tagListed(match, request.out.etag, false));
  if (failed) refuse(request);
  else if (modified === undefined && noneMatch === undefined) return;
  else if (modified !== undefined && modifiedSince(request, modified)) return;
  else if (noneMatch === undefined || tagListed(noneMatch, request.out.etag, true)) notModified(request);
};

export const notModifiedModule = httpModule({
  name: 'http_not_modified_filter',
  directives: {},
  headerFilter: () => filter,
});
