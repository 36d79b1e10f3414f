/** A PCRE character class, `[...]`, as a set of bytes. */
import { add, type ByteSet, complement, foldCase, POSIX_SETS } from './regex-bytes.ts';
import { readEscape } from './regex-escape.ts';

export interface ClassResult {
  readonly set: ByteSet;
  /** The index behind the closing bracket. */
  readonly end: number;
}

export type Fail = (reason: string, at: number) => never;

interface Member {
  /** A single byte, which may begin or end a range; undefined for a set. */
  readonly byte: number | undefined;
  readonly set: ByteSet | undefined;
  readonly end: number;
}

/** Reads the class whose `[` stands at `start`. `fail` gets PCRE's reason and the index it belongs to. */
export const readClass = (pattern: string, start: number, caseless: boolean, fail: Fail): ClassResult => {
  const set = new Uint8Array(256);
  let at = start + 1;
  const negated = pattern[at] === '^';
  if (negated) at += 1;
  const first = at;
  let quoting = false;

  const member = (): Member => {
    const char = pattern.charAt(at);
    if (!quoting && char === '[') {
      const [all, mark, caret = '', name = ''] =
        /^\[([:.=])(\^?)([^\]\\]*?)\1\]/.exec(pattern.slice(at)) ?? [];
      if (all && mark !== ':') fail('POSIX collating elements are not supported', at);
      if (all) {
        const known = POSIX_SETS[caseless && /^(?:upper|lower)$/.test(name) ? 'alpha' : name];
        if (!known) return fail('unknown POSIX class name', at + 2 + caret.length);
        return { byte: undefined, set: caret ? complement(known) : known, end: at + all.length };
      }
    }
    if (!quoting && char === '\\') {
      const escaped = readEscape(pattern.slice(at), 0, true);
      const end = at + escaped.length;
      if (escaped.kind === 'byte') return { byte: escaped.byte, set: undefined, end };
      if (escaped.kind === 'set') return { byte: undefined, set: escaped.set, end };
      return fail(
        escaped.kind === 'error' ? escaped.reason : 'escape sequence is invalid in character class',
        end,
      );
    }
    return { byte: char.charCodeAt(0), set: undefined, end: at + 1 };
  };

  /** Goes over `\Q` and `\E`; they may stand between any two members. */
  const skipQuotes = (): void => {
    for (;;) {
      const mark = pattern.slice(at, at + 2);
      if (mark === '\\E') quoting = false;
      else if (mark === '\\Q' && !quoting) quoting = true;
      else return;
      at += 2;
    }
  };

  for (;;) {
    skipQuotes();
    if (at >= pattern.length) fail('missing terminating ] for character class', pattern.length);
    if (!quoting && pattern[at] === ']' && at > first) break;
    const from = member();
    at = from.end;
    skipQuotes();
    const isRange = !quoting && pattern[at] === '-' && at + 1 < pattern.length && pattern[at + 1] !== ']';
    if (!isRange) {
      if (from.set) add(set, from.set);
      else if (from.byte !== undefined) set[from.byte] = 1;
      continue;
    }
    const dash = at;
    at += 1;
    skipQuotes();
    const to = member();
    if (from.byte === undefined || to.byte === undefined) {
      return fail(
        'invalid range in character class',
        from.byte === undefined ? dash : pattern[dash + 1] === '[' ? dash + 2 : to.end,
      );
    }
    if (to.byte < from.byte) fail('range out of order in character class', to.end - 1);
    set.fill(1, from.byte, to.byte + 1);
    at = to.end;
  }
  if (caseless) foldCase(set);
  return { set: negated ? complement(set) : set, end: at + 1 };
};
