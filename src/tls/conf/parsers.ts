/** Parsers of the `ssl_*` directives that are more than a flag or a word. */
import { readFileSync } from 'node:fs';
import type { Args, Parser, Word } from '../../config/contract.ts';
import { parseNumber, parseSec, parseSize } from '../../config/numbers.ts';
import { absolute, wordAt } from '../../config/parsers.ts';
import { errorCode, errorText } from '../../platform/errno.ts';
import type { Template } from '../../values/template.ts';
import type { Subject } from '../../values/variables.ts';
import { type Zone, zonesOf } from '../../zone/zones.ts';
import type { BuiltinSessions } from '../context.ts';
import { parseTicketKey, type TicketKey } from '../tickets.ts';

/** The smallest shared cache: eight pages of memory. */
const SMALLEST_CACHE = 8 * 4096;

/** Names of certificates or keys, one a use, which may hold variables; text behind `data:` too. */
export const namesOf = <R extends Subject>({
  parse,
}: Parser<Template<R>>): Parser<readonly Template<R>[]> => ({
  arity: 1,
  repeats: true,
  parse: (args, own = []) => [...own, parse(args, undefined)],
});

/** What nginx has room for in a line of a file of passwords, its end included. */
const LONGEST_PASSWORD_LINE = 4096;

/** The bytes of a file, or nginx's reason why there are none. */
const textOf = (args: Args, word: Word, path: string): string => {
  const text = args.scope.load.object(path);
  if (text !== undefined) return text;
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    // A folder can be opened.
    const call = errorCode(error) === 'EISDIR' ? 'read()' : 'open()';
    return args.fail(`${call} "${path}" failed (${errorText(error)})`, word);
  }
};

/** `ssl_password_file`: a password a line. */
export const passwords: Parser<readonly string[]> = {
  arity: 1,
  parse(args) {
    const word = wordAt(args, 0);
    const path = absolute(args.scope.load.confPrefix, word.text);
    const read = textOf(args, word, path).split('\n');
    if (read.some(({ length }) => length >= LONGEST_PASSWORD_LINE))
      args.fail(`too long line in "${path}"`, word);
    const lines = read
      .map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line))
      .filter((line) => line !== '');
    return lines.length > 0 ? lines : [''];
  },
};

/** `shared:NAME:SIZE`. */
const sharedZone = (args: Args, word: Word, what: string, use: string): Zone => {
  const shared = /^shared:([^:]+):(.*)$/s.exec(word.text);
  const bytes = shared ? parseSize(shared[2] ?? '') : undefined;
  if (!shared || bytes === undefined) return args.fail(`invalid ${what} "${word.text}"`, word);
  if (bytes < SMALLEST_CACHE) args.fail(`${what} "${word.text}" is too small`, word);
  return zonesOf(args.scope).declare(shared[1] ?? '', bytes, use, (reason) => args.fail(reason, word));
};

export interface SessionCacheConf {
  readonly builtin: BuiltinSessions | undefined;
  readonly zone: Zone | undefined;
}

/** `off`, `none`, `builtin[:N]`, `shared:NAME:SIZE`; `use`: what zones are for. */
export const sessionCache = (use: string): Parser<SessionCacheConf> => ({
  arity: [1, 2],
  repeats: true,
  parse(args, own) {
    let builtin = own?.builtin;
    let zone = own?.zone;
    for (const word of args.words) {
      const { text } = word;
      const sessions = text.startsWith('builtin:') ? parseNumber(text.slice(8)) : undefined;
      if (text === 'off' || text === 'none') builtin = text;
      else if (text === 'builtin') builtin = 0;
      else if (sessions !== undefined) builtin = sessions;
      else zone = sharedZone(args, word, 'session cache', use);
    }
    return { builtin: zone && builtin === undefined ? 'shared-only' : builtin, zone };
  },
});

/** `off` or `shared:NAME:SIZE`; `use`: what zones are for. */
export const ocspCache = (use: string): Parser<Zone | undefined> => ({
  arity: 1,
  parse(args) {
    const word = wordAt(args, 0);
    return word.text === 'off' ? undefined : sharedZone(args, word, 'OCSP cache', use);
  },
});

/** `ssl_certificate_cache`; times in seconds. */
export interface CertificateCacheConf {
  readonly max: number;
  readonly inactive: number;
  readonly valid: number;
}

export const certificateCache: Parser<CertificateCacheConf | 'off'> = {
  arity: [1, 2, 3],
  parse(args) {
    let [max, inactive, valid, off] = [0, 10, 60, false];
    for (const word of args.words) {
      const [name = '', text] = word.text.split(/=(.*)/s);
      const value = text === undefined ? undefined : name === 'max' ? parseNumber(text) : parseSec(text);
      if (word.text === 'off') off = true;
      else if (name === 'max' && value) max = value;
      else if (name === 'inactive' && value !== undefined) inactive = value;
      else if (name === 'valid' && value !== undefined) valid = value;
      else args.fail(`invalid parameter "${word.text}"`, word);
    }
    if (off) return 'off';
    if (max === 0) args.fail(`"${args.name}" must have the "max" parameter`);
    return { max, inactive, valid };
  },
};

/** `ssl_session_ticket_key`: a file a use, of which the first seals tickets. */
export const ticketKeys: Parser<readonly TicketKey[]> = {
  arity: 1,
  repeats: true,
  parse(args, own = []) {
    const word = wordAt(args, 0);
    const path = absolute(args.scope.load.confPrefix, word.text);
    const key = parseTicketKey(Buffer.from(textOf(args, word, path), 'latin1'));
    return key ? [...own, key] : args.fail(`"${path}" must be 48 or 80 bytes`, word);
  },
};
