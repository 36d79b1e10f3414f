/** A regular expression of the configuration with its named captures bound to variables. */
import type { Place } from '../config/contract.ts';
import { compileRegex } from '../config/regex.ts';
import type { Subject, VariableRef, Variables } from './variables.ts';

export interface Regex<R extends Subject> {
  readonly source: string;
  readonly regexp: RegExp;
  /** Matches and, when it does, keeps the captures on the request. */
  readonly match: (request: R, text: string) => boolean;
}

/** Compiles a pattern; its named captures become variables. Throws in nginx's words. */
export const bindRegex = <R extends Subject>(
  source: string,
  caseless: boolean,
  variables: Variables<R>,
  place?: Place,
): Regex<R> => {
  const { regexp, names: captured } = compileRegex(source, { caseless });
  const names: [VariableRef<R>, number][] = captured.map(([name, index]) => [
    variables.settable(name, place),
    index,
  ]);
  if (names.length === 0) {
    const match = (request: R, text: string): boolean => {
      const found = regexp.exec(text);
      if (!found) return false;
      request.captures = found;
      return true;
    };
    return { source, regexp, match };
  }
  const match = (request: R, text: string): boolean => {
    const found = regexp.exec(text);
    if (!found) return false;
    request.captures = found;
    for (const [ref, index] of names) request.values[ref.slot] = found[index] ?? '';
    return true;
  };
  return { source, regexp, match };
};
