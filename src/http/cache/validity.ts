/** How long a reply may be kept, by its own lines, in the order in which they come (ngx_http_upstream_process_*). */
import { IGNORE } from '../../upstream/contract.ts';
import type { ReplyHead } from '../../upstream/reply-head.ts';
import { ACCEL_EXPIRES, CACHE_CONTROL, EXPIRES, SET_COOKIE } from '../../upstream/reply-name.ts';
import { parseHttpDate } from '../http-date.ts';

/** Seconds that stand for "for ever". */
const LARGEST = 2 ** 53;
/** A longer Vary line is not kept. */
const MOST_VARY = 128;

/** Times in seconds since the epoch, except `updating` and `error`, which are seconds beyond `valid`. */
export interface Validity {
  /** 0: the lines say nothing. */
  valid: number;
  updating: number;
  error: number;
  /** The reply must not be kept. */
  refused: boolean;
  vary: string;
}

/** The number behind a `name=` in Cache-Control; undefined without it, -1 for one that is none. */
const delta = (value: string, name: string): number | undefined => {
  const at = value.toLowerCase().indexOf(`${name}=`);
  if (at < 0) return undefined;
  const text = /^[^,; ]*/.exec(value.slice(at + name.length + 1))?.[0] ?? '';
  if (!/^\d*$/.test(text)) return -1;
  return Math.min(Number(text), LARGEST);
};

class Reader implements Validity {
  valid = 0;
  updating = 0;
  error = 0;
  refused = false;
  vary = '';
  /** No other line takes these back, but X-Accel-Expires (both) and a max-age (the second) do. */
  noCache = false;
  expired = false;
  #accel = false;

  constructor(
    readonly ignored: number,
    readonly now: number,
  ) {}

  accelExpires(value: string): void {
    if ((this.ignored & IGNORE['X-Accel-Expires']) !== 0) return;
    this.#accel = true;
    const at = value.startsWith('@');
    const text = at ? value.slice(1) : value;
    if (!/^\d+$/.test(text)) return;
    const seconds = Math.min(Number(text), LARGEST);
    if (!at && seconds === 0) {
      this.refused = true;
      return;
    }
    this.valid = at ? seconds : this.now + seconds;
    this.noCache = false;
    this.expired = false;
  }

  expires(value: string): void {
    if ((this.ignored & IGNORE.Expires) !== 0 || this.valid !== 0) return;
    const time = parseHttpDate(value);
    if (time === undefined || time < this.now) this.expired = true;
    else this.valid = time;
  }

  cacheControl(value: string): void {
    if ((this.ignored & IGNORE['Cache-Control']) !== 0) return;
    if (!(this.#accel && this.valid !== 0) && !this.#age(value)) return;
    const revalidate = delta(value, 'stale-while-revalidate');
    if (revalidate !== undefined) {
      if (revalidate < 0) {
        this.refused = true;
        return;
      }
      this.updating = revalidate;
      this.error = revalidate;
    }
    const onError = delta(value, 'stale-if-error');
    if (onError === undefined) return;
    if (onError < 0) this.refused = true;
    else this.error = onError;
  }

  /** False: the rest of the line does not matter any more. */
  #age(value: string): boolean {
    if (/no-cache|no-store|private/i.test(value)) {
      this.noCache = true;
      return false;
    }
    const age = delta(value, 's-maxage') ?? delta(value, 'max-age');
    if (age === undefined) return true;
    if (age < 0) {
      this.refused = true;
      return false;
    }
    if (age === 0) {
      this.noCache = true;
      return false;
    }
    this.valid = Math.min(this.now + age, LARGEST);
    this.expired = false;
    return true;
  }

  setCookie(): void {
    if ((this.ignored & IGNORE['Set-Cookie']) === 0) this.refused = true;
  }

  varies(value: string): void {
    if ((this.ignored & IGNORE.Vary) !== 0) return;
    this.vary = this.vary === '' ? value : `${this.vary}, ${value}`;
    if (value === '*' || this.vary.length > MOST_VARY) this.refused = true;
  }
}

/** What the head says. `ignored`: bits of `proxy_ignore_headers`; `now`: seconds since the epoch. */
export const validityOf = ({ names, values }: ReplyHead, ignored: number, now: number): Validity => {
  const reader = new Reader(ignored, now);
  names.forEach(({ kind, lower }, index) => {
    const value = values[index] ?? '';
    if (kind === ACCEL_EXPIRES) reader.accelExpires(value);
    else if (kind === EXPIRES) reader.expires(value);
    else if (kind === CACHE_CONTROL) reader.cacheControl(value);
    else if (kind === SET_COOKIE) reader.setCookie();
    else if (lower === 'vary') reader.varies(value);
  });
  if (reader.noCache || reader.expired) reader.refused = true;
  return reader;
};
