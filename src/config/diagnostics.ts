/** Errors of a configuration as they are printed: in nginx's form, and on a terminal with what helps to mend them. */
import { ConfError, type Context, type Place, placed } from './contract.ts';
import { knownContexts, knownNames } from './known.ts';
import type { Warning } from './loader.ts';
import type { SourceFile } from './source.ts';

/** `nginx: [emerg] unknown directive "foo" in /etc/nginx/nginx.conf:3`, the line that installers look for. */
export const errorLine = (error: ConfError | Warning): string =>
  error instanceof ConfError
    ? `nginx: [emerg] ${error.message}`
    : `nginx: [warn] ${placed(error.reason, error.place)}`;

/** The text of the line that a place is on, without its end; undefined outside the files. */
export const sourceLine = (files: readonly SourceFile[], place: Place): string | undefined => {
  const file = files.find(({ path }) => path === place.file);
  return file?.text.split('\n')[place.line - 1]?.replace(/\r$/, '');
};

/** Edits (insert, delete, replace, swap) from one name to another; at most `most`, or `most + 1`. */
const distance = (a: string, b: string, most: number): number => {
  if (Math.abs(a.length - b.length) > most) return most + 1;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (before[j - 2] ?? 0) + 1);
      }
      next.push(best);
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? most + 1;
};

/** The name nearest to a mistyped one; undefined where none is near. */
export const nearest = (name: string, names: Iterable<string>): string | undefined => {
  let best: string | undefined;
  let most = Math.min(3, Math.floor(name.length / 3));
  for (const candidate of names) {
    const edits = distance(name, candidate, most);
    if (edits > most || (best !== undefined && edits === most)) continue;
    best = candidate;
    most = edits;
  }
  return best;
};

const CONTEXTS: readonly Context[] = ['main', 'events', 'http', 'server', 'location', 'upstream'];

/** What to try instead: the nearest name for an unknown directive, the places for one that stands elsewhere. */
const suggestion = (reason: string): string | undefined => {
  const [, unknown] = /^unknown directive "([^"]+)"$/.exec(reason) ?? [];
  if (unknown) {
    const name = nearest(unknown, new Set(CONTEXTS.flatMap(knownNames)));
    return name && `did you mean "${name}"?`;
  }
  const [, misplaced] = /^"([^"]+)" directive is not allowed here$/.exec(reason) ?? [];
  const places = misplaced ? knownContexts(misplaced) : [];
  return places.length > 0 ? `it may stand in: ${places.join(', ')}` : undefined;
};

/** Terminals are this wide at least; a longer line is cut around its caret. */
const WIDTH = 100;

/** The line at fault, and a caret under the word. */
const excerpt = (text: string, column: number): string[] => {
  const from = column > WIDTH - 20 ? column - WIDTH / 2 : 0;
  const cut = text.slice(from, from + WIDTH).replaceAll('\t', ' ');
  return [`    ${cut}`, `    ${' '.repeat(Math.max(0, column - 1 - from))}^`];
};

/**
 * What helps to mend an error: the source line with a caret below the word at fault, and the nearest known name.
 * Indented lines without ends; none where there is nothing to show.
 */
export const hints = (error: ConfError | Warning, files: readonly SourceFile[]): string[] => {
  const at = error instanceof ConfError ? error.at : error.place;
  const text = at && sourceLine(files, at);
  const lines = at && text !== undefined ? excerpt(text, at.column) : [];
  const name = suggestion(error.reason);
  return name ? [...lines, `    ${name}`] : lines;
};

/**
 * What to print for a list of errors: one line each, as nginx's; with `files` (on a terminal) also their hints.
 * A string of bytes (latin1), ending in a newline unless empty.
 */
export const renderErrors = (
  errors: readonly (ConfError | Warning)[],
  files?: readonly SourceFile[],
): string =>
  errors
    .flatMap((error) => [errorLine(error), ...(files ? hints(error, files) : [])])
    .map((line) => `${line}\n`)
    .join('');
