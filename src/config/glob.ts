/** The patterns of `include`, as glob(3) reads them: sorted by bytes, `*` and `?` not matching a leading dot. */
import { lstatSync, readdirSync } from 'node:fs';

/** Whether a path is a pattern, in nginx's sense. */
export const isPattern = (path: string): boolean => /[*?[]/.test(path);

/** Paths are strings of bytes (latin1), as all text of a configuration is. */
const bytes = (path: string): Buffer => Buffer.from(path, 'latin1');

/** One part of a path, between slashes, as a regular expression. */
const compile = (part: string): RegExp => {
  let source = '';
  for (let at = 0; at < part.length; ) {
    const [token = ''] = /^(?:\\[\s\S]|\[[!^]?\]?(?:\[:\w+:\]|[^\]])*\]|[\s\S])/.exec(part.slice(at)) ?? [];
    at += token.length;
    if (token === '*') source += '[^]*';
    else if (token === '?') source += '[^]';
    else if (token.length > 1 && token.startsWith('[')) source += bracket(token);
    else source += literal(token.replace(/^\\(?=[\s\S])/, ''));
  }
  const hidden = part.startsWith('.') || part.startsWith('\\.') ? '' : '(?!\\.)';
  return new RegExp(`^${hidden}${source}$`);
};

const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

const CLASSES: Readonly<Record<string, string>> = {
  alpha: 'A-Za-z',
  digit: '0-9',
  alnum: '0-9A-Za-z',
  upper: 'A-Z',
  lower: 'a-z',
  space: '\\t-\\r ',
  blank: '\\t ',
  punct: '!-\\/:-@\\[-`{-~',
  xdigit: '0-9A-Fa-f',
};

const bracket = (token: string): string => {
  const negated = token[1] === '!' || token[1] === '^';
  const inside = token
    .slice(negated ? 2 : 1, -1)
    .replace(/\[:(\w+):\]|[\\\]^[]/g, (text, name: string | undefined) =>
      name ? (CLASSES[name] ?? '') : `\\${text}`,
    );
  return `[${negated ? '^' : ''}${inside}]`;
};

const exists = (path: string): boolean => {
  try {
    return lstatSync(bytes(path), { throwIfNoEntry: false }) !== undefined;
  } catch {
    // As glob(3): what is behind a file or a closed folder does not match.
    return false;
  }
};

const list = (folder: string): string[] => {
  try {
    return readdirSync(bytes(folder === '' ? '.' : folder), { encoding: 'latin1' });
  } catch {
    // As glob(3): a folder that cannot be read has nothing that matches.
    return [];
  }
};

/** The existing paths that match, sorted; empty where none does. */
export const glob = (pattern: string): string[] => {
  const parts = pattern.split('/');
  let found: string[] = [''];
  parts.forEach((part, index) => {
    const slash = index === parts.length - 1 ? '' : '/';
    if (!isPattern(part)) {
      const plain = part.replace(/\\([\s\S])/g, '$1') + slash;
      found = found.map((path) => path + plain);
      return;
    }
    const matches = compile(part);
    found = found.flatMap((path) =>
      list(path)
        .filter((name) => matches.test(name))
        .sort()
        .map((name) => path + name + slash),
    );
  });
  return found.filter(exists).sort();
};
