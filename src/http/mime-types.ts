/** Lists of content types that a filter works on (`gzip_types`, `sub_filter_types` ...). */
import type { Parser } from '../config/contract.ts';

/** Lower-case types; undefined: every type. */
export type MimeTypes = ReadonlySet<string> | undefined;

export const TEXT_HTML: MimeTypes = new Set(['text/html']);

/** Types added to `defaults`; `*` stands for every type. */
export const mimeTypes = (defaults: ReadonlySet<string>): Parser<MimeTypes> => ({
  arity: { min: 1, max: Number.POSITIVE_INFINITY },
  repeats: true,
  parse(args, own) {
    const types = new Set(own ?? defaults);
    for (const { text } of args.words) {
      if (text === '*') return undefined;
      const lower = text.toLowerCase();
      if (types.has(lower)) args.warn(`duplicate MIME type "${text}"`);
      types.add(lower);
    }
    return types;
  },
});

/** Whether a Content-Type is in the list, whatever its parameters. */
export const hasType = (types: MimeTypes, contentType: string): boolean => {
  if (contentType === '') return false;
  if (types === undefined || types.has(contentType)) return true;
  const end = contentType.indexOf(';');
  const type = end < 0 ? contentType : contentType.slice(0, end).trimEnd();
  return types.has(type.toLowerCase());
};
