/** `userid`: a cookie that tells clients apart (ngx_http_userid_filter). */
import { type Context, directive, type Parser } from '../../config/contract.ts';
import { parseSec } from '../../config/numbers.ts';
import { enumOf, num, str, withArity, wordAt, wordsOf } from '../../config/parsers.ts';
import { ERROR, NOTICE } from '../../log/levels.ts';
import { addressBytes } from '../../net/addresses.ts';
import { wallClock } from '../../net/timers.ts';
import { HTTP } from '../build.ts';
import { cookieDate } from '../http-date.ts';
import { httpModule } from '../module.ts';
import { contextKey, type Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import type { Value, VariableRef } from '../variables.ts';
import { cookieValue } from './header-value.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];
/** An identity is 16 bytes, written as 22 letters of base64. */
const SIZE = 16;
const LETTERS = 22;

/** Seconds that the cookie lives; Infinity for `max`, 0 for as long as the browser runs. */
const expires: Parser<number> = {
  arity: 1,
  parse(args) {
    const word = wordAt(args, 0);
    if (word.text === 'max') return Number.POSITIVE_INFINITY;
    if (word.text === 'off') return 0;
    return parseSec(word.text) ?? args.failDirective('invalid value', word);
  },
};

const mark: Parser<string> = {
  arity: 1,
  parse(args) {
    const word = wordAt(args, 0);
    if (word.text === 'off') return '';
    if (/^[A-Za-z0-9=]$/.test(word.text)) return word.text;
    return args.failDirective('value must be "off" or a single letter, digit or "="', word);
  },
};

const flags = withArity(
  [1, 2, 3],
  wordsOf('off', 'secure', 'httponly', 'samesite=strict', 'samesite=lax', 'samesite=none'),
);

interface UseridConf {
  readonly userid: 'off' | 'log' | 'v1' | 'on';
  readonly userid_name: string;
  readonly userid_domain: string;
  readonly userid_path: string;
  readonly userid_expires: number;
  readonly userid_p3p: string;
  readonly userid_mark: string;
  readonly userid_service: number | undefined;
  readonly userid_flags: readonly string[];
  readonly reset: VariableRef;
}

/** What is known of a request's client. */
interface Identity {
  readonly cookie: string;
  /** What the client sent, and what it is to be sent. */
  readonly got: Buffer | undefined;
  set: Buffer | undefined;
  reset: boolean;
}
const IDENTITY = contextKey<Identity>('userid');

/** Numbers that make identities differ: of this process, and of each in it. */
class Sequence {
  readonly start =
    (((Math.floor(performance.timeOrigin * 1000) % 1_000_000) / 20) << 16) | (process.pid & 0xffff);
  #first = 1;
  #second = 0x03030302;

  nextV1(): number {
    const value = this.#first;
    this.#first = (value + 0x100) >>> 0;
    return value;
  }

  nextV2(): number {
    const value = this.#second;
    this.#second = (value + 0x100) >>> 0;
    if (this.#second < 0x03030302) this.#second = 0x03030302;
    return value;
  }
}
const sequence = new Sequence();

const identityOf = (request: Request, { userid_name: name }: UseridConf): Identity => {
  const present = request.context(IDENTITY);
  if (present) return present;
  const cookie = cookieValue(request.headers, name.toLowerCase()) ?? '';
  let got: Buffer | undefined;
  if (cookie !== '') {
    const text = cookie.slice(0, LETTERS);
    const whole = request.headers.joined('cookie') ?? '';
    if (text.length < LETTERS) logRequest(request, ERROR, `client sent too short userid cookie "${whole}"`);
    else if (!/^[A-Za-z0-9+/]*$/.test(text)) {
      logRequest(request, ERROR, `client sent invalid userid cookie "${whole}"`);
    } else got = Buffer.from(text, 'base64');
  }
  const identity: Identity = { cookie, got, set: undefined, reset: false };
  request.setContext(IDENTITY, identity);
  return identity;
};

/** `uid=` and the four numbers in hexadecimal, as the log shows an identity. */
const shown = (name: string, bytes: Buffer): string => {
  let text = `${name}=`;
  for (let at = 0; at < SIZE; at += 4)
    text += bytes.readUInt32LE(at).toString(16).toUpperCase().padStart(8, '0');
  return text;
};

const make = (request: Request, { userid, userid_service: service }: UseridConf): Buffer => {
  const bytes = Buffer.alloc(SIZE);
  const now = Math.floor(wallClock() / 1000);
  if (userid === 'v1') {
    bytes.writeUInt32LE(service ?? 0, 0);
    bytes.writeUInt32LE(now, 4);
    bytes.writeInt32LE(sequence.start, 8);
    bytes.writeUInt32LE(sequence.nextV1(), 12);
    return bytes;
  }
  const own = addressBytes(request.stream.localAddress)?.slice(-4) ?? [0, 0, 0, 0];
  if (service === undefined) bytes.set(own, 0);
  else bytes.writeUInt32BE(service, 0);
  bytes.writeUInt32BE(now, 4);
  bytes.writeInt32BE(sequence.start, 8);
  bytes.writeUInt32BE(sequence.nextV2(), 12);
  return bytes;
};

/** Decides what the client is to be sent, once a request. */
const decide = (request: Request, identity: Identity, conf: UseridConf): void => {
  if (identity.set) return;
  const { got, cookie } = identity;
  if (got) {
    const reset = conf.reset.get(request) ?? '';
    if (reset === '' || reset === '0') {
      const marked =
        cookie.length > LETTERS + 1 && cookie[LETTERS] === conf.userid_mark && cookie[LETTERS + 1] === '=';
      if (conf.userid_mark !== '' && !marked) identity.set = got;
      return;
    }
    identity.reset = true;
    if (reset === 'log')
      logRequest(request, NOTICE, `userid cookie "${shown(conf.userid_name, got)}" was reset`);
  }
  identity.set = make(request, conf);
};

const setCookie = (identity: Identity, set: Buffer, conf: UseridConf): string => {
  const { userid_mark: letter, userid_expires: lives } = conf;
  const fresh = !identity.got || identity.reset;
  const text = set.toString('base64');
  let cookie = `${conf.userid_name}=`;
  if (!fresh) cookie += `${identity.cookie.slice(0, LETTERS)}${letter}=`;
  else cookie += letter === '' ? text : `${text.slice(0, LETTERS)}${letter}=`;
  if (lives === Number.POSITIVE_INFINITY) cookie += '; expires=Thu, 31-Dec-37 23:55:55 GMT';
  else if (lives > 0) cookie += `; expires=${cookieDate(Math.floor(wallClock() / 1000) + lives)}`;
  if (conf.userid_domain !== '' && conf.userid_domain !== 'none') cookie += `; domain=${conf.userid_domain}`;
  cookie += `; path=${conf.userid_path}`;
  for (const flag of conf.userid_flags) if (flag !== 'off') cookie += `; ${flag}`;
  return cookie;
};

const makeFilter =
  (conf: UseridConf) =>
  (request: Request): void => {
    const identity = identityOf(request, conf);
    decide(request, identity, conf);
    if (!identity.set) return;
    request.out.add('Set-Cookie', setCookie(identity, identity.set, conf));
    if (conf.userid_p3p !== '' && conf.userid_p3p !== 'none') request.out.add('P3P', conf.userid_p3p);
  };

const gotValue = (request: Request): Value => {
  const conf = request.main.location.confOf(useridModule);
  if (conf.userid === 'off') return undefined;
  const { got } = identityOf(request.main, conf);
  return got && shown(conf.userid_name, got);
};

const setValue = (request: Request): Value => {
  const conf = request.main.location.confOf(useridModule);
  if (conf.userid === 'off' || conf.userid === 'log') return undefined;
  const identity = identityOf(request.main, conf);
  decide(request.main, identity, conf);
  return identity.set && shown(conf.userid_name, identity.set);
};

export const useridModule = httpModule({
  name: 'http_userid_filter',
  directives: {
    userid: directive(enumOf('off', 'log', 'v1', 'on'), { in: WHERE, initial: 'off' }),
    userid_name: directive(str, { in: WHERE, initial: 'uid' }),
    userid_domain: directive(str, { in: WHERE, initial: '' }),
    userid_path: directive(str, { in: WHERE, initial: '/' }),
    userid_expires: directive(expires, { in: WHERE, initial: 0 }),
    userid_p3p: directive(str, { in: WHERE, initial: '' }),
    userid_mark: directive(mark, { in: WHERE, initial: '' }),
    userid_service: directive<number | undefined>(num(), { in: WHERE, initial: undefined }),
    userid_flags: directive(flags, { in: WHERE, initial: ['off'] }),
  },
  derive: (_conf, scope) => ({ reset: scope.need(HTTP).variables.use('uid_reset') }),
  variables: {
    uid_got: { get: gotValue, cached: true },
    uid_set: { get: setValue, cached: true },
    uid_reset: { get: () => '', changeable: true },
  },
  headerFilter: (conf) => (conf.userid === 'on' || conf.userid === 'v1' ? makeFilter(conf) : undefined),
});
