/** The location for a path: the exact one, else the longest prefix unless a regular expression matches. */
import type { Location, LocationTable } from './location.ts';
import type { Request } from './request.ts';

/** How a search ended; the location itself is then `request.location`. */
export const EXACT = 0;
/** A prefix location `/x/` of a proxy meets `/x`: the client is sent there. */
export const REDIRECT = 1;
export const PREFIX = 2;
export const NONE = 3;

/** Above this many prefixes at one level they are looked up by length instead of one by one. */
const LINEAR = 8;

/** Finds the longest of many prefixes by looking each length up. */
export class PrefixIndex {
  readonly #byLength: readonly (readonly [number, ReadonlyMap<string, Location>])[];

  constructor(prefixes: readonly Location[]) {
    const lengths = new Map<number, Map<string, Location>>();
    for (const location of prefixes) {
      const length = location.name.length;
      const names = lengths.get(length) ?? new Map<string, Location>();
      names.set(location.name, location);
      lengths.set(length, names);
    }
    this.#byLength = [...lengths].sort(([a], [b]) => b - a);
  }

  longest(uri: string): Location | undefined {
    for (const [length, names] of this.#byLength) {
      if (length > uri.length) continue;
      const location = names.get(uri.slice(0, length));
      if (location) return location;
    }
    return undefined;
  }
}

/** An index where it is worth one. */
export const indexOf = (prefixes: readonly Location[]): PrefixIndex | undefined =>
  prefixes.length > LINEAR ? new PrefixIndex(prefixes) : undefined;

const longestPrefix = (table: LocationTable, uri: string): Location | undefined => {
  if (table.index) return table.index.longest(uri);
  const prefixes = table.prefixes;
  for (let i = 0; i < prefixes.length; i++) {
    const location = prefixes[i];
    if (location && uri.startsWith(location.name)) return location;
  }
  return undefined;
};

/**
 * Sets `request.location` to the one that nginx chooses for `request.uri` in `table`, and leaves it alone
 * where none matches. Answers EXACT, REDIRECT, PREFIX or NONE.
 */
export const findLocation = (request: Request, table: LocationTable): number => {
  const uri = request.uri;
  const exact = table.exact.get(uri);
  if (exact) {
    request.location = exact;
    return EXACT;
  }
  const redirect = table.redirects.get(uri);
  if (redirect) {
    request.location = redirect;
    return REDIRECT;
  }
  const prefix = longestPrefix(table, uri);
  if (prefix) {
    request.location = prefix;
    if (prefix.inner) {
      const found = findLocation(request, prefix.inner);
      if (found === EXACT || found === REDIRECT) return found;
    }
    if (prefix.noRegex) return PREFIX;
  }
  const regexes = table.regexes;
  for (let i = 0; i < regexes.length; i++) {
    const location = regexes[i];
    if (!location?.regex?.match(request, uri)) continue;
    request.location = location;
    if (location.inner) findLocation(request, location.inner);
    return EXACT;
  }
  return prefix ? PREFIX : NONE;
};
