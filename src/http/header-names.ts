/**
 * Header names are checked and lower-cased once: a name that has been seen before is found in a bounded table
 * by its text as written, and compared by number afterwards. RFC 9110 section 5.1.
 */
import { ownText } from '../net/latin1.ts';
import type { HeaderName } from './headers.ts';

/** The headers that this program looks at itself; the numbers are stable within a process only. */
const KNOWN_NAMES = [
  '',
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'keep-alive',
  'expect',
  'upgrade',
  'te',
  'if-modified-since',
  'if-unmodified-since',
  'if-match',
  'if-none-match',
  'if-range',
  'range',
  'user-agent',
  'referer',
  'content-type',
  'accept-encoding',
  'authorization',
  'via',
  'x-forwarded-for',
  'cookie',
  'date',
  'server',
  'location',
  'refresh',
  'last-modified',
  'etag',
  'set-cookie',
  'accept-ranges',
  'content-encoding',
  'expires',
  'cache-control',
  'www-authenticate',
  'vary',
  'trailer',
  'x-accel-redirect',
  'x-accel-expires',
  'x-accel-limit-rate',
  'x-accel-buffering',
  'x-accel-charset',
  'x-pad',
  'status',
  'link',
  'proxy-connection',
  'content-range',
  'proxy-authorization',
] as const;
type KnownName = Exclude<(typeof KNOWN_NAMES)[number], ''>;

/** `KNOWN['content-length']`: the number by which that header is recognised; 0 is no known header. */
export const KNOWN: Readonly<Record<KnownName, number>> = Object.fromEntries(
  KNOWN_NAMES.map((name, index) => [name, index]),
) as Record<KnownName, number>;

const byLower = new Map<string, number>(KNOWN_NAMES.map((name, index) => [name, index]));

/** How many spellings are kept: enough for every real one, and a flood of invented ones costs no memory. */
const TABLE_SIZE = 2048;
const LONGEST = 64;
const table = new Map<string, HeaderName>();

/** nginx's rule for names: letters, digits and `-`; `_` only where it is allowed (RFC 9110's other characters are not). */
const validityOf = (text: string): HeaderName['validity'] => {
  let validity: HeaderName['validity'] = 0;
  if (text.length === 0) return -2;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    const letter = c | 0x20;
    if ((letter >= 0x61 && letter <= 0x7a) || (c >= 0x30 && c <= 0x39) || c === 0x2d) continue;
    if (c <= 0x20 || c === 0x7f) return -2;
    if (c !== 0x5f) validity = -1;
    else if (validity === 0) validity = 1;
  }
  return validity;
};

/** The one object for a name as it is written. */
export const internName = (text: string): HeaderName => {
  const present = table.get(text);
  if (present) return present;
  const lower = text.toLowerCase();
  const name: HeaderName = { text, lower, known: byLower.get(lower) ?? 0, validity: validityOf(text) };
  if (name.validity >= 0 && table.size < TABLE_SIZE && text.length <= LONGEST) {
    // A copy: the text may be a slice that would keep a whole head in memory.
    const own = ownText(text);
    const kept: HeaderName = { ...name, text: own };
    table.set(own, kept);
    return kept;
  }
  return name;
};
