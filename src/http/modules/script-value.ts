/**
 * Values of the rewrite module's statements. They differ from other templates in one thing: a capture may be
 * escaped, because it was cut out of a decoded path and goes into a URI.
 */
import type { Place } from '../../config/contract.ts';
import { parseTemplate, type TemplatePart } from '../../config/template.ts';
import type { HttpBuild } from '../build.ts';
import type { Request } from '../request.ts';
import { escapeUri } from '../uri.ts';

/** The value for a request; `quote` says whether captures are escaped where the request's path was. */
export type ScriptValue = (request: Request, quote: boolean) => string;

/** Whether the path came with escapes or a plus, so that captures of the decoded path need escaping again. */
const wasEscaped = (request: Request): boolean => {
  const { target } = request;
  const end = target.indexOf('?');
  const percent = target.indexOf('%');
  const plus = target.indexOf('+');
  return (percent >= 0 && (end < 0 || percent < end)) || (plus >= 0 && (end < 0 || plus < end));
};

const compilePart = (part: TemplatePart, build: HttpBuild, place: Place): ScriptValue => {
  if (typeof part === 'string') return () => part;
  if ('capture' in part) {
    const index = part.capture;
    return (request, quote) => {
      const text = request.captures?.[index] ?? '';
      return quote && text !== '' && wasEscaped(request) ? escapeUri(text, 'args') : text;
    };
  }
  const ref = build.variables.use(part.variable, place);
  return (request) => ref.get(request) ?? '';
};

const compileParts = (parts: readonly TemplatePart[], build: HttpBuild, place: Place): ScriptValue => {
  const [first, second, ...rest] = parts.map((part) => compilePart(part, build, place));
  if (!first) return () => '';
  if (!second) return first;
  if (rest.length === 0) return (request, quote) => first(request, quote) + second(request, quote);
  return (request, quote) => {
    let text = first(request, quote) + second(request, quote);
    for (const part of rest) text += part(request, quote);
    return text;
  };
};

/** Compiles the value of `set` or of a condition. Throws a Reason for a malformed variable. */
export const scriptValue = (source: string, build: HttpBuild, place: Place): ScriptValue =>
  compileParts(parseTemplate(source), build, place);

/** A replacement of `rewrite` whose arguments stand behind its first literal `?`. */
export interface Replacement {
  readonly path: ScriptValue;
  /** Undefined when the replacement has no `?`. */
  readonly args: ScriptValue | undefined;
}

/** Splits a replacement at its first literal `?` and compiles both sides. Throws a Reason as `scriptValue`. */
export const replacement = (source: string, build: HttpBuild, place: Place): Replacement => {
  const parts = parseTemplate(source);
  const index = parts.findIndex((part) => typeof part === 'string' && part.includes('?'));
  const split = parts[index];
  if (typeof split !== 'string') return { path: compileParts(parts, build, place), args: undefined };
  const at = split.indexOf('?');
  const before = [...parts.slice(0, index), split.slice(0, at)].filter((part) => part !== '');
  const after = [split.slice(at + 1), ...parts.slice(index + 1)].filter((part) => part !== '');
  return { path: compileParts(before, build, place), args: compileParts(after, build, place) };
};
