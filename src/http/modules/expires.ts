/** `expires`: when a reply grows stale, as Expires and Cache-Control lines. */
import type { Args, Parser } from '../../config/contract.ts';
import { parseSec } from '../../config/numbers.ts';
import { wordAt } from '../../config/parsers.ts';
import { wallClock } from '../../net/timers.ts';
import { HTTP } from '../build.ts';
import { lastModifiedOf } from '../changed-body.ts';
import { httpDate } from '../http-date.ts';
import type { Request } from '../request.ts';
import type { Template } from '../template.ts';

/** From when the time counts, or what is said instead of a time. */
type Kind = 'off' | 'epoch' | 'max' | 'access' | 'modified' | 'daily';

/** What a value means; `seconds` may be negative. */
interface Expiry {
  readonly kind: Kind;
  readonly seconds: number;
}

/** An `expires` statement: known at load, or worked out per request from `template`. */
export interface Expires extends Expiry {
  readonly template: Template | undefined;
}
export const EXPIRES_OFF: Expires = { kind: 'off', seconds: 0, template: undefined };

const DAY = 86_400;

/** Reads a value; a text says what is wrong with it. `modified`: the word stood before it. */
const parseExpiry = (text: string, modified: boolean): Expiry | string => {
  if (!modified && (text === 'epoch' || text === 'max' || text === 'off')) return { kind: text, seconds: 0 };
  const sign = text[0];
  if (sign === '@' && modified) return 'daily time cannot be used with "modified" parameter';
  const signed = sign === '@' || sign === '+' || sign === '-';
  const seconds = parseSec(signed ? text.slice(1) : text);
  if (seconds === undefined) return 'invalid value';
  if (sign === '@') {
    return seconds > DAY ? 'daily time value must be less than 24 hours' : { kind: 'daily', seconds };
  }
  return { kind: modified ? 'modified' : 'access', seconds: sign === '-' ? -seconds : seconds };
};

export const expiresParser: Parser<Expires> = {
  arity: [1, 2],
  parse(args: Args) {
    const modified = args.words.length === 2;
    if (modified && wordAt(args, 0).text !== 'modified') args.failDirective('invalid value', args.words[0]);
    const word = wordAt(args, modified ? 1 : 0);
    const template = args.scope.need(HTTP).template(word.text, args.place);
    if (template.constant === undefined)
      return { kind: modified ? 'modified' : 'access', seconds: 0, template };
    const expiry = parseExpiry(template.constant, modified);
    return typeof expiry === 'string' ? args.failDirective(expiry, word) : { ...expiry, template: undefined };
  },
};

/** The next time that the day is `seconds` old, in the local time zone. */
const nextDaily = (now: number, seconds: number): number => {
  const date = new Date(now * 1000);
  date.setHours(Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60, 0);
  if (date.getTime() / 1000 <= now) date.setDate(date.getDate() + 1);
  return date.getTime() / 1000;
};

const timesOf = (request: Request, { kind, seconds }: Expiry, now: number): { at: number; age: number } => {
  if (kind === 'daily') {
    const at = nextDaily(now, seconds);
    return { at, age: at - now };
  }
  const lastModified = lastModifiedOf(request.out);
  if (kind === 'access' || lastModified === -1) return { at: now + seconds, age: seconds };
  return { at: lastModified + seconds, age: lastModified + seconds - now };
};

/** The two values for a time that counts. */
const counted = (request: Request, expiry: Expiry, dynamic: boolean): readonly [string, string] => {
  const now = Math.floor(wallClock() / 1000);
  if (expiry.seconds === 0 && expiry.kind !== 'daily') return [httpDate(now), 'max-age=0'];
  const { at, age } = timesOf(request, expiry, now);
  const stale = age < 0 || (!dynamic && expiry.seconds < 0);
  return [httpDate(at), stale ? 'no-cache' : `max-age=${age}`];
};

/** Sets the lines; none for a value that turns out wrong or `off`. */
export const setExpires = (request: Request, conf: Expires): void => {
  const { out } = request;
  const { template } = conf;
  const expiry = template ? parseExpiry(template.text(request), conf.kind === 'modified') : conf;
  if (typeof expiry === 'string' || expiry.kind === 'off') return;
  let values: readonly [string, string];
  if (expiry.kind === 'epoch') values = ['Thu, 01 Jan 1970 00:00:01 GMT', 'no-cache'];
  else if (expiry.kind === 'max') values = ['Thu, 31 Dec 2037 23:55:55 GMT', 'max-age=315360000'];
  else values = counted(request, expiry, template !== undefined);
  out.replace('expires', 'Expires', values[0]);
  out.replace('cache-control', 'Cache-Control', values[1]);
};
