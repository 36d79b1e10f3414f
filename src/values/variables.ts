/**
 * Variables: what a module declares, what the configuration defines (`set`, `map`), and how a reference in a
 * template is bound to them once the whole block of a protocol has been read, as nginx does: a variable may be used
 * above the line that defines it.
 */
import { ConfError, ConfErrors, type Place } from '../config/contract.ts';

/** Whose values these are: a request, a session of stream. */
export interface Subject {
  /** Its own values of variables, by slot; null: known to be not found. */
  readonly values: (string | null | undefined)[];
  /** What the last regular expression that matched has captured. */
  captures: RegExpExecArray | undefined;
}

/** undefined: not found (logged as `-`, empty in a template). */
export type Value = string | undefined;

export interface VariableDefinition<R extends Subject> {
  /** The value; `name` is the full name as referred to (for prefixes such as `arg_`). Values are latin1 strings of bytes. */
  get(request: R, name: string): Value;
  /** For prefixes: `get` for one full name, prepared when the reference is bound. */
  bind?(name: string): (request: R) => Value;
  /** `set $x` on this variable acts (args, limit_rate). */
  set?(request: R, value: string): void;
  /** May be defined anew by `set`, `map` and the like. */
  readonly changeable?: boolean;
  /** Worked out once a request and kept, as nginx keeps cacheable variables. Only for what is costly or must not change. */
  readonly cached?: boolean;
}

/** A variable that the configuration refers to. `get` is bound when the block is complete. */
export class VariableRef<R extends Subject> {
  /** Its slot in `request.values`, where `set` and caching keep the request's own value. */
  get: (request: R) => Value = unbound;
  definition: VariableDefinition<R> | undefined = undefined;
  constructor(
    readonly name: string,
    readonly slot: number,
    readonly place: Place | undefined,
  ) {}
}
const unbound = (): Value => undefined;
const NOT_FOUND: VariableDefinition<Subject> = { get: unbound };

/** Told of a variable that refers to itself. */
type Complain<R> = (request: R, message: string) => void;

export class Variables<R extends Subject> {
  readonly #defined = new Map<string, VariableDefinition<R>>();
  readonly #prefixes = new Map<string, VariableDefinition<R>>();
  readonly #refs = new Map<string, VariableRef<R>>();
  /** Names of families that statements set. */
  readonly #overlaid = new Set<string>();

  constructor(readonly complain: Complain<R>) {}

  /** How many slots a request needs. */
  get slots(): number {
    return this.#refs.size;
  }

  /** Declares a module's variables. */
  declare(definitions: Readonly<Record<string, VariableDefinition<R>>>): void {
    for (const [name, definition] of Object.entries(definitions)) {
      if (name.endsWith('_')) this.#prefixes.set(name, definition);
      else this.#defined.set(name, definition);
    }
  }

  /** The definition by that name, prefixes included. */
  lookup(name: string): VariableDefinition<R> | undefined {
    const lower = name.toLowerCase();
    const exact = this.#defined.get(lower);
    if (exact) return exact;
    let best: VariableDefinition<R> | undefined;
    let length = 0;
    for (const [prefix, definition] of this.#prefixes) {
      if (prefix.length > length && lower.startsWith(prefix)) {
        best = definition;
        length = prefix.length;
      }
    }
    return best;
  }

  /**
   * A variable by a name that only a request tells (in a page of SSI). Undefined when there is none of that name,
   * which is as good as one that is not found. Only after `bind`.
   */
  find(name: string): ((request: R) => Value) | undefined {
    const lower = name.toLowerCase();
    const ref = this.#refs.get(lower);
    if (ref) return ref.get;
    const definition = this.lookup(lower);
    return definition && (definition.bind?.(lower) ?? ((request) => definition.get(request, lower)));
  }

  /** Refers to a variable that may be defined further down. Names are case-insensitive. */
  use(name: string, place?: Place): VariableRef<R> {
    const lower = name.toLowerCase();
    let ref = this.#refs.get(lower);
    if (!ref) {
      ref = new VariableRef<R>(lower, this.#refs.size, place);
      this.#refs.set(lower, ref);
    }
    return ref;
  }

  /**
   * The definition that a name has already. Throws nginx's `the duplicate "x" variable` when it is a module's that may
   * not be changed: a block that defines a variable asks where it begins.
   */
  definable(name: string, place?: Place): VariableDefinition<R> | undefined {
    const present = this.#defined.get(name.toLowerCase());
    if (present && !present.changeable) throw new ConfError(`the duplicate "${name}" variable`, place);
    return present;
  }

  /**
   * Defines a variable from the configuration (`set`, `map`, a named capture).
   * Throws nginx's `the duplicate "x" variable` when a module's variable may not be changed.
   */
  define(name: string, definition: VariableDefinition<R>, place?: Place): VariableRef<R> {
    const lower = name.toLowerCase();
    const present = this.definable(name, place);
    const own =
      present?.set && !definition.set ? { ...definition, set: present.set.bind(present) } : definition;
    this.#defined.set(lower, { changeable: true, ...own });
    return this.use(lower, place);
  }

  /**
   * Defines a variable whose value only statements give (`set`, captures). Until then it is not found, or
   * what `initially` says. A definition that is there already stays.
   */
  settable(name: string, place?: Place, initially: VariableDefinition<R> = NOT_FOUND): VariableRef<R> {
    const lower = name.toLowerCase();
    const present = this.#defined.get(lower);
    if (present?.set) return this.use(lower, place);
    this.definable(name, place);
    const ref = this.use(lower, place);
    if (present) return ref;
    // What `set` gives a name of a family wins where it has run; elsewhere the family's value holds.
    if (initially !== NOT_FOUND && this.lookup(lower)) this.#overlaid.add(lower);
    else this.#defined.set(lower, { changeable: true, ...initially });
    return ref;
  }

  /** Binds every reference. Throws `unknown "x" variable` for those that nothing defines. */
  bind(): void {
    const unknown: ConfError[] = [];
    for (const ref of this.#refs.values()) {
      const definition = this.lookup(ref.name);
      if (!definition) {
        unknown.push(new ConfError(`unknown "${ref.name}" variable`, undefined, ref.place));
        continue;
      }
      const get = definition.bind?.(ref.name) ?? definition.get;
      ref.definition = definition;
      const changeable = definition.changeable === true || this.#overlaid.has(ref.name);
      ref.get = getter(ref, { get, changeable, cached: definition.cached === true }, this.complain);
    }
    const [first, ...others] = unknown;
    if (first) throw new ConfErrors(first, others);
  }
}

/** How many variables may be worked out one for the other, and how many are: a map may refer to itself. */
const DEEPEST = 100;
let depth = 0;

/** A value that a statement set for this request wins over the definition's own. */
const getter = <R extends Subject>(
  ref: VariableRef<R>,
  definition: VariableDefinition<R>,
  complain: Complain<R>,
): ((request: R) => Value) => {
  const { slot, name } = ref;
  if (definition.changeable || definition.cached) {
    const keep = definition.cached === true;
    return (request) => {
      const values = request.values;
      const known = values[slot];
      if (known !== undefined) return known === null ? undefined : known;
      if (depth === DEEPEST) {
        complain(request, `cycle while evaluating variable "${name}"`);
        return undefined;
      }
      depth++;
      const value = definition.get(request, name);
      depth--;
      if (keep) values[slot] = value ?? null;
      return value;
    };
  }
  return (request) => definition.get(request, name);
};
