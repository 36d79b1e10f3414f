/** A header field of HTTP/2, checked once, where it is first met; the HPACK tables hold it with what the check came to. */
import { internName } from '../header-names.ts';
import type { HeaderName } from '../headers.ts';

/** What its name is good for. */
export const FINE = 0;
/** `:path` and its like. */
export const PSEUDO = 1;
/** A line only where `underscores_in_headers` is on. */
export const UNDERSCORE = 2;
/** No line where `ignore_invalid_headers` is on. */
export const INVALID = 3;
/** The request is refused: an upper-case letter, a colon, a space, a control character (RFC 9113 section 8.2.1). */
export const REFUSED_NAME = 4;

const FORBIDDEN = /[\x00-\x20\x7f:A-Z]/;
const BREAKS_LINES = /[\0\r\n]/;
/** What an entry of a table costs beside its text (RFC 7541 section 4.1). */
const OVERHEAD = 32;

const kindOf = (name: HeaderName): number => {
  const { text } = name;
  if (text.charCodeAt(0) === 0x3a) return FORBIDDEN.test(text.slice(1)) ? REFUSED_NAME : PSEUDO;
  if (name.validity === 0 && name.lower === text) return FINE;
  if (FORBIDDEN.test(text)) return REFUSED_NAME;
  return name.validity === 1 ? UNDERSCORE : INVALID;
};

export class Field {
  private constructor(
    readonly name: HeaderName,
    readonly value: string,
    readonly kind: number,
    /** The value holds CR, LF or NUL: a line of its own for whoever gets it by HTTP/1. */
    readonly breaksLines: boolean,
  ) {}

  /** `name` and `value` are latin1 text, one character a byte. */
  static of(name: string, value: string): Field {
    const interned = internName(name);
    return new Field(interned, value, kindOf(interned), BREAKS_LINES.test(value));
  }

  /** A field of the same name. */
  withValue(value: string): Field {
    return new Field(this.name, value, this.kind, BREAKS_LINES.test(value));
  }

  /** Its bytes in a table. */
  get size(): number {
    return this.name.text.length + this.value.length + OVERHEAD;
  }
}
