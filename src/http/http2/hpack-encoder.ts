/**
 * Header fields of replies in HPACK (RFC 7541): literals, with names of the static table by their index. As nginx,
 * it leaves the client's dynamic table alone. Everything is text of one character a byte.
 */
import { ownText } from '../../net/latin1.ts';
import { encodeHuffman } from './huffman.ts';
import { STATIC_NAMES } from './static-table.ts';

/** A number whose first octet shares its byte with `first`, by `mask`. */
export const integer = (value: number, mask: number, first: number): string => {
  if (value < mask) return String.fromCharCode(first | value);
  let text = String.fromCharCode(first | mask);
  let rest = value - mask;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) text += String.fromCharCode((rest & 0x7f) | 0x80);
  return text + String.fromCharCode(rest);
};

/** A string as it stands. */
export const rawString = (text: string): string => integer(text.length, 0x7f, 0) + text;

/** A string, in Huffman code where that is shorter. */
export const string = (text: string): string => {
  const coded = encodeHuffman(text);
  return coded === undefined ? rawString(text) : integer(coded.length, 0x7f, 0x80) + coded;
};

/** A literal field without indexing, up to its value. */
const nameCode = (lower: string): string => {
  const index = STATIC_NAMES.get(lower);
  return index === undefined ? `\0${string(lower)}` : integer(index, 0x0f, 0);
};

/** A name as replies write it, and the value that it had last: most values come again and again. */
interface KnownName {
  readonly code: string;
  value: string;
  field: string;
  /** Times in a row that another value came; a name of ever new values is not remembered any more. */
  misses: number;
}

const MOST_NAMES = 512;
const LONGEST_VALUE = 128;
const MOST_MISSES = 8;
const known = new Map<string, KnownName>();

/** A field; `name` in any case. */
export const field = (name: string, value: string): string => {
  let entry = known.get(name);
  if (!entry) {
    const code = nameCode(name.toLowerCase());
    if (known.size >= MOST_NAMES || name.length > LONGEST_VALUE) return code + string(value);
    entry = { code, value: '', field: '', misses: 0 };
    known.set(ownText(name), entry);
  }
  if (entry.field !== '' && entry.value === value) {
    entry.misses = 0;
    return entry.field;
  }
  const text = entry.code + string(value);
  if (entry.misses < MOST_MISSES && value.length <= LONGEST_VALUE) {
    entry.misses++;
    entry.value = ownText(value);
    entry.field = ownText(text);
  }
  return text;
};

const CONTENT_LENGTH = nameCode('content-length');

/** `content-length`: short and different each time, so not coded. */
export const lengthField = (length: number): string => CONTENT_LENGTH + rawString(`${length}`);

/** `:status`. */
export const statusField = (status: number): string => {
  const text = String(status).padStart(3, '0');
  const index = INDEXED_STATUSES.indexOf(text);
  return index < 0 ? `\x08${rawString(text)}` : String.fromCharCode(0x88 + index);
};
const INDEXED_STATUSES = ['200', '204', '206', '304', '400', '404', '500'];

/** The first thing in a block after the client has changed its table's size: the encoder uses none of it. */
export const NO_TABLE = '\x20';
