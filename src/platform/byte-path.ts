/**
 * Paths in a configuration are strings of bytes (latin1), as all of its text is; the file system wants the bytes.
 */

/** The bytes of a path, for `node:fs`. */
export const bytePath = (path: string): Buffer => Buffer.from(path, 'latin1');

/** A path from the command line or the environment as a string of bytes. */
export const toByteString = (path: string): string => Buffer.from(path, 'utf8').toString('latin1');

/** The same for a path that most often is ASCII, where the string says the same to the file system and costs less. */
export const nativePath = (path: string): string | Buffer =>
  /[^\0-\x7f]/.test(path) ? bytePath(path) : path;
