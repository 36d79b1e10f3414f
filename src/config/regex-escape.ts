/** What stands behind a backslash in a PCRE pattern. */
import { type ByteSet, complement, ESCAPED_SETS } from './regex-bytes.ts';

/** What an escape means, and how many characters it takes with its backslash. */
export type Escape = { readonly length: number } & (
  | { readonly kind: 'byte'; readonly byte: number }
  | { readonly kind: 'set'; readonly set: ByteSet }
  /** An assertion or a composed atom, as JavaScript writes it. */
  | { readonly kind: 'assertion' | 'atom'; readonly source: string }
  | { readonly kind: 'dollar' }
  /** A back reference: a number, a number counted back from here, or a name. */
  | { readonly kind: 'reference'; readonly to: number | string; readonly relative: boolean }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'error'; readonly reason: string }
);

const CONTROLS: Readonly<Record<string, number>> = { a: 7, e: 27, f: 12, n: 10, r: 13, t: 9 };
const ASSERTIONS: Readonly<Record<string, string>> = { A: '^', G: '^', z: '$', b: '\\b', B: '\\B' };

const error = (reason: string, length: number): Escape => ({ kind: 'error', reason, length });

/** `\p{N}`, `\PL`: the bytes that are such characters in latin1, as PCRE takes them without UTF mode. */
const property = (rest: string): Escape => {
  const [all = '', letter = '', caret = '', braced = '', single = ''] =
    /^([pP])(?:\{(\^?)([A-Za-z_&]+)\}|([A-Z]))/.exec(rest) ?? [];
  const name = braced === 'L&' ? 'LC' : braced || single;
  if (all === '') return error('malformed \\P or \\p sequence', 2);
  const set = new Uint8Array(256).fill(1);
  if (name !== 'Any') {
    let test: RegExp;
    try {
      test = new RegExp(`\\p{${name}}`, 'u');
    } catch {
      return error('unknown property after \\P or \\p', all.length + 1);
    }
    for (let byte = 0; byte < 256; byte++) set[byte] = test.test(String.fromCharCode(byte)) ? 1 : 0;
  }
  return {
    kind: 'set',
    set: (letter === 'P') !== (caret === '^') ? complement(set) : set,
    length: all.length + 1,
  };
};

const byteOf = (value: number, length: number): Escape =>
  value > 0xff
    ? error('character code point value in \\x{} or \\o{} is too large', length - 1)
    : { kind: 'byte', byte: value, length };

/** Digits behind a backslash: a group's number, or an octal code. `groups` is how many groups have begun. */
const digits = (rest: string, groups: number, inClass: boolean): Escape => {
  const [all = ''] = /^[0-9]+/.exec(rest) ?? [];
  const number = Number(all);
  if (!inClass && !all.startsWith('0') && (number < 10 || /^[89]/.test(all) || number <= groups)) {
    return { kind: 'reference', to: number, relative: false, length: 1 + all.length };
  }
  const [code = ''] = /^[0-7]{1,3}/.exec(all) ?? [];
  if (code === '') return { kind: 'byte', byte: rest.charCodeAt(0), length: 2 };
  return byteOf(Number.parseInt(code, 8), 1 + code.length);
};

const NO_DIGITS = 'digits missing in \\x{} or \\o{} or \\N{U+}';

const hexadecimal = (rest: string): Escape => {
  const [braced, code = '', end = ''] = /^x\{([0-9A-Fa-f]*)(\}?)/.exec(rest) ?? [];
  if (braced) {
    const length = 1 + braced.length;
    if (code === '' && (end || rest.length === 2)) return error(NO_DIGITS, length);
    if (!end) return error('non-hex character in \\x{} (closing brace missing?)', length);
    return byteOf(Number.parseInt(code, 16), length);
  }
  const [plain = 'x'] = /^x[0-9A-Fa-f]{0,2}/.exec(rest) ?? [];
  return byteOf(Number.parseInt(plain.slice(1) || '0', 16), 1 + plain.length);
};

const octal = (rest: string): Escape => {
  const [braced, code = '', end = ''] = /^o\{([0-7]*)(\}?)/.exec(rest) ?? [];
  if (!braced) return error('missing opening brace after \\o', 2);
  const length = 1 + braced.length;
  if (code === '' && (end || rest.length === 2)) return error(NO_DIGITS, length);
  if (!end) return error('non-octal character in \\o{} (closing brace missing?)', length);
  return byteOf(Number.parseInt(code, 8), length);
};

