/** The locations written in one block, in the tables that requests are looked up in. */
import { ConfError, type Place } from '../config/contract.ts';
import { indexOf } from './find-location.ts';
import type { Location, LocationTable } from './location.ts';

/** A location with the place of its block. */
export interface Written {
  readonly location: Location;
  readonly place: Place;
}

type Names = ReadonlyMap<string, Location>;
// Most tables have one kind of location only: what is empty is shared.
const NONE: Names = new Map();

export const NO_LOCATIONS: LocationTable = {
  exact: NONE,
  prefixes: [],
  index: undefined,
  redirects: NONE,
  regexes: [],
  named: NONE,
};

const compare = (a: string, b: string): number => Number(a > b) - Number(a < b);

/** By name. Throws `duplicate location "x"`. */
const byName = (written: readonly Written[]): Names => {
  if (written.length === 0) return NONE;
  const names = new Map<string, Location>();
  const duplicates: Written[] = [];
  for (const one of written) {
    if (names.has(one.location.name)) duplicates.push(one);
    names.set(one.location.name, one.location);
  }
  // As nginx, which has sorted them before it compares.
  const [first] = duplicates.sort((a, b) => compare(a.location.name, b.location.name));
  if (first) throw new ConfError(`duplicate location "${first.location.name}"`, first.place);
  return names;
};

/** By name; of one name the first is the one, as nginx does not look for others. */
const firstByName = (written: readonly Written[]): Names => {
  if (written.length === 0) return NONE;
  const names = new Map<string, Location>();
  for (const { location } of written) if (!names.has(location.name)) names.set(location.name, location);
  return names;
};

/** `/x` for each location `/x/` that redirects there, where nothing else has that name. */
const redirectsOf = (prefixes: Names, exact: Names): Names => {
  let redirects: Map<string, Location> | undefined;
  for (const names of [prefixes, exact]) {
    for (const [name, location] of names) {
      const bare = name.slice(0, -1);
      if (!location.autoRedirect || !name.endsWith('/') || bare === '') continue;
      if (prefixes.has(bare) || exact.has(bare)) continue;
      redirects ??= new Map();
      redirects.set(bare, location);
    }
  }
  return redirects ?? NONE;
};

/** The table of what is written in a block; undefined when nothing is. */
export const tableOf = (written: readonly Written[] | undefined): LocationTable | undefined => {
  if (!written) return undefined;
  const ofKind = (kind: Location['kind']): readonly Written[] =>
    written.filter(({ location }) => location.kind === kind);
  const exact = byName(ofKind('exact'));
  const prefixes = byName(ofKind('prefix'));
  const sorted = [...prefixes.values()].sort((a, b) => b.name.length - a.name.length);
  return {
    exact,
    prefixes: sorted,
    index: indexOf(sorted),
    redirects: redirectsOf(prefixes, exact),
    regexes: ofKind('regex').map(({ location }) => location),
    named: firstByName(ofKind('named')),
  };
};
