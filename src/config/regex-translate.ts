/** The translation of one PCRE pattern: a recursive descent that writes JavaScript's form as it reads. */
import { hasCase, writeLiteral, writeSet } from './regex-bytes.ts';
import { type Fail, readClass } from './regex-class.ts';
import { type Escape, readEscape } from './regex-escape.ts';
import { Pieces } from './regex-pieces.ts';

/** The options that `(?imsxnUJ)` sets. */
interface Flags {
  readonly i: boolean;
  readonly m: boolean;
  readonly s: boolean;
  readonly x: boolean;
  readonly n: boolean;
  readonly U: boolean;
  readonly J: boolean;
}

/** The last thing written, if a quantifier may follow it: where it begins, and whether it needs a group for that. */
interface Atom {
  readonly start: number;
  readonly bare: boolean;
}

/** Where PCRE sees the end of a line that `$` means. */
const END = '(?=\\n?$)';

export interface TranslationResult {
  readonly source: string;
  readonly flags: string;
  /** JavaScript's numbers of the groups that are not in the pattern. */
  readonly helpers: readonly number[];
  readonly names: readonly (readonly [string, number])[];
  readonly captures: number;
}

export class Translation {
  readonly #pattern: string;
  readonly #fail: Fail;
  readonly #pieces = new Pieces();
  readonly #names: [string, number][] = [];
  readonly #references: { readonly to: number | string; readonly at: number; readonly isOpen: boolean }[] =
    [];
  /** The groups that have begun and not ended. */
  readonly #open = new Set<number>();
  #flags: Flags;
  #at = 0;
  #groups = 0;
  #depth = 0;
  #caseful = false;
  #caselessReference = false;
  #atom: Atom | undefined;

  constructor(pattern: string, caseless: boolean, fail: Fail) {
    this.#pattern = pattern;
    this.#fail = fail;
    this.#flags = { i: caseless, m: false, s: false, x: false, n: false, U: false, J: false };
  }

  get result(): TranslationResult {
    this.#alternatives();
    if (this.#at < this.#pattern.length) this.#fail('unmatched closing parenthesis', this.#at);
    for (const { to, at, isOpen } of this.#references) {
      const exists = typeof to === 'number' ? to <= this.#groups : this.#names.some(([name]) => name === to);
      if (!exists) this.#fail('reference to non-existent subpattern', at);
      // PCRE fails there until the group has matched; JavaScript would match nothing at all.
      if (isOpen) this.#fail('a back reference before the end of its group is not supported', at);
    }
    if (this.#caselessReference && this.#caseful) {
      this.#fail('a caseless back reference beside text with case is not supported', 0);
    }
    return {
      ...this.#pieces.write(new Map(this.#names)),
      flags: this.#caselessReference ? 'i' : '',
      names: this.#names,
      captures: this.#groups,
    };
  }

  get #rest(): string {
    return this.#pattern.slice(this.#at);
  }

  /** Up to the group's `)` or the end; what `(?i)` sets lasts as long. */
  #alternatives(): void {
    const flags = this.#flags;
    this.#atom = undefined;
    while (this.#at < this.#pattern.length && this.#pattern[this.#at] !== ')') this.#item();
    this.#flags = flags;
  }

  #item(): void {
    const char = this.#pattern.charAt(this.#at);
    if (this.#flags.x && this.#skipSpace(char)) return;
    switch (char) {
      case '|':
        this.#assertion('|', 1);
        return;
      case '(':
        this.#group();
        return;
      case '[':
        this.#class();
        return;
      case '\\':
        this.#escape();
        return;
      case '^':
        this.#assertion(this.#flags.m ? '(?:^|(?<=\\n)(?=[^]))' : '^', 1);
        return;
      case '$':
        this.#dollar(1, this.#flags.m);
        return;
      case '.':
        this.#write(this.#flags.s ? '[^]' : '[^\\n]', 1);
        return;
      case '*':
      case '+':
      case '?':
        this.#quantifier(char, 1);
        return;
      case '{': {
        const [all] = /^\{[0-9]+(?:,[0-9]*)?\}/.exec(this.#rest) ?? [];
        if (all) this.#quantifier(all, all.length);
        else this.#literal(char.charCodeAt(0), 1);
        return;
      }
      default:
        this.#literal(char.charCodeAt(0), 1);
    }
  }

  #skipSpace(char: string): boolean {
    const [space] = /^(?:[\t-\r ]+|#[^\n]*\n?)/.exec(char === '#' || char <= ' ' ? this.#rest : '') ?? [];
    if (!space) return false;
    this.#at += space.length;
    return true;
  }

  /** Writes an atom of one piece. */
  #write(source: string, length: number): void {
    this.#atom = { start: this.#pieces.length, bare: false };
    this.#pieces.push(source);
    this.#at += length;
  }

