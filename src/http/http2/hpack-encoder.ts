/**
 * Header fields of replies in HPACK (RFC 7541), byte for byte as nginx has them, since lengths are logged: what most
 * replies have is named by its index in the static table, all else is spelled out. The client is offered the former
 * for its dynamic table, but nothing refers to that. Everything is text of one character a byte.
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

/** Letters of ASCII only: the bytes of others are not letters by themselves. */
const lowered = (name: string): string => name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

/** A literal field with incremental indexing, up to its value. */
const indexedName = (lower: string): string => integer(STATIC_NAMES.get(lower) ?? 0, 0x3f, 0x40);

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

const named = (code: string): KnownName => ({ code, value: '', field: '', misses: 0 });

/** A field; `name` in any case. */
export const field = (name: string, value: string): string => {
  let entry = known.get(name);
  if (!entry) {
    const code = `\0${string(lowered(name))}`;
    if (known.size >= MOST_NAMES || name.length > LONGEST_VALUE) return code + string(value);
    entry = named(code);
    known.set(ownText(name), entry);
  }
  return valued(entry, value);
};

/** A field whose name stands in the static table. */
const indexedField = (lower: string): ((value: string) => string) => {
  const entry = named(indexedName(lower));
  return (value) => valued(entry, value);
};

export const serverField = indexedField('server');
export const dateField = indexedField('date');
export const typeField = indexedField('content-type');
export const modifiedField = indexedField('last-modified');
export const locationField = indexedField('location');
export const varyField = indexedField('vary');

const valued = (entry: KnownName, value: string): string => {
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

const CONTENT_LENGTH = indexedName('content-length');

/** `content-length`: short and different each time, so not coded. */
export const lengthField = (length: number): string => CONTENT_LENGTH + rawString(`${length}`);

/** `:status`. */
export const statusField = (status: number): string => {
  const text = String(status).padStart(3, '0');
  const index = INDEXED_STATUSES.indexOf(text);
  return index < 0 ? STATUS + rawString(text) : String.fromCharCode(0x88 + index);
};
const STATUS = indexedName(':status');
const INDEXED_STATUSES = ['200', '204', '206', '304', '400', '404', '500'];

/** The first thing in a block after the client has changed its table's size: the encoder uses none of it. */
export const NO_TABLE = '\x20';
