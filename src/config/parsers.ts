/** The usual parsers: a statement's words to a value, with nginx's words for what is wrong. */
import type { Args, Arity, Parser, Word } from './contract.ts';
import { parseMsec, parseNumber, parseOffset, parseSec, parseSize } from './numbers.ts';

/** A bound that a number must keep; `max` may be left out. */
export interface Bounds {
  readonly min: number;
  readonly max?: number;
}

/** The word at `index`, which the arity guarantees. */
export const wordAt = (args: Args, index: number): Word => {
  const word = args.words[index];
  if (!word) throw new Error(`"${args.name}" has no word ${index + 1}`);
  return word;
};

/** A parser of one word. `parse` gives undefined for what is refused, and then `reason` completes the error. */
const single = <T>(
  parse: (text: string) => T | undefined,
  reason: string,
  check?: (args: Args, value: T) => void,
) => ({
  arity: 1,
  parse(args: Args): T {
    const word = wordAt(args, 0);
    const value = parse(word.text);
    if (value === undefined) return args.failDirective(reason, word);
    check?.(args, value);
    return value;
  },
});

const within =
  (bounds: Bounds | undefined) =>
  (args: Args, value: number): void => {
    if (!bounds || (value >= bounds.min && value <= (bounds.max ?? Number.POSITIVE_INFINITY))) return;
    const range =
      bounds.max === undefined
        ? `equal to or greater than ${bounds.min}`
        : `between ${bounds.min} and ${bounds.max}`;
    args.fail(`value must be ${range}`, args.words[0]);
  };

/** `on` or `off`, in any case. */
export const flag: Parser<boolean> = {
  arity: 'flag',
  parse(args) {
    const word = wordAt(args, 0);
    const value = word.text.toLowerCase();
    if (value !== 'on' && value !== 'off') {
      args.fail(`invalid value "${word.text}" in "${args.name}" directive, it must be "on" or "off"`, word);
    }
    return value === 'on';
  },
};

/** A whole number, not negative. */
export const num = (bounds?: Bounds): Parser<number> => single(parseNumber, 'invalid number', within(bounds));

/** Bytes: `4096`, `8k`, `1m`. */
export const size: Parser<number> = single(parseSize, 'invalid value');

/** nginx's memory pools hold at least a few pointers, and are aligned. */
export const checkPool = (args: Args, bytes: number): void => {
  if (bytes < 112) args.fail('the pool size must be no less than 112', args.words[0]);
  if (bytes % 16 !== 0) args.fail('the pool size must be a multiple of 16', args.words[0]);
};

/** Bytes of a memory pool: without effect here, but nginx compares others with it. */
export const poolSize: Parser<number> = single(parseSize, 'invalid value', checkPool);

/** Bytes that may be many: as `size`, and `g`. */
export const offset: Parser<number> = single(parseOffset, 'invalid value');

/** Milliseconds: `500ms`, `30`, `1m30s`, up to weeks. */
export const msec: Parser<number> = single(parseMsec, 'invalid value');

/** Seconds: `30`, `1h 30m`, up to years. */
export const sec: Parser<number> = single(parseSec, 'invalid value');

/** One word as it stands. */
export const str: Parser<string> = single((text: string) => text, 'invalid value');

/** One word a use, and as many uses as one likes. */
export const strings: Parser<readonly string[]> = {
  arity: 1,
  repeats: true,
  parse: (args, own = []) => [...own, wordAt(args, 0).text],
};

/** All words of one use. */
export const words: Parser<readonly string[]> = {
  arity: { min: 1, max: Number.POSITIVE_INFINITY },
  parse: (args) => args.texts,
};

/** A pair a use: `proxy_set_header NAME VALUE`. */
export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

/** Two words a use, and as many uses as one likes. */
export const keyValue: Parser<readonly KeyValue[]> = {
  arity: 2,
  repeats: true,
  parse: (args, own = []) => [...own, { key: wordAt(args, 0).text, value: wordAt(args, 1).text }],
};

