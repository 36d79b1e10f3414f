/** Names with a wildcard at one end (`*.example.org`, `.example.org`, `www.example.*`), found by the longest fit. */

export type Problem = 'invalid' | 'conflict' | undefined;

const VALID = /^(?:\*\.[^*]+|\.[^*]+|[^*]+\.\*)$/;

/** Whether a name is for this table rather than for one of exact names. */
export const isWildcard = (name: string): boolean =>
  name.includes('*') || (name.startsWith('.') && name.length > 1);

export class HostTable<T> {
  /** `*.example.org` under `example.org`. */
  readonly #heads = new Map<string, T>();
  /** `www.example.*` under `www.example`. */
  readonly #tails = new Map<string, T>();
  /** `.example.org` fits the bare name too. */
  readonly #bare = new Map<string, T>();

  get empty(): boolean {
    return this.#heads.size === 0 && this.#tails.size === 0;
  }

  /** Adds a lower-case name; answers what is wrong with it. */
  add(name: string, value: T): Problem {
    if (!VALID.test(name) || name.includes('..')) return 'invalid';
    if (name.endsWith('.*')) return this.#put(this.#tails, name.slice(0, -2), value);
    const bare = name.startsWith('.') ? name.slice(1) : name.slice(2);
    const problem = this.#put(this.#heads, bare, value);
    return problem === undefined && name.startsWith('.') ? this.#put(this.#bare, bare, value) : problem;
  }

  /** Whether `.NAME` has been added, which fits `NAME` itself. */
  holds(name: string): boolean {
    return this.#bare.has(name);
  }

  /** The value for a lower-case name: the bare one, the longest `*.` and then the longest `.*`. */
  find(name: string): T | undefined {
    const exact = this.#bare.get(name);
    if (exact !== undefined) return exact;
    if (this.#heads.size > 0) {
      for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
        const value = this.#heads.get(name.slice(dot + 1));
        if (value !== undefined) return value;
      }
    }
    if (this.#tails.size > 0) {
      for (let dot = name.lastIndexOf('.'); dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
        const value = this.#tails.get(name.slice(0, dot));
        if (value !== undefined) return value;
      }
    }
    return undefined;
  }

  #put(table: Map<string, T>, name: string, value: T): Problem {
    if (table.has(name)) return 'conflict';
    table.set(name, value);
    return undefined;
  }
}
