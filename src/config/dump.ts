/** The configuration as `-T` prints it. */
import type { SourceFile } from './source.ts';

/**
 * Each file once, in the order of opening, behind a comment with its path; a newline follows each. A string of
 * bytes (latin1). What it gives is itself a configuration.
 */
export const dump = (files: readonly SourceFile[]): string =>
  files.map(({ path, text }) => `# configuration file ${path}:\n${text}\n`).join('');
