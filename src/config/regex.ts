/**
 * PCRE patterns, which nginx.conf is written in, as JavaScript regular expressions. Subjects are strings of bytes
 * (latin1). What cannot be said in JavaScript is an error, in the form of nginx's own.
 *
 * One difference remains: JavaScript forgets a group's capture when an iteration around it begins anew, PCRE keeps it.
 */
import { Reason } from './reason.ts';
import { Translation } from './regex-translate.ts';

export interface RegexResult {
  /** Group numbers are PCRE's. */
  readonly regexp: RegExp;
  /** The named groups with their numbers. */
  readonly names: readonly (readonly [name: string, index: number])[];
  /** How many groups capture, named ones included. */
  readonly captures: number;
}

/** Drops the groups that only serve the translation from each match. */
class WithHelpers extends RegExp {
  readonly #helpers: readonly number[];

  constructor(source: string, helpers: readonly number[]) {
    super(source);
    this.#helpers = helpers.toSorted((a, b) => b - a);
  }

  override exec(text: string): RegExpExecArray | null {
    const match = super.exec(text);
    if (match) for (const helper of this.#helpers) match.splice(helper, 1);
    return match;
  }
}

/**
 * Translates and compiles a pattern. Throws a Reason: `pcre2_compile() failed: REASON in "PATTERN" at "REST"`,
 * without the rest where the fault is only seen at the end.
 */
export const compileRegex = (pattern: string, options: { readonly caseless?: boolean } = {}): RegexResult => {
  const fail = (reason: string, at: number): never => {
    const rest = at < pattern.length ? ` at "${pattern.slice(at)}"` : '';
    throw new Reason(`pcre2_compile() failed: ${reason} in "${pattern}"${rest}`);
  };
  const { source, flags, helpers, names, captures } = new Translation(
    pattern,
    options.caseless === true,
    fail,
  ).result;
  try {
    const regexp = helpers.length > 0 ? new WithHelpers(source, helpers) : new RegExp(source, flags);
    return { regexp, names, captures };
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error), 0);
  }
};
