/** `log_format`: the line of a request, compiled to one function. */
import { type Args, key } from '../../config/contract.ts';
import { Reason } from '../../config/reason.ts';
import { parseTemplate, type TemplatePart } from '../../config/template.ts';
import { isoTime, localTime } from '../../log/clock.ts';
import { wallClock } from '../../net/timers.ts';
import type { HttpBuild } from '../build.ts';
import type { Request } from '../request.ts';
import type { Value } from '../variables.ts';
import { asSeconds, requestTime, statusText } from './variables-reply.ts';

export type LogLine = (request: Request) => string;

/** The formats that the http block has defined so far, by name. */
export const FORMATS = key<Map<string, LogLine>>('log formats');

const COMBINED =
  '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"';

/** Values that the log works out itself, at the time of logging. */
const OWN: Readonly<Record<string, LogLine>> = {
  pipe: (request) => (request.pipelined ? 'p' : '.'),
  time_local: () => localTime(wallClock()),
  time_iso8601: () => isoTime(wallClock()),
  msec: () => asSeconds(wallClock()),
  request_time: requestTime,
  status: statusText,
  bytes_sent: ({ stream }) => `${stream.sent}`,
  body_bytes_sent: (request) => `${request.bodySent}`,
  request_length: (request) => `${request.requestLength}`,
};

const hex = (c: string): string => c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0');

const UNSAFE = /[\x00-\x1f"\\\x7f-\xff]/;
const ALL_UNSAFE = /[\x00-\x1f"\\\x7f-\xff]/g;

/** `escape=default`: quotes, backslashes and what is not printable ASCII as `\xXX`; `-` for what is not there. */
export const escapeDefault = (value: Value): string => {
  if (value === undefined) return '-';
  return UNSAFE.test(value) ? value.replace(ALL_UNSAFE, (c) => `\\x${hex(c)}`) : value;
};

const JSON_UNSAFE = /[\x00-\x1f"\\]/;
const ALL_JSON_UNSAFE = /[\x00-\x1f"\\]/g;
const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\f': '\\f',
};

/** `escape=json`: what may stand between the quotes of a JSON string. */
export const escapeJson = (value: Value): string => {
  if (value === undefined) return '';
  return JSON_UNSAFE.test(value)
    ? value.replace(ALL_JSON_UNSAFE, (c) => SHORT[c] ?? `\\u00${hex(c)}`)
    : value;
};

const ESCAPES: Readonly<Record<string, (value: Value) => string>> = {
  default: escapeDefault,
  json: escapeJson,
  none: (value) => value ?? '',
};

const compilePart = (
  part: TemplatePart,
  build: HttpBuild,
  escaped: (value: Value) => string,
  args: Args | undefined,
): LogLine => {
  if (typeof part === 'string') return () => part;
  const name = 'variable' in part ? part.variable : `${part.capture}`;
  const own = OWN[name];
  if (own) return own;
  const ref = build.variables.use(name, args?.place);
  return (request) => escaped(ref.get(request));
};

const join = (parts: readonly LogLine[]): LogLine => {
  const [only] = parts;
  if (parts.length === 1 && only) return only;
  return (request) => {
    let line = '';
    for (let i = 0; i < parts.length; i++) line += parts[i]?.(request) ?? '';
    return line;
  };
};

const split = (text: string, args: Args): readonly TemplatePart[] => {
  try {
    return parseTemplate(text);
  } catch (error) {
    if (error instanceof Reason && error.message === 'invalid variable name') {
      return args.fail(`invalid parameter "${text}"`);
    }
    throw error;
  }
};

/** Compiles the words of a `log_format` behind its name. Throws in nginx's words. */
export const compileFormat = (args: Args, build: HttpBuild): LogLine => {
  const [, first = '', ...rest] = args.texts;
  let escaped = escapeDefault;
  let texts = [first, ...rest];
  if (first.startsWith('escape=')) {
    const name = first.slice('escape='.length);
    escaped = ESCAPES[name] ?? args.fail(`unknown log format escaping "${name}"`);
    texts = rest;
  }
  const parts = texts.flatMap((text) => split(text, args));
  return join(parts.map((part) => compilePart(part, build, escaped, args)));
};

/** The format that is there without being defined. */
export const combinedFormat = (build: HttpBuild): LogLine =>
  join(parseTemplate(COMBINED).map((part) => compilePart(part, build, escapeDefault, undefined)));
