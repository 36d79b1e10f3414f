/** What one test owns: a temporary folder and everything it started, torn down in reverse order. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type Cleanup = () => void | Promise<void>;

/** Anything with an `after` hook: a test's context, or `{ after }` of node:test for a whole file. */
export interface Owner {
  after(fn: Cleanup): void;
}

/** A temporary folder and a stack of things to undo. */
export class Rig {
  /** The folder, removed at the end unless `KEEP_TEST_FILES` is set. */
  readonly dir = mkdtempSync(join(tmpdir(), 'sluice-test-'));
  readonly #cleanups: Cleanup[] = [];

  /** Runs `fn` at the end, before everything that was registered earlier. */
  defer(fn: Cleanup): void {
    this.#cleanups.push(fn);
  }

  /** Undoes everything; throws the first failure once all is undone. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (let fn = this.#cleanups.pop(); fn !== undefined; fn = this.#cleanups.pop()) {
      try {
        await fn();
      } catch (error) {
        failures.push(error);
      }
    }
    if (process.env.KEEP_TEST_FILES === undefined) {
      rmSync(this.dir, { recursive: true, force: true });
    }
    if (failures.length > 0) {
      throw failures[0];
    }
  }
}

/** A rig that is closed when its test (or file) ends. */
export function rigFor(owner: Owner): Rig {
  const rig = new Rig();
  owner.after(() => rig.close());
  return rig;
}
