/** Sets of bytes: what a PCRE character class holds, and how JavaScript writes it. PCRE runs in the C locale. */

export type ByteSet = Uint8Array;

/** The set of inclusive ranges: `of('09', 'az')`. */
const of = (...ranges: readonly string[]): ByteSet => {
  const set = new Uint8Array(256);
  for (const range of ranges) set.fill(1, range.charCodeAt(0), range.charCodeAt(1) + 1);
  return set;
};

/** All bytes that are not in a set. */
export const complement = (set: ByteSet): ByteSet => set.map((bit) => 1 - bit);

/** Adds one set to another. */
export const add = (to: ByteSet, set: ByteSet): void => {
  for (let byte = 0; byte < 256; byte += 1) if (set[byte]) to[byte] = 1;
};

const isLetter = (byte: number): boolean => (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);

/** Adds the other case of each ASCII letter in a set. */
export const foldCase = (set: ByteSet): void => {
  for (let byte = 0x41; byte <= 0x5a; byte += 1) {
    if (set[byte] || set[byte + 0x20]) set.fill(1, byte, byte + 1).fill(1, byte + 0x20, byte + 0x21);
  }
};

const DIGIT = of('09');
const WORD = of('09', 'AZ', 'az', '__');
const SPACE = of('\t\r', '  ');
const HORIZONTAL = of('\t\t', '  ', '\xa0\xa0');
const VERTICAL = of('\n\r', '\x85\x85');

/** The sets that `\d` and its like stand for, by letter. */
export const ESCAPED_SETS: Readonly<Record<string, ByteSet>> = {
  d: DIGIT,
  D: complement(DIGIT),
  w: WORD,
  W: complement(WORD),
  s: SPACE,
  S: complement(SPACE),
  h: HORIZONTAL,
  H: complement(HORIZONTAL),
  v: VERTICAL,
  V: complement(VERTICAL),
};

/** The sets of `[[:alpha:]]` and its like, by name. */
export const POSIX_SETS: Readonly<Record<string, ByteSet>> = {
  alpha: of('AZ', 'az'),
  lower: of('az'),
  upper: of('AZ'),
  alnum: of('09', 'AZ', 'az'),
  ascii: of('\x00\x7f'),
  blank: of('\t\t', '  '),
  cntrl: of('\x00\x1f', '\x7f\x7f'),
  digit: DIGIT,
  graph: of('!~'),
  print: of(' ~'),
  punct: of('!/', ':@', '[`', '{~'),
  space: SPACE,
  word: WORD,
  xdigit: of('09', 'AF', 'af'),
};

const hex = (byte: number): string => `\\x${byte.toString(16).padStart(2, '0')}`;
const isPlain = (byte: number): boolean => isLetter(byte) || (byte >= 0x30 && byte <= 0x39);

/** One byte as JavaScript writes it inside and outside a class. */
export const writeByte = (byte: number): string => {
  if (isPlain(byte)) return String.fromCharCode(byte);
  if (byte === 0x2f || byte === 0x5f || byte === 0x20 || byte === 0x25 || byte === 0x26)
    return String.fromCharCode(byte);
  return byte > 0x20 && byte < 0x7f ? `\\${String.fromCharCode(byte)}` : hex(byte);
};

/** A set as JavaScript writes it. */
export const writeSet = (set: ByteSet): string => {
  const count = set.reduce((sum, bit) => sum + bit, 0);
  if (count === 256) return '[^]';
  if (count === 0) return '(?!)';
  const negated = set[255] === 1 && count > 128;
  const wanted = negated ? complement(set) : set;
  let ranges = '';
  for (let byte = 0; byte < 256; byte += 1) {
    if (!wanted[byte]) continue;
    const first = byte;
    while (byte < 255 && wanted[byte + 1]) byte += 1;
    ranges += writeByte(first);
    if (byte > first) ranges += (byte > first + 1 ? '-' : '') + writeByte(byte);
  }
  return `[${negated ? '^' : ''}${ranges}]`;
};

/** A byte to be matched, in either case when `caseless`. */
export const writeLiteral = (byte: number, caseless: boolean): string => {
  if (!caseless || !isLetter(byte)) return writeByte(byte);
  const set = new Uint8Array(256);
  set[byte] = 1;
  foldCase(set);
  return writeSet(set);
};

/** Whether case makes a difference to a set. */
export const hasCase = (set: ByteSet): boolean => {
  const folded = set.slice();
  foldCase(folded);
  return folded.some((bit, byte) => bit !== set[byte]);
};
