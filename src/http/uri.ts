/**
 * Request targets: the path decoded and normalized as nginx does it (dots resolved, slashes merged, escapes
 * decoded), and escaped again for upstream servers. Text is latin1, a character a byte.
 */

/** A path and its arguments. */
export interface ParsedUri {
  readonly uri: string;
  readonly args: string;
}

const hex = (c: number): number => {
  if (c >= 0x30 && c <= 0x39) return c - 0x30;
  const letter = c | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
};

const SLASH = 0x2f;
const DOT = 0x2e;
const PERCENT = 0x25;
const QUESTION = 0x3f;
const HASH = 0x23;

/** Takes the last `/segment/..` or `/segment/.` off `out`; undefined when that would leave the root. */
const closeDots = (out: string): string | undefined => {
  if (out.endsWith('/.')) return out.slice(0, -1);
  if (!out.endsWith('/..')) return out;
  const above = out.lastIndexOf('/', out.length - 4);
  return out.length < 4 || above < 0 ? undefined : out.slice(0, above + 1);
};

/**
 * Decodes and normalizes a target that has escapes, doubled slashes, dots or a fragment. Escaped dots and
 * slashes count as dots and slashes; what an escape decodes to otherwise is never looked at again. Undefined
 * for a bad escape, a NUL, or a path out of the root. nginx's ngx_http_parse_complex_uri.
 */
export const normalizeTarget = (target: string, mergeSlashes: boolean): ParsedUri | undefined => {
  let out = target.charCodeAt(0) === QUESTION ? '/' : '';
  let args = '';
  // Whether `out` ends in a slash, or a slash and one or two dots that were written as such.
  let segment = out;
  const end = target.length;
  for (let i = 0; i < end; i++) {
    let c = target.charCodeAt(i);
    let literal = false;
    if (c === PERCENT) {
      const high = hex(target.charCodeAt(i + 1));
      const low = i + 2 < end ? hex(target.charCodeAt(i + 2)) : -1;
      if (high < 0 || low < 0) return undefined;
      c = high * 16 + low;
      i += 2;
      if (c === 0) return undefined;
      literal = c === PERCENT || c === HASH || c === QUESTION;
    }
    if (!literal && (c === QUESTION || c === HASH)) {
      if (c === QUESTION) {
        const hash = target.indexOf('#', i + 1);
        args = target.slice(i + 1, hash < 0 ? end : hash);
      }
      break;
    }
    if (c === SLASH && !literal) {
      if (segment === '/') {
        if (!mergeSlashes) out += '/';
        continue;
      }
      if (segment === '/.' || segment === '/..') {
        const shorter = closeDots(out);
        if (shorter === undefined) return undefined;
        out = shorter;
      } else {
        out += '/';
      }
      segment = '/';
      continue;
    }
    out += String.fromCharCode(c);
    if (c === DOT && (segment === '/' || segment === '/.')) segment += '.';
    else segment = '';
  }
  if (segment === '/.' || segment === '/..') {
    const shorter = closeDots(out);
    if (shorter === undefined) return undefined;
    out = shorter;
  }
  return out === '' ? undefined : { uri: out, args };
};

/** What each kind of place leaves as it is; all else becomes `%XX`. nginx's ngx_escape_uri types. */
const SAFE = {
  /** A path: ngx_escape_uri's NGX_ESCAPE_URI. */
  uri: /[\x00-\x20"#%<>?\\^`{|}\x7f-\xff]/g,
  /** Arguments: NGX_ESCAPE_ARGS. */
  args: /[\x00-\x20"#%&+;<>?\\^`{|}\x7f-\xff]/g,
  /** A place in HTML: NGX_ESCAPE_HTML. */
  html: /[\x00-\x20"#%'<>\\^`{|}\x7f-\xff]/g,
  /** One component: NGX_ESCAPE_URI_COMPONENT. */
  component: /[^A-Za-z0-9\-._~]/g,
} as const;

const percent = (c: string): string => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;

/** Escapes latin1 text for its place in a URI. */
export const escapeUri = (text: string, kind: keyof typeof SAFE = 'uri'): string =>
  text.replace(SAFE[kind], percent);

/** Decodes `%XX`; a malformed escape stays as it is. */
export const unescapeUri = (text: string): string =>
  text.includes('%')
    ? text.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) =>
        String.fromCharCode(Number.parseInt(digits, 16)),
      )
    : text;
