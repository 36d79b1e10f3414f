/**
 * The words of nginx.conf. moo splits the text; this adds what depends on neighbours: a quoted word ends only
 * at a space, `;`, `{` or `)`, and nothing may be longer than the buffer that nginx reads with.
 */
import moo from 'moo';
import type { Word } from './contract.ts';

/** What the grammar reads. */
export class ConfToken implements Word {
  constructor(
    /** `error`: the text is then the reason, in nginx's words. */
    readonly type: 'word' | 'quoted' | 'semicolon' | 'open' | 'close' | 'end' | 'error',
    readonly text: string,
    readonly file: string,
    readonly line: number,
    readonly column: number,
  ) {}

  /** The text, under the name that nearley expects. */
  get value(): string {
    return this.text;
  }

  get quoted(): boolean {
    return this.type === 'quoted';
  }
}

/** A word of 4,096 bytes fills the buffer that nginx reads a file with, and is refused. */
const BUFFER = 4096;

// One-character rules come first: moo then takes them without a regular expression.
const RULES: moo.Rules = {
  semicolon: ';',
  open: '{',
  close: '}',
  space: { match: /[ \t\r\n]+/, lineBreaks: true },
  comment: /#[^\n]*/,
  double: { match: /"[^"\\]*(?:\\[\s\S][^"\\]*)*"/, lineBreaks: true },
  single: { match: /'[^'\\]*(?:\\[\s\S][^'\\]*)*'/, lineBreaks: true },
  unclosed: { match: /["'][\s\S]*/, lineBreaks: true },
  word: { match: /(?:[^ \t\r\n;{\\$]|\\[\s\S]|\$\{*)+/, lineBreaks: true },
  unfinished: /\\/,
};

/** Lua has its own strings and comments, in which braces do not count. */
const LUA: moo.Rules = {
  open: '{',
  close: '}',
  level0: { match: /(?:--)?\[\[[\s\S]*?\]\]/, lineBreaks: true },
  level1: { match: /(?:--)?\[=\[[\s\S]*?\]=\]/, lineBreaks: true },
  level2: { match: /(?:--)?\[==\[[\s\S]*?\]==\]/, lineBreaks: true },
  comment: /--[^\n]*/,
  double: { match: /"[^"\\]*(?:\\[\s\S][^"\\]*)*"/, lineBreaks: true },
  single: { match: /'[^'\\]*(?:\\[\s\S][^'\\]*)*'/, lineBreaks: true },
  code: { match: /[^{}"'[-]+/, lineBreaks: true },
  mark: /["'[-]/,
};

const UNESCAPED: Readonly<Record<string, string>> = { t: '\t', r: '\r', n: '\n' };
const unescaped = (text: string): string =>
  text.includes('\\') ? text.replace(/\\(["'\\trn])/g, (_, mark: string) => UNESCAPED[mark] ?? mark) : text;

/** One text (a file, or `-g`) as tokens. A new lexer a text: positions start again. */
export class ConfLexer {
  readonly #lexer = moo.states({ main: RULES, lua: LUA }, 'main');
  readonly #text: string;
  readonly #file: string;
  /** `-g` has no lines: every place in it has line 0, and nginx holds it whole instead of through a buffer. */
  readonly #isFile: boolean;
  #line: number;

  constructor(text: string, file: string, isFile = true) {
    this.#text = text.startsWith('\u00ef\u00bb\u00bf') ? text.slice(3) : text;
    this.#lexer.reset(this.#text);
    this.#file = file;
    this.#isFile = isFile;
    this.#line = isFile ? 1 : 0;
  }

  /** The next token; at the end of the text `end`, again and again. */
  next(): ConfToken {
    for (;;) {
      const token = this.#lexer.next();
      if (!token) return this.#token('end', '', this.#line, 1);
      const { line, col, text } = token;
      this.#reach(line + token.lineBreaks);
      switch (token.type) {
        case 'space':
          continue;
        case 'semicolon':
        case 'open':
        case 'close':
          return this.#token(token.type, text, line, col);
        case 'comment':
          if (this.#isTooLong(token.offset, text.length)) return this.#tooLong(token, text);
          continue;
        case 'word': {
          const filled = text.length + this.#spaceAt(token.offset + text.length);
          if (this.#isTooLong(token.offset, filled)) return this.#tooLong(token, text);
          return this.#token('word', unescaped(text), line, col);
        }
        case 'double':
        case 'single':
          return this.#quoted(token);
        default:
          return this.#unfinished(token);
      }
    }
  }

  /** Goes on behind the `}` that closes a body of Lua, whose `{` has been read; false where the text ends. */
  skipLua(): boolean {
    this.#lexer.setState('lua');
    let depth = 1;
    while (depth > 0) {
      const token = this.#lexer.next();
      if (!token) break;
      this.#reach(token.line + token.lineBreaks);
      if (token.type === 'open') depth += 1;
      else if (token.type === 'close') depth -= 1;
    }
    this.#lexer.setState('main');
    return depth === 0;
  }

  #reach(line: number): void {
    if (this.#isFile) this.#line = line;
  }

  #token(type: ConfToken['type'], text: string, line: number, column: number): ConfToken {
    return new ConfToken(type, text, this.#file, this.#isFile ? line : 0, column);
  }

  #quoted(token: moo.Token): ConfToken {
    const { text, offset } = token;
    if (this.#isTooLong(offset + 1, text.length - 2)) return this.#missingQuote(token);
    const filled = text.length - 1 + this.#spaceAt(offset + text.length);
    if (this.#isTooLong(offset + 1, filled)) return this.#tooLong(token, text.slice(1));
    const after = this.#text.charAt(offset + text.length);
    if (after !== '' && !' \t\r\n;{)'.includes(after)) {
      return this.#token('error', `unexpected "${after}"`, this.#line, token.col);
    }
    return this.#token('quoted', unescaped(text.slice(1, -1)), token.line, token.col);
  }

  /** A quote that nothing closes, or a backslash as the last byte. */
  #unfinished(token: moo.Token): ConfToken {
    if (token.type === 'unclosed' && this.#isTooLong(token.offset + 1, token.text.length - 1)) {
      return this.#missingQuote(token);
    }
    return this.#token('error', this.endReason, this.#line, 1);
  }

  /** What nginx says when the text ends within a statement. */
  get endReason(): string {
    return this.#isFile
      ? 'unexpected end of file, expecting ";" or "}"'
      : 'unexpected end of parameter, expecting ";"';
  }

  /** Whether `length` bytes from `offset` fill nginx's buffer while the file goes on behind them. */
  #isTooLong(offset: number, length: number): boolean {
    return length >= BUFFER && this.#isFile && offset + BUFFER < this.#text.length;
  }

  #missingQuote({ text, line, col }: moo.Token): ConfToken {
    const quote = text.charAt(0);
    const reason = `too long parameter, probably missing terminating "${quote}" character`;
    return this.#token('error', reason, line, col);
  }

  /** A space behind a word still counts as part of it: 1, or 0 where there is none. */
  #spaceAt(offset: number): number {
    return this.#text.charCodeAt(offset) <= 0x20 ? 1 : 0;
  }

  #tooLong({ line, col }: moo.Token, text: string): ConfToken {
    return this.#token('error', `too long parameter "${text.slice(0, 10)}..." started`, line, col);
  }
}