const pick = <T extends string>(args: Args, word: Word, names: readonly T[]): T => {
  const text = word.text.toLowerCase();
  return names.find((name) => name.toLowerCase() === text) ?? args.fail(`invalid value "${word.text}"`, word);
};

/** One of `names`, in any case. */
export const enumOf = <const T extends string>(...names: readonly T[]): Parser<T> => ({
  arity: 1,
  parse: (args) => pick(args, wordAt(args, 0), names),
});

/** Some of `names`, in any case, each counted once; uses at one level add up, as nginx's bit masks do. */
export const wordsOf = <const T extends string>(...names: readonly T[]): Parser<readonly T[]> => ({
  arity: { min: 1, max: Number.POSITIVE_INFINITY },
  repeats: true,
  parse(args, own = []) {
    const value = [...own];
    for (const word of args.words) {
      const name = pick(args, word, names);
      if (value.includes(name)) args.warn(`duplicate value "${word.text}"`);
      else value.push(name);
    }
    return value;
  },
});

/** How many buffers, and how large each is, in bytes. */
export interface Bufs {
  readonly number: number;
  readonly size: number;
}

/** `8 4k`: neither may be 0. */
export const bufs: Parser<Bufs> = {
  arity: 2,
  parse(args) {
    const number = parseNumber(wordAt(args, 0).text);
    if (!number) return args.failDirective('invalid value', wordAt(args, 0));
    const bytes = parseSize(wordAt(args, 1).text);
    if (!bytes) return args.failDirective('invalid value', wordAt(args, 1));
    return { number, size: bytes };
  },
};

/** A folder for files, with the lengths of up to three levels of folders inside it. */
export interface PathWithLevels {
  /** Absolute, without a slash at its end. */
  readonly path: string;
  readonly levels: readonly number[];
}

/** A path of the configuration made absolute. */
export const absolute = (base: string, path: string): string => (path.startsWith('/') ? path : base + path);

/** `client_body_temp_path PATH [LEVEL [LEVEL [LEVEL]]]`, relative to the prefix. */
export const path: Parser<PathWithLevels> = {
  arity: { min: 1, max: 4 },
  parse(args) {
    const levels: number[] = [];
    let length = 0;
    for (const word of args.words.slice(1)) {
      const level = parseNumber(word.text);
      if (!level) return args.failDirective('invalid value', word);
      levels.push(level);
      length += level + 1;
    }
    if (length > 10 + levels.length) return args.failDirective('invalid value', args.words[1]);
    const name = wordAt(args, 0).text.replace(/\/$/, '');
    return { path: absolute(args.scope.load.prefix, name), levels };
  },
};

const SHIFTS: Readonly<Record<string, number>> = { user: 6, group: 3, all: 0 };
const RIGHTS: Readonly<Record<string, number>> = { rw: 6, r: 4 };

/** `proxy_store_access user:rw group:rw all:r`: the mode of a file. */
export const access: Parser<number> = {
  arity: { min: 1, max: 3 },
  parse(args) {
    let mode = 0;
    let user = 0o600;
    for (const word of args.words) {
      const [, who = '', what = ''] = /^(user|group|all):(rw|r)$/.exec(word.text) ?? [];
      const shift = SHIFTS[who];
      if (shift === undefined) return args.fail(`invalid value "${word.text}"`, word);
      if (who === 'user') user = 0;
      mode |= (RIGHTS[what] ?? 0) << shift;
    }
    return mode | user;
  },
};

/** A parser with another arity, for directives whose further words are read elsewhere. */
export const withArity = <T>(arity: Arity, parser: Parser<T>): Parser<T> => ({ ...parser, arity });

/** A value of `parser`, or undefined where the only word is `off`. */
export const offOr = <T>(parser: Parser<T>): Parser<T | undefined> => ({
  arity: parser.arity,
  parse: (args) =>
    args.texts.length === 1 && args.texts[0] === 'off' ? undefined : parser.parse(args, undefined),
});
