/** Which declaration a statement means: directives are known by name and context together. */
import type { AnyDirective, AnyModule, Arity, Context } from './contract.ts';

/** A declaration, with the module and the key that it is stored under. */
export interface Entry {
  readonly module: AnyModule;
  readonly key: string;
  readonly row: AnyDirective;
}

/** The declarations of the program's modules. Where two declare the same name and context, the first wins. */
export class Registry {
  readonly #byContext = new Map<Context, Map<string, Entry>>();
  readonly #names = new Set<string>();

  constructor(modules: readonly AnyModule[]) {
    for (const module of modules) {
      const rows = Object.entries(module.directives) as [string, AnyDirective][];
      for (const [key, row] of rows) {
        for (const name of row.names ?? [key]) {
          for (const context of row.in) this.#add(context, name, { module, key, row });
        }
      }
    }
  }

  find(context: Context, name: string): Entry | undefined {
    return this.#byContext.get(context)?.get(name);
  }

  /** Whether any context has the name. */
  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** The names that a context may hold, for suggestions. */
  names(context: Context): readonly string[] {
    return [...(this.#byContext.get(context)?.keys() ?? [])];
  }

  #add(context: Context, name: string, entry: Entry): void {
    this.#names.add(name);
    let names = this.#byContext.get(context);
    if (!names) this.#byContext.set(context, (names = new Map()));
    if (!names.has(name)) names.set(name, entry);
  }
}

/** Whether `count` words may follow the name. */
export const accepts = (arity: Arity, count: number): boolean => {
  if (arity === 'flag') return count === 1;
  if (arity === 'none') return count === 0;
  if (typeof arity === 'number') return count === arity;
  if ('min' in arity) return count >= arity.min && count <= arity.max;
  return arity.includes(count);
};

/** The arity that a declaration has, whatever its kind. */
export const arityOf = (row: AnyDirective): Arity => (row.kind === 'value' ? row.parser.arity : row.arity);

/** Whether a declaration may be used more than once at one level. */
export const repeats = (row: AnyDirective): boolean =>
  (row.kind === 'value' ? row.parser.repeats : row.repeats) === true;
