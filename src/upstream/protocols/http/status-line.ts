/** The first line of a reply: `HTTP/1.1 200 OK`. */
import { standsAt } from '../../../net/latin1.ts';

/** Versions of up to three digits, as nginx takes them; IIS writes `403.1` where a space should be. */
const PATTERN = /^HTTP\/([1-9][0-9]{0,2})\.([0-9]{1,3}) +(([0-9]{3})(?:[ .][^\r]*)?)$/;

const isDigit = (c: number): boolean => c >= 0x30 && c <= 0x39;

/** Whether a line that has begun like this may still become a status line. */
export const mayBeStatusLine = (begun: string): boolean => 'HTTP/'.startsWith(begun.slice(0, 5));

export class StatusLine {
  code = 0;
  /** The code and what stands behind it: `200 OK`. */
  text = '';
  /** 1001 for HTTP/1.1. */
  version = 0;

  /** Reads the line that begins `head` and ends with the line feed at `lf`; false when it is no status line. */
  read(head: string, lf: number): boolean {
    const end = lf > 0 && head.charCodeAt(lf - 1) === 0x0d ? lf - 1 : lf;
    // What nearly every server sends.
    if (end > 12 && standsAt(head, 'HTTP/1.1 ', 0) && head.charCodeAt(12) === 0x20) {
      const a = head.charCodeAt(9);
      const b = head.charCodeAt(10);
      const c = head.charCodeAt(11);
      const cr = head.indexOf('\r', 13);
      if (isDigit(a) && isDigit(b) && isDigit(c) && (cr < 0 || cr >= end)) {
        this.code = (a - 0x30) * 100 + (b - 0x30) * 10 + (c - 0x30);
        this.text = head.slice(9, end);
        this.version = 1001;
        return true;
      }
    }
    const parts = PATTERN.exec(head.slice(0, end));
    if (!parts) return false;
    this.code = Number(parts[4]);
    this.text = parts[3] ?? '';
    this.version = Number(parts[1]) * 1000 + Number(parts[2]);
    return true;
  }
}
