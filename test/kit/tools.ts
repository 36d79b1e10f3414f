/** Which tools of the machine the tests can use. */
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const DIRECTORIES = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin'];

/** The path of a program, or undefined. `php-fpm` also matches `php-fpm8.2` and its like. */
export function findTool(name: string): string | undefined {
  for (const directory of DIRECTORIES) {
    const exact = join(directory, name);
    if (directory !== '' && existsSync(exact)) {
      return exact;
    }
    if (name === 'php-fpm' && existsSync(directory)) {
      const versioned = readdirSync(directory).find((file) => /^php-fpm\d+\.\d+$/.test(file));
      if (versioned !== undefined) {
        return join(directory, versioned);
      }
    }
  }
  return undefined;
}

function has(name: string): boolean {
  if (name === 'libfcgi') {
    return findTool('cc') !== undefined && existsSync('/usr/include/fcgiapp.h');
  }
  return findTool(name) !== undefined;
}

/**
 * The `skip` option of a test that needs these tools: a reason naming what is missing, or false.
 * With `CI=true` nothing is skipped, so that the test fails.
 */
export function needs(...names: string[]): string | false {
  const missing = names.filter((name) => !has(name));
  return missing.length === 0 || process.env.CI === 'true' ? false : `needs ${missing.join(', ')}`;
}