  #literal(byte: number, length: number): void {
    const { i } = this.#flags;
    if (!i && /[A-Za-z]/.test(String.fromCharCode(byte))) this.#caseful = true;
    this.#write(writeLiteral(byte, i), length);
  }

  #assertion(source: string, length: number): void {
    this.#pieces.push(source);
    this.#at += length;
    this.#atom = undefined;
  }

  /** The end, or before a newline at the end. Behind the last atom it may as well take that newline. */
  #dollar(length: number, multiline: boolean): void {
    const after = this.#pattern.charAt(this.#at + length);
    const isLast = this.#depth === 0 && (after === '' || after === '|');
    this.#assertion(multiline ? '(?=\\n|$)' : isLast ? '\\n?$' : END, length);
  }

  #class(): void {
    const posix = /^\[([:.=])[^\]\\]*?\1\]/.exec(this.#rest);
    if (posix) this.#fail('POSIX named classes are supported only within a class', this.#at);
    const { set, end } = readClass(this.#pattern, this.#at, this.#flags.i, this.#fail);
    if (!this.#flags.i && hasCase(set)) this.#caseful = true;
    this.#write(writeSet(set), end - this.#at);
  }

  #escape(): void {
    if (this.#pattern.startsWith('\\Q', this.#at)) {
      this.#quoted();
      return;
    }
    const escaped: Escape = readEscape(this.#rest, this.#groups, false);
    const { length } = escaped;
    switch (escaped.kind) {
      case 'byte':
        this.#literal(escaped.byte, length);
        return;
      case 'set':
        this.#write(writeSet(escaped.set), length);
        return;
      case 'atom':
        this.#write(escaped.source, length);
        return;
      case 'assertion':
        this.#assertion(escaped.source, length);
        return;
      case 'dollar':
        this.#dollar(length, false);
        return;
      case 'reference':
        this.#reference(escaped.to, escaped.relative, length);
        return;
      case 'nothing':
        this.#at += length;
        return;
      case 'error':
        this.#fail(escaped.reason, this.#at + length);
    }
  }

  /** `\Q...\E`: everything in it stands for itself. */
  #quoted(): void {
    const end = this.#pattern.indexOf('\\E', this.#at + 2);
    const text = this.#pattern.slice(this.#at + 2, end < 0 ? undefined : end);
    this.#at += 2;
    for (const char of text) this.#literal(char.charCodeAt(0), 1);
    if (end >= 0) this.#at += 2;
  }

  #reference(to: number | string, relative: boolean, length: number): void {
    const reason = 'reference to non-existent subpattern';
    const target = relative && typeof to === 'number' ? this.#groups + to + (to < 0 ? 1 : 0) : to;
    if (relative && typeof target === 'number' && target < 1) this.#fail(reason, this.#at + 2);
    if (target === 0) this.#fail(reason, this.#at + length);
    const text = this.#pattern.slice(this.#at, this.#at + length);
    const at = this.#at + (typeof target === 'number' ? length - 1 : text.lastIndexOf(target));
    const group = typeof target === 'number' ? target : this.#names.find(([name]) => name === target)?.[1];
    const isOpen = group === undefined || group > this.#groups || this.#open.has(group);
    this.#references.push({ to: target, at, isOpen });
    if (this.#flags.i) this.#caselessReference = true;
    this.#atom = { start: this.#pieces.length, bare: false };
    this.#pieces.push({ kind: 'reference', to: target });
    this.#at += length;
  }

  #quantifier(source: string, length: number): void {
    const atom = this.#atom;
    if (!atom) {
      this.#fail('quantifier does not follow a repeatable item', this.#at + length - 1);
      return;
    }
    const [, least, most] = /^\{([0-9]+),?([0-9]*)\}$/.exec(source) ?? [];
    if (Number(least) > 65_535 || Number(most) > 65_535)
      this.#fail('number too big in {} quantifier', this.#at + length - 1);
    if (least && most && Number(most) < Number(least)) {
      this.#fail('numbers out of order in {} quantifier', this.#at + length - 1);
    }
    this.#at += length;
    const suffix = this.#pattern.charAt(this.#at);
    const lazy = (suffix === '?') !== this.#flags.U && suffix !== '+';
    if (suffix === '?' || suffix === '+') this.#at += 1;
    if (atom.bare) this.#pieces.wrap(atom.start, '(?:', ')');
    this.#pieces.push(source + (lazy ? '?' : ''));
    if (suffix === '+') this.#pieces.makeAtomic(atom.start);
    this.#atom = undefined;
  }

  #group(): void {
    if (/^\(\*[^)]/.test(this.#rest)) this.#verb();
    const start = this.#at;
    const [comment] = /^\(\?#[^)]*/.exec(this.#rest) ?? [];
    if (comment) {
      this.#at += comment.length + 1;
      if (this.#at > this.#pattern.length) this.#fail('missing ) after (?# comment', this.#pattern.length);
      return;
    }
    if (!this.#pattern.startsWith('(?', start)) {
      if (this.#flags.n) {
        this.#body('(?:', 1);
        return;
      }
      this.#capture(undefined, 1);
      return;
    }
    const [simple] = /^\(\?(?:[:=!]|<[=!])/.exec(this.#rest) ?? [];
    if (simple) {
      this.#body(simple, simple.length);
      return;
    }
    if (this.#rest.startsWith('(?>')) {
      this.#atomic();
      return;
    }
    const [named] = /^\(\?(?:P?<|')/.exec(this.#rest) ?? [];
    if (named) {
      this.#named(named);
      return;
    }
    const [call, name] = /^\(\?P=(\w+)\)/.exec(this.#rest) ?? [];
    if (call && name) {
      this.#reference(name, false, call.length);
      return;
    }
    this.#options();
  }

  /** `(*UTF)` and its like. */
  #verb(): never {
    return /^\(\*[A-Za-z]/.test(this.#rest)
      ? this.#fail('verbs such as (*UTF) are not supported', this.#at)
      : this.#fail('(*VERB) not recognized or malformed', this.#at + 2);
  }

  /** `(?<name>`, `(?P<name>` and `(?'name'`. */
  #named(opening: string): void {
    const from = this.#at + opening.length;
    const [name = ''] = /^\w*/.exec(this.#pattern.slice(from)) ?? [];
    const end = from + name.length;
    if (name === '') this.#fail('subpattern name expected', from);
    if (/^[0-9]/.test(name)) this.#fail('subpattern name must start with a non-digit', from);
    if (name.length > 32) this.#fail('subpattern name is too long (maximum 32 code units)', from + 33);
    if (this.#pattern[end] !== (opening.endsWith("'") ? "'" : '>')) {
      this.#fail('syntax error in subpattern name (missing terminator?)', end);
    }
    if (!this.#flags.J && this.#names.some(([known]) => known === name)) {
      this.#fail('two named subpatterns have the same name (PCRE2_DUPNAMES not set)', end + 1);
    }
    this.#capture(name, end + 1 - this.#at);
  }

  #capture(name: string | undefined, length: number): void {
    this.#groups += 1;
    const group = this.#groups;
    if (name) this.#names.push([name, this.#groups]);
    this.#open.add(group);
    this.#body({ kind: 'capture', group }, length);
    this.#open.delete(group);
  }

  /** Reads the inside of a group and its `)`. */
  #body(opening: Parameters<Pieces['push']>[0], length: number): void {
    const start = this.#pieces.length;
    this.#pieces.push(opening);
    this.#at += length;
    this.#depth += 1;
    this.#alternatives();
    this.#depth -= 1;
    if (this.#at >= this.#pattern.length) this.#fail('missing closing parenthesis', this.#pattern.length);
    this.#pieces.push(')');
    this.#at += 1;
    this.#atom = { start, bare: typeof opening === 'string' && opening !== '(?:' };
  }

  /** `(?>...)`: what it matched is not tried otherwise. */
  #atomic(): void {
    const start = this.#pieces.length;
    this.#body('(?:', 3);
    this.#pieces.makeAtomic(start);
    this.#atom = { start, bare: false };
  }

  /** `(?i)` and `(?i:...)`, and all that is not translated. */
  #options(): void {
    const [all, caret, on = '', off = '', end = ''] =
      /^\(\?(\^?)([imsxnUJ]*)(?:-([imsxnUJ]*))?([:)])/.exec(this.#rest) ?? [];
    if (all === undefined) {
      this.#unsupported();
      return;
    }
    const base = caret ? { ...this.#flags, i: false, m: false, s: false, x: false, n: false } : this.#flags;
    const flags = { ...base, ...setAll(on, true), ...setAll(off, false) };
    if (end === ')') {
      this.#flags = flags;
      this.#at += all.length;
      this.#atom = undefined;
      return;
    }
    const outer = this.#flags;
    this.#flags = flags;
    this.#body('(?:', all.length);
    this.#flags = outer;
  }

  #unsupported(): never {
    const rest = this.#pattern.slice(this.#at + 2);
    if (/^(?:P|\^?[imsxnUJ]*-?[imsxnUJ]*)$/.test(rest))
      return this.#fail('missing closing parenthesis', this.#pattern.length);
    if (rest.startsWith('P') && !/^P[>=]/.test(rest))
      return this.#fail('unrecognized character after (?P', this.#at + 3);
    if (rest.startsWith('|')) return this.#fail('(?| is not supported', this.#at);
    if (rest.startsWith('(')) return this.#fail('conditional groups are not supported', this.#at);
    if (/^(?:R|&|P>|[-+]?[0-9])/.test(rest))
      return this.#fail('calling a group as a subroutine is not supported', this.#at);
    const [valid = ''] = /^\^?[imsxnUJ]*-?[imsxnUJ]*/.exec(rest) ?? [];
    return this.#fail('unrecognized character after (? or (?-', this.#at + 2 + valid.length);
  }
}

const setAll = (letters: string, value: boolean): Partial<Flags> =>
  Object.fromEntries(Array.from(letters, (letter) => [letter, value]));
