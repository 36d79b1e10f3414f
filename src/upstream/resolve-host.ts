/** Names in the configuration become addresses when it is loaded, through the system's resolver. */
import { execFileSync } from 'node:child_process';

/** Seconds that one lookup may take. */
const PATIENCE = 30;

/** A program for this same runtime that prints what the system's resolver knows of its argument. */
const LOOKUP = `require('node:dns').lookup(process.argv[1], { all: true, hints: 32 }, (error, found) => {
  if (!error) for (const { address } of found) console.log(address + ' STREAM');
});`;

const run = (program: string, args: readonly string[]): string | undefined => {
  try {
    const options = { timeout: PATIENCE * 1000, stdio: ['ignore', 'pipe', 'ignore'] as const };
    return execFileSync(program, args, { ...options, stdio: [...options.stdio], encoding: 'latin1' });
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return missing ? undefined : '';
  }
};

/** Looks names up once. */
export class HostResolver {
  readonly #known = new Map<string, readonly string[]>();

  /** The addresses of `host` in the system's order, v6 without brackets; none when it is not found. Blocks. */
  addresses(host: string): readonly string[] {
    const known = this.#known.get(host);
    if (known) return known;
    const found = this.#lookup(host);
    this.#known.set(host, found);
    return found;
  }

  #lookup(host: string): readonly string[] {
    // A name that begins with a dash would be an option; no host is called so.
    if (!/^[\w.][\w.-]*$/.test(host)) return [];
    const text = run('getent', ['ahosts', host]) ?? run(process.execPath, ['-e', LOOKUP, host]) ?? '';
    const addresses = text.split('\n').flatMap((line) => {
      const [address = '', kind] = line.split(/\s+/);
      return kind === 'STREAM' ? [address] : [];
    });
    return [...new Set(addresses)];
  }
}
