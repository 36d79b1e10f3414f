/** `log_format`: the line of a request or session, compiled to one function. */
import type { Args } from '../config/contract.ts';
import { Reason } from '../config/reason.ts';
import { parseTemplate, type TemplatePart } from '../config/template.ts';
import type { Subject, Value, Variables } from './variables.ts';

export type LogLine<R> = (request: R) => string;

/** What the lines of a protocol are made of. */
export interface LogValues<R extends Subject> {
  readonly variables: Variables<R>;
  /** Values that the log works out itself, at the time of logging. */
  readonly own: Readonly<Record<string, LogLine<R>>>;
}

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

const compilePart = <R extends Subject>(
  part: TemplatePart,
  { variables, own: values }: LogValues<R>,
  escaped: (value: Value) => string,
  args: Args | undefined,
): LogLine<R> => {
  if (typeof part === 'string') return () => part;
  const name = 'variable' in part ? part.variable : `${part.capture}`;
  const own = values[name];
  if (own) return own;
  const ref = variables.use(name, args?.place);
  return (request) => escaped(ref.get(request));
};

const join = <R>(parts: readonly LogLine<R>[]): LogLine<R> => {
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
export const compileFormat = <R extends Subject>(args: Args, values: LogValues<R>): LogLine<R> => {
  const [, first = '', ...rest] = args.texts;
  let escaped = escapeDefault;
  let texts = [first, ...rest];
  if (first.startsWith('escape=')) {
    const name = first.slice('escape='.length);
    escaped = ESCAPES[name] ?? args.fail(`unknown log format escaping "${name}"`);
    texts = rest;
  }
  const parts = texts.flatMap((text) => split(text, args));
  return join(parts.map((part) => compilePart(part, values, escaped, args)));
};

/** A format of the program's own. */
export const plainFormat = <R extends Subject>(text: string, values: LogValues<R>): LogLine<R> =>
  join(parseTemplate(text).map((part) => compilePart(part, values, escapeDefault, undefined)));
