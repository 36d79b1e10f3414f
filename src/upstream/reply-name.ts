/** Names of header lines in replies of upstream servers: lower-cased and classified once, then shared. */

/** What a line means to the engine; 0: it is passed as it is. */
export const PLAIN = 0;
export const STATUS = 1;
export const CONTENT_TYPE = 2;
export const CONTENT_LENGTH = 3;
export const DATE = 4;
export const LAST_MODIFIED = 5;
export const ETAG = 6;
export const SERVER = 7;
export const WWW_AUTHENTICATE = 8;
export const LOCATION = 9;
export const REFRESH = 10;
export const SET_COOKIE = 11;
export const EXPIRES = 12;
export const ACCEPT_RANGES = 13;
export const UPGRADE = 14;
export const CONNECTION = 15;
export const KEEP_ALIVE = 16;
export const ACCEL_EXPIRES = 17;
export const ACCEL_REDIRECT = 18;
export const ACCEL_LIMIT_RATE = 19;
export const ACCEL_BUFFERING = 20;
export const ACCEL_CHARSET = 21;
export const TRANSFER_ENCODING = 22;
export const CACHE_CONTROL = 23;
export const CONTENT_DISPOSITION = 24;

const KINDS: ReadonlyMap<string, number> = new Map([
  ['status', STATUS],
  ['content-type', CONTENT_TYPE],
  ['content-length', CONTENT_LENGTH],
  ['date', DATE],
  ['last-modified', LAST_MODIFIED],
  ['etag', ETAG],
  ['server', SERVER],
  ['www-authenticate', WWW_AUTHENTICATE],
  ['location', LOCATION],
  ['refresh', REFRESH],
  ['set-cookie', SET_COOKIE],
  ['expires', EXPIRES],
  ['accept-ranges', ACCEPT_RANGES],
  ['upgrade', UPGRADE],
  ['connection', CONNECTION],
  ['keep-alive', KEEP_ALIVE],
  ['x-accel-expires', ACCEL_EXPIRES],
  ['x-accel-redirect', ACCEL_REDIRECT],
  ['x-accel-limit-rate', ACCEL_LIMIT_RATE],
  ['x-accel-buffering', ACCEL_BUFFERING],
  ['x-accel-charset', ACCEL_CHARSET],
  ['transfer-encoding', TRANSFER_ENCODING],
  ['cache-control', CACHE_CONTROL],
  ['content-disposition', CONTENT_DISPOSITION],
]);

const bits = (...kinds: readonly number[]): number => kinds.reduce((mask, kind) => mask | (1 << kind), 0);

/** Kinds of which only the first line counts; a second one is ignored with a warning. */
export const SINGLE = bits(
  STATUS,
  CONTENT_TYPE,
  DATE,
  LAST_MODIFIED,
  ETAG,
  SERVER,
  LOCATION,
  REFRESH,
  EXPIRES,
  ACCEL_EXPIRES,
  ACCEL_REDIRECT,
  ACCEL_LIMIT_RATE,
);
/** Kinds that survive an X-Accel-Redirect. */
export const REDIRECTED = bits(
  CONTENT_TYPE,
  SET_COOKIE,
  CONTENT_DISPOSITION,
  CACHE_CONTROL,
  EXPIRES,
  ACCEPT_RANGES,
);

/** The kinds that a set of lower-case names has, a bit each. */
export const kindsOf = (names: ReadonlySet<string>): number => {
  let mask = 0;
  for (const name of names) mask |= 1 << (KINDS.get(name) ?? PLAIN);
  return mask & ~(1 << PLAIN);
};

/** A name as a peer writes it. */
export interface ReplyName {
  readonly text: string;
  readonly lower: string;
  readonly kind: number;
}

/** Peers choose these names: past this many they are no longer remembered. */
const MOST_REMEMBERED = 2048;
const remembered = new Map<string, ReplyName>();

/** The name's one object: as long as it is remembered, equal names are identical. */
export const replyName = (text: string): ReplyName => {
  const known = remembered.get(text);
  if (known) return known;
  const lower = text.toLowerCase();
  const name = { text, lower, kind: KINDS.get(lower) ?? PLAIN };
  if (remembered.size < MOST_REMEMBERED) remembered.set(text, name);
  return name;
};
