/** The language of `log_format`: its parts, its three ways of escaping, and a compiled line. */

/** `escape=default`, `escape=json`, `escape=none`. */
export type Escape = 'default' | 'json' | 'none';

/** Text as it stands, or a variable by its name. */
export type FormatPart = string | { readonly variable: string };

export interface LogFormat {
  readonly escape: Escape;
  readonly parts: readonly FormatPart[];
}

/** nginx's format where `access_log` names none. */
export const COMBINED: LogFormat['parts'] = [
  { variable: 'remote_addr' },
  ' - ',
  { variable: 'remote_user' },
  ' [',
  { variable: 'time_local' },
  '] "',
  { variable: 'request' },
  '" ',
  { variable: 'status' },
  ' ',
  { variable: 'body_bytes_sent' },
  ' "',
  { variable: 'http_referer' },
  '" "',
  { variable: 'http_user_agent' },
  '"',
];

const isEscape = (name: string): name is Escape => name === 'default' || name === 'json' || name === 'none';

const NAME = /\$(?:\{([A-Za-z0-9_]*)(\}?)|([A-Za-z0-9_]*))/y;

const partsOf = (word: string, fail: (reason: string) => never): FormatPart[] => {
  const parts: FormatPart[] = [];
  for (let at = 0; at < word.length; ) {
    const dollar = word.indexOf('$', at);
    if (dollar !== at) {
      parts.push(word.slice(at, dollar < 0 ? undefined : dollar));
      if (dollar < 0) break;
    }
    NAME.lastIndex = dollar;
    const found = NAME.exec(word);
    const name = found?.[1] ?? found?.[3] ?? '';
    const rest = word.slice(dollar + (word[dollar + 1] === '{' ? 2 : 1));
    if (rest === '') fail(`invalid parameter "${word.slice(dollar)}"`);
    if (found?.[1] !== undefined && found[2] === '') {
      fail(`the closing bracket in "${name}" variable is missing`);
    }
    if (name === '') fail(`invalid parameter "${word.slice(dollar)}"`);
    parts.push({ variable: name });
    at = NAME.lastIndex;
  }
  return parts;
};

/** Reads the words of `log_format` behind its name. `fail` is called with nginx's words where they are wrong. */
export const parseLogFormat = (words: readonly string[], fail: (reason: string) => never): LogFormat => {
  const [first = '', ...others] = words;
  if (!first.startsWith('escape='))
    return { escape: 'default', parts: words.flatMap((w) => partsOf(w, fail)) };
  const how = first.slice('escape='.length);
  if (!isEscape(how)) return fail(`unknown log format escaping "${how}"`);
  return { escape: how, parts: others.flatMap((word) => partsOf(word, fail)) };
};

const hex = (code: number): string => (code < 16 ? '0' : '') + code.toString(16).toUpperCase();

const UNSAFE = /[\0-\x1f"\\\x7f-\xff]/;
const EVERY_UNSAFE = /[\0-\x1f"\\\x7f-\xff]/g;
/** `escape=default`: `"`, `\` and bytes outside printable ASCII as `\xHH`. */
export const escapeDefault = (text: string): string =>
  UNSAFE.test(text) ? text.replace(EVERY_UNSAFE, (c) => `\\x${hex(c.charCodeAt(0))}`) : text;

const UNSAFE_JSON = /[\0-\x1f"\\]/;
const EVERY_UNSAFE_JSON = /[\0-\x1f"\\]/g;
const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\f': '\\f',
};
/** `escape=json`: what may not stand in a JSON string; bytes above ASCII as they are. */
export const escapeJson = (text: string): string =>
  UNSAFE_JSON.test(text)
    ? text.replace(EVERY_UNSAFE_JSON, (c) => SHORT[c] ?? `\\u00${hex(c.charCodeAt(0))}`)
    : text;

/** A variable's value for a line; undefined: not found. `safe`: the value never needs escaping (a number, a time). */
export interface FormatVariable<R> {
  readonly get: (request: R) => string | undefined;
  readonly safe: boolean;
}

type Piece<R> = (request: R) => string;

const pieceOf = <R>({ get, safe }: FormatVariable<R>, how: Escape): Piece<R> => {
  const missing = how === 'default' ? '-' : '';
  if (safe || how === 'none') return (request) => get(request) ?? missing;
  const escaped = how === 'json' ? escapeJson : escapeDefault;
  return (request) => {
    const value = get(request);
    return value === undefined ? missing : escaped(value);
  };
};

/** A format as one function from a request to its line, without line feed. `variable` finds each by its name. */
export const compileLogFormat = <R>(
  format: LogFormat,
  variable: (name: string) => FormatVariable<R>,
): ((request: R) => string) => {
  const before: string[] = [];
  const pieces: Piece<R>[] = [];
  let text = '';
  for (const part of format.parts) {
    if (typeof part === 'string') {
      text += part;
    } else {
      before.push(text);
      pieces.push(pieceOf(variable(part.variable), format.escape));
      text = '';
    }
  }
  const last = text;
  return (request) => {
    let line = '';
    let at = 0;
    for (const piece of pieces) line += before[at++] + piece(request);
    return line + last;
  };
};
