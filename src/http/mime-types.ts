/** Lists of content types that a filter works on (`gzip_types`, `sub_filter_types` ...). */
import type { Parser } from '../config/contract.ts';
import type { HeadersOut } from './headers.ts';

/** Lower-case types, or ALL_TYPES. */
export type MimeTypes = ReadonlySet<string>;

export const ALL_TYPES: MimeTypes = new Set(['*']);

export const TEXT_HTML: MimeTypes = new Set(['text/html']);

/** Types beside text/html, which is always there; `*` stands for every type. */
export const mimeTypes: Parser<MimeTypes> = {
  arity: { min: 1, max: Number.POSITIVE_INFINITY },
  repeats: true,
  parse(args, own) {
    if (own === ALL_TYPES) return own;
    const types = new Set(own ?? TEXT_HTML);
    for (const { text } of args.words) {
      if (text === '*') return ALL_TYPES;
      const lower = text.toLowerCase();
      if (types.has(lower)) args.warn(`duplicate MIME type "${text}"`);
      types.add(lower);
    }
    return types;
  },
};

/** The reply's type without a charset that an upstream has written behind it. */
export const bareType = ({ contentType, typeLength }: HeadersOut): string =>
  typeLength < 0 ? contentType : contentType.slice(0, typeLength);

/** Whether the reply's type is in the list. */
export const hasType = (types: MimeTypes, out: HeadersOut): boolean => {
  if (types === ALL_TYPES) return true;
  if (out.contentType === '') return false;
  const type = bareType(out);
  return types.has(type) || types.has(type.toLowerCase());
};
