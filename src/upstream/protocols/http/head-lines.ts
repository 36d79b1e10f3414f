/**
 * Lines of a reply's head, from a latin1 text that may end anywhere. Strict where nginx is strict: control
 * characters and spaces in names, NUL and stray carriage returns are refused; a bare line feed ends a line.
 */

import { internName } from '../../../http/header-names.ts';
import { standsAt } from '../../../net/latin1.ts';

/** What `next` found: a line in `name` and `value`; the empty line; an unfinished line; no header line. */
export const LINE = 0;
export const LAST_LINE = 1;
export const UNFINISHED = 2;
export const NO_LINE = 3;

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const COLON = 0x3a;
/** As many names of a head are remembered. */
const MOST_REMEMBERED = 32;

export class HeadLines {
  text = '';
  /** Where the next line begins. */
  position = 0;
  name = '';
  value = '';
  /** After NO_LINE: the line up to what is wrong with it, and that, as nginx logs them. */
  wrong = '';
  /** The first NUL of the text. */
  #nul = -1;
  /**
   * The names of the head before this one, in their order: a server's replies are much alike, and a name that
   * stands where it stood before needs not be looked at again.
   */
  readonly #before: string[] = [];
  #index = 0;

  /** Another head begins. */
  restart(): void {
    this.#index = 0;
  }

  /** Goes on with `text`, which begins where the last line ended. */
  reset(text: string): void {
    this.text = text;
    this.position = 0;
    this.#nul = text.indexOf('\0');
  }

  next(): number {
    const text = this.text;
    const start = this.position;
    const lf = text.indexOf('\n', start);
    if (lf < 0) return UNFINISHED;
    this.position = lf + 1;
    if (lf === start) return LAST_LINE;
    if (text.charCodeAt(start) === CR) return lf === start + 1 ? LAST_LINE : this.#refuse(start, start);
    const index = this.#index;
    const known = this.#before[index];
    if (known !== undefined) {
      const colon = start + known.length;
      if (text.charCodeAt(colon) === COLON && standsAt(text, known, start)) {
        this.#index = index + 1;
        this.name = known;
        return this.#takeValue(start, colon + 1, lf);
      }
    }
    return this.#takeName(start, lf);
  }

  #takeName(start: number, lf: number): number {
    const text = this.text;
    let at = start;
    let c = 0;
    for (; at < lf; at++) {
      c = text.charCodeAt(at);
      if (c === COLON || c === CR) break;
      if (c <= SPACE || c === 0x7f) return this.#refuse(start, at);
      // Some servers send their status line twice.
      if (c === 0x2f && at === start + 4 && text.startsWith('HTTP', start)) return this.next();
    }
    if (at === start) return this.#refuse(start, at);
    this.name = text.slice(start, at);
    if (c === COLON) {
      this.#remember(this.name);
      return this.#takeValue(start, at + 1, lf);
    }
    this.value = '';
    return this.#endsAt(at, lf) ? LINE : this.#refuse(start, at);
  }

  /** An interned name is no slice that keeps a whole head in memory. */
  #remember(name: string): void {
    if (this.#index >= MOST_REMEMBERED) return;
    this.#before[this.#index++] = internName(name).text;
  }

  #takeValue(start: number, behindColon: number, lf: number): number {
    const text = this.text;
    let from = behindColon;
    while (text.charCodeAt(from) === SPACE) from++;
    let to = text.indexOf('\r', from);
    if (to < 0 || to > lf) to = lf;
    else if (to !== lf - 1 && !this.#endsAt(to, lf)) return this.#refuse(start, to);
    if (this.#nul >= from && this.#nul < to) return this.#refuse(start, this.#nul);
    while (to > from && text.charCodeAt(to - 1) === SPACE) to--;
    this.value = text.slice(from, to);
    return LINE;
  }

  /** Whether nothing but carriage returns stands between `at` and the line feed. */
  #endsAt(at: number, lf: number): boolean {
    for (let i = at; i < lf; i++) if (this.text.charCodeAt(i) !== CR) return false;
    return this.text.charCodeAt(lf) === LF;
  }

  #refuse(start: number, at: number): number {
    const code = this.text.charCodeAt(at).toString(16).padStart(2, '0');
    this.wrong = `${this.text.slice(start, at)}\\x${code}...`;
    return NO_LINE;
  }
}