/** `\g{2}`, `\g-1`, `\k<name>`: references that say so. */
const reference = (rest: string): Escape => {
  const [numbered, braced, bare] = /^g(?:\{([-+]?[0-9]+)\}|([-+]?[0-9]+))/.exec(rest) ?? [];
  if (numbered) {
    const text = braced ?? bare ?? '';
    const relative = /^[-+]/.test(text);
    return { kind: 'reference', to: Number(text), relative, length: 1 + numbered.length };
  }
  const [named, first, second, third] =
    /^(?:[gk]\{\s*([A-Za-z_]\w*)\s*\}|k<([A-Za-z_]\w*)>|k'([A-Za-z_]\w*)')/.exec(rest) ?? [];
  if (named) {
    return {
      kind: 'reference',
      to: first ?? second ?? third ?? '',
      relative: false,
      length: 1 + named.length,
    };
  }
  if (/^g[<']/.test(rest)) return error('calling a group as a subroutine is not supported', 2);
  return rest.startsWith('k')
    ? error('\\k is not followed by a braced, angle-bracketed, or quoted name', 2)
    : error(
        '\\g is not followed by a braced, angle-bracketed, or quoted name/number or by a plain number',
        2,
      );
};

/** Reads the escape at the start of `text`. */
export const readEscape = (text: string, groups: number, inClass: boolean): Escape => {
  const letter = text.charAt(1);
  const rest = text.slice(1);
  if (letter === '') return error('\\ at end of pattern', 1);
  if (/[0-9]/.test(letter)) return digits(rest, groups, inClass);
  if (!/[A-Za-z]/.test(letter)) return { kind: 'byte', byte: letter.charCodeAt(0), length: 2 };
  const set = ESCAPED_SETS[letter];
  if (set) return { kind: 'set', set, length: 2 };
  const control = CONTROLS[letter];
  if (control !== undefined) return { kind: 'byte', byte: control, length: 2 };
  if (letter === 'x') return hexadecimal(rest);
  if (letter === 'o') return octal(rest);
  if (letter === 'c') {
    const code = text.charCodeAt(2);
    if (Number.isNaN(code)) return error('\\c at end of pattern', 2);
    return { kind: 'byte', byte: text.charAt(2).toUpperCase().charCodeAt(0) ^ 0x40, length: 3 };
  }
  if (letter === 'E') return { kind: 'nothing', length: 2 };
  if (inClass) {
    if (letter === 'b') return { kind: 'byte', byte: 8, length: 2 };
    if ('ABGKRXZz'.includes(letter)) return error('escape sequence is invalid in character class', 1);
    if (letter === 'N') return error('\\N is not supported in a class', 2);
    return error('unrecognized character follows \\', 1);
  }
  return outside(letter, rest);
};

/** The escapes that only make sense outside a class. */
const outside = (letter: string, rest: string): Escape => {
  const assertion = ASSERTIONS[letter];
  if (assertion) return { kind: 'assertion', source: assertion, length: 2 };
  switch (letter) {
    case 'Z':
      return { kind: 'dollar', length: 2 };
    case 'R':
      return { kind: 'atom', source: '(?:\\r\\n|\\r(?!\\n)|[\\n\\v\\f\\x85])', length: 2 };
    case 'N':
      if (rest.startsWith('N{U+')) return error('\\N{U+dddd} is supported only in Unicode (UTF) mode', 2);
      return { kind: 'atom', source: '[^\\n]', length: 2 };
    case 'C':
      return { kind: 'atom', source: '[^]', length: 2 };
    case 'K':
      // Only moves where the match begins, which nothing here asks for.
      return { kind: 'nothing', length: 2 };
    case 'g':
    case 'k':
      return reference(rest);
    case 'p':
    case 'P':
      return property(rest);
    case 'X':
      return error('\\X is not supported', 2);
    case 'F':
    case 'L':
    case 'l':
    case 'U':
    case 'u':
      return error('PCRE2 does not support \\F, \\L, \\l, \\N{name}, \\U, or \\u', 2);
    default:
      return error('unrecognized character follows \\', 1);
  }
};
