/**
 * The head of a CGI reply (RFC 3875, section 6): header lines up to an empty one, in pieces of any size, with the
 * status in a `Status` line. Lines are read as leniently as nginx reads them: a bare LF ends one, a line without
 * a colon is a name without a value.
 */
import { latin1 } from '../../../net/latin1.ts';
import { NO_HEAD, ReplyHead } from '../../reply-head.ts';
import type { Upstream } from '../../upstream.ts';

const NUL = 0x00;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
const DEL = 0x7f;

/** Who takes the lines. */
export type HeadTarget = Pick<Upstream, 'head' | 'addLine' | 'onReplyInvalid'>;

/** What `read` answers when the head is not complete, and when it was refused and the reply is over. */
export const MORE = -1;
export const REFUSED = -2;

/** Longer heads are not kept from one reply to the next. */
const LONGEST_KNOWN = 1024;

export class CgiHead {
  /** What has come of the head so far, while it is not complete. */
  #text = '';
  /** A NUL or a CR within a line has been seen: lines want a closer look. */
  #odd = false;
  #status = '';
  #location = false;
  /** The head of an earlier reply: scripts mostly repeat theirs. */
  #known = '';
  #knownHead: ReplyHead = NO_HEAD;

  reset(): void {
    this.#text = '';
    this.#odd = false;
    this.#status = '';
    this.#location = false;
  }

  /**
   * Reads on; gives the position behind the head when it is complete, MORE, or REFUSED. When complete its lines
   * and status have been handed to `upstream`.
   */
  read(bytes: Buffer, start: number, end: number, upstream: HeadTarget): number {
    const before = this.#text.length;
    let stop = MORE;
    if (before === 0) {
      const { length } = this.#known;
      if (length > 0 && length <= end - start && latin1(bytes, start, start + length) === this.#known) {
        upstream.head = this.#knownHead;
        return start + length;
      }
      stop = this.#findEnd(bytes, start, end);
      this.#text = latin1(bytes, start, stop === MORE ? end : stop);
    } else {
      this.#odd = true;
      const text = this.#text + latin1(bytes, start, end);
      const length = endIn(text, Math.max(0, before - 2));
      this.#text = length === MORE ? text : text.slice(0, length);
      if (length !== MORE) stop = start + length - before;
    }
    if (stop === MORE || this.#odd) {
      const wrong = firstInvalid(this.#text);
      if (wrong !== '') {
        upstream.onReplyInvalid(wrong);
        return REFUSED;
      }
      if (stop === MORE) return MORE;
    }
    this.#known = '';
    const head = new ReplyHead();
    upstream.head = head;
    if (!this.#lines(upstream) || !this.#setStatus(upstream)) return REFUSED;
    // Lines that the log was told about are read again.
    if (this.#text.length <= LONGEST_KNOWN && head.reason === '') {
      this.#known = this.#text;
      this.#knownHead = head;
    }
    return stop;
  }

  #findEnd(bytes: Buffer, start: number, end: number): number {
    if (bytes[start] === LF) return start + 1;
    if (bytes[start] === CR) {
      if (bytes[start + 1] === LF && start + 1 < end) return start + 2;
      this.#odd = true;
    }
    for (let i = start; i < end; i++) {
      const c = bytes[i] ?? 0;
      if (c > CR) continue;
      if (c === LF) {
        if (i + 1 < end && bytes[i + 1] === LF) return i + 2;
        if (i + 2 < end && bytes[i + 1] === CR && bytes[i + 2] === LF) return i + 3;
      } else if (c === NUL || (c === CR && bytes[i + 1] !== LF)) {
        this.#odd = true;
      }
    }
    return MORE;
  }

  /** Hands on every line of the complete head. */
  #lines(upstream: HeadTarget): boolean {
    const text = this.#text;
    for (let at = 0; ; ) {
      const next = text.indexOf('\n', at) + 1;
      let nameEnd = at;
      let c = text.charCodeAt(nameEnd);
      if (c === LF || c === CR) return true;
      while (c > SPACE && c !== COLON && c !== DEL) c = text.charCodeAt(++nameEnd);
      if (!isStatusLine(text, at, nameEnd)) {
        if ((c !== COLON && c !== LF && c !== CR) || nameEnd === at) {
          upstream.onReplyInvalid(firstInvalid(text));
          return false;
        }
        let from = nameEnd + (c === COLON ? 1 : 0);
        let to = next - 1;
        while (to > from && text.charCodeAt(to - 1) === CR) to--;
        while (from < to && text.charCodeAt(from) === SPACE) from++;
        while (to > from && text.charCodeAt(to - 1) === SPACE) to--;
        if (!this.#line(text.slice(at, nameEnd), text.slice(from, to), upstream)) return false;
      }
      at = next;
    }
  }

  #line(name: string, value: string, upstream: HeadTarget): boolean {
    if (name.length === 6) {
      if (this.#status === '' && name.toLowerCase() === 'status') this.#status = value === '' ? ' ' : value;
    } else if (name.length === 8 && name.toLowerCase() === 'location') {
      this.#location = true;
    }
    return upstream.addLine(name, value);
  }

  #setStatus(upstream: HeadTarget): boolean {
    const { head } = upstream;
    const status = this.#status;
    if (status === '') {
      head.status = this.#location ? 302 : 200;
      head.statusLine = this.#location ? '302 Moved Temporarily' : '200 OK';
    } else if (/^[0-9]{3}/.test(status)) {
      head.status = Number(status.slice(0, 3));
      head.statusLine = status.length > 3 ? status : '';
    } else {
      upstream.onReplyInvalid(`upstream sent invalid status "${status.trimEnd()}"`);
      return false;
    }
    return true;
  }
}

