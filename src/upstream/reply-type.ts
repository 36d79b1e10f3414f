/** The Content-Type of a reply: the charset that stands in it is noted for filters that look at either. */
import type { HeadersOut } from '../http/headers.ts';

/** A charset behind a type: up to the end, or a quote there. */
const CHARSET = /; *charset="?(.*?)"?$/is;

/** The last type that was taken apart: replies in a row mostly have the same. */
let lastType = '';
let lastLength = -1;
let lastCharset = '';

/** Sets the type as it was written, and what its charset is. */
export const setType = (out: HeadersOut, value: string): void => {
  out.contentType = value;
  if (value.indexOf(';') < 0) return;
  if (value !== lastType) {
    const found = CHARSET.exec(value);
    lastType = value;
    lastLength = found ? found.index : -1;
    lastCharset = found?.[1] ?? '';
  }
  out.typeLength = lastLength;
  out.charset = lastCharset;
};
