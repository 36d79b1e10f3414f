/** Opening a `location` block: its modifier, its name, and where it may not stand. */
import type { Args, Scope } from '../config/contract.ts';
import { wordAt } from '../config/parsers.ts';
import { HTTP, type HttpBuild, type Regex } from './build.ts';
import { Location, type LocationKind } from './location.ts';

interface Spec {
  readonly kind: LocationKind;
  readonly name: string;
  readonly noRegex: boolean;
  readonly regex: Regex | undefined;
}

const regexSpec = (args: Args, build: HttpBuild, source: string, caseless: boolean): Spec => ({
  kind: 'regex',
  name: source,
  noRegex: false,
  regex: build.regex(source, caseless, args.place),
});

const withModifier = (args: Args, build: HttpBuild, modifier: string, name: string): Spec => {
  switch (modifier) {
    case '=':
      return { kind: 'exact', name, noRegex: false, regex: undefined };
    case '^~':
      return { kind: 'prefix', name, noRegex: true, regex: undefined };
    case '~':
      return regexSpec(args, build, name, false);
    case '~*':
      return regexSpec(args, build, name, true);
    default:
      return args.fail(`invalid location modifier "${modifier}"`, wordAt(args, 0));
  }
};

const specOf = (args: Args, build: HttpBuild): Spec => {
  const first = wordAt(args, 0).text;
  if (args.words.length === 2) return withModifier(args, build, first, wordAt(args, 1).text);
  const glued = /^(=|\^~|~\*|~)(.*)$/s.exec(first);
  if (glued) return withModifier(args, build, glued[1] ?? '', glued[2] ?? '');
  if (first.startsWith('@')) return { kind: 'named', name: first, noRegex: false, regex: undefined };
  return { kind: 'prefix', name: first, noRegex: false, regex: undefined };
};

const checkNesting = (args: Args, spec: Spec, outer: Location): void => {
  if (outer.kind === 'exact')
    args.fail(`location "${spec.name}" cannot be inside the exact location "${outer.name}"`);
  if (outer.kind === 'named')
    args.fail(`location "${spec.name}" cannot be inside the named location "${outer.name}"`);
  if (spec.kind === 'named') args.fail(`named location "${spec.name}" can be on the server level only`);
  if (spec.kind !== 'regex' && !spec.name.startsWith(outer.name)) {
    args.fail(`location "${spec.name}" is outside location "${outer.name}"`);
  }
};

/** The `begin` of a location block. Throws in nginx's words. */
export const openLocation = (args: Args, inner: Scope): void => {
  const build = inner.need(HTTP);
  const spec = specOf(args, build);
  const outer = args.scope.context === 'location' ? build.locations.get(args.scope) : undefined;
  if (outer) checkNesting(args, spec, outer);
  const location = new Location(spec.kind, spec.name, spec.noRegex, spec.regex, false);
  build.locations.set(inner, location);
  build.addLocation(args.scope, location, args.place);
};