/** Where the head ends in `text`, looking from `from` on; MORE when it does not. */
const endIn = (text: string, from: number): number => {
  if (text.startsWith('\n')) return 1;
  if (text.startsWith('\r\n')) return 2;
  for (let at = text.indexOf('\n', from); at >= 0; at = text.indexOf('\n', at + 1)) {
    if (text.charCodeAt(at + 1) === LF) return at + 2;
    if (text.charCodeAt(at + 1) === CR && text.charCodeAt(at + 2) === LF) return at + 3;
  }
  return MORE;
};

/** A line like `HTTP/1.1 200 OK` within the head is passed over, as some servers repeat it there. */
const isStatusLine = (text: string, at: number, nameEnd: number): boolean =>
  nameEnd > at + 4 && text.startsWith('HTTP/', at);

/**
 * What is wrong with a head, complete or not, in nginx's words with the line's beginning and the byte at fault;
 * '' when nothing is.
 */
const firstInvalid = (text: string): string => {
  for (let at = 0, next = 0; at < text.length; at = next) {
    const newline = text.indexOf('\n', at);
    next = newline < 0 ? text.length : newline + 1;
    if (isStatusLine(text, at, at + 5)) continue;
    const wrong = invalidIn(text, at, next);
    if (wrong >= 0) {
      const hex = text.charCodeAt(wrong).toString(16).padStart(2, '0');
      return `upstream sent invalid header: "${text.slice(at, wrong)}\\x${hex}..."`;
    }
  }
  return '';
};

/** The position of what is wrong in the line from `at` to `end`, or -1. */
const invalidIn = (text: string, at: number, end: number): number => {
  let i = at;
  let c = text.charCodeAt(i);
  while (i < end && c > SPACE && c !== COLON && c !== DEL) c = text.charCodeAt(++i);
  if (i === end) return -1;
  if (c !== CR && c !== LF && (c !== COLON || i === at)) return i;
  // An empty line is CR LF or LF; elsewhere any number of CRs may stand before the LF.
  if (c === CR && i === at) return i + 1 === end || text.charCodeAt(i + 1) === LF ? -1 : i;
  for (; i < end; i++) {
    c = text.charCodeAt(i);
    if (c === NUL) return i;
    if (c !== CR) continue;
    let after = i + 1;
    while (after < end && text.charCodeAt(after) === CR) after++;
    return after === end || text.charCodeAt(after) === LF ? -1 : i;
  }
  return -1;
};
