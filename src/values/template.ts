/** Values with variables (`$scheme://$host$request_uri`), compiled to closures when the configuration is loaded. */

import { ConfError, type Place } from '../config/contract.ts';
import { parseTemplate } from '../config/template.ts';
import type { Subject, VariableRef, Variables } from './variables.ts';

/** nginx's complex value. */
export interface Template<R extends Subject> {
  /** The text as written. */
  readonly source: string;
  /** The value when it holds no variable, known at load. */
  readonly constant: string | undefined;
  /** The variables it refers to. */
  readonly refs: readonly VariableRef<R>[];
  /** The value for a request; a variable not found is empty. */
  readonly text: (request: R) => string;
}

type Part<R> = (request: R) => string;

/** A value without variables. */
export const plainText = (text: string): Template<Subject> => ({
  source: text,
  constant: text,
  refs: [],
  text: () => text,
});

/** Compiles `source`. Throws ConfError in nginx's words for a malformed variable. */
export const compileTemplate = <R extends Subject>(
  source: string,
  variables: Variables<R>,
  place?: Place,
): Template<R> => {
  if (!source.includes('$')) return plainText(source);
  const refs: VariableRef<R>[] = [];
  let parts: Part<R>[];
  try {
    parts = parseTemplate(source).map((part): Part<R> => {
      if (typeof part === 'string') return () => part;
      if ('capture' in part) {
        const index = part.capture;
        return (request) => request.captures?.[index] ?? '';
      }
      const ref = variables.use(part.variable, place);
      refs.push(ref);
      return (request) => ref.get(request) ?? '';
    });
  } catch (error) {
    if (error instanceof ConfError || !(error instanceof Error)) throw error;
    throw new ConfError(error.message, place);
  }
  return { source, constant: undefined, refs, text: join(parts) };
};

const empty: Part<unknown> = () => '';

/** The shapes that configurations use most run without a loop. */
const join = <R>(parts: readonly Part<R>[]): Part<R> => {
  const [a = empty, b = empty, c = empty, d = empty] = parts;
  if (parts.length <= 1) return a;
  if (parts.length === 2) return (request) => a(request) + b(request);
  if (parts.length === 3) return (request) => a(request) + b(request) + c(request);
  if (parts.length === 4) return (request) => a(request) + b(request) + c(request) + d(request);
  return (request) => {
    let text = '';
    for (const part of parts) text += part(request);
    return text;
  };
};
