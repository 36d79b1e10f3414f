/** Zones of shared memory as a configuration declares them (`limit_req_zone`, `zone`, `keys_zone=` ...). */
import { type Key, key, type Scope } from '../config/contract.ts';

/** A zone for another process: plain data. */
export interface ZoneDescription {
  readonly name: string;
  /** Opened and mapped by the worker, before it gives up its privileges. */
  readonly path: string;
  readonly bytes: number;
  /** The memory of that name that this one takes the place of, until the change is accepted. */
  readonly previous?: { readonly path: string; readonly bytes: number };
}

export interface ZoneOptions {
  /** What must not change while the memory is kept across a reload, such as the key of limit_req_zone. */
  readonly identity?: string;
  /** The error in nginx's words when it did change. */
  readonly changed?: (before: string) => string;
  /** Each configuration gets new memory (`zone` of an upstream). */
  readonly fresh?: boolean;
}

/** One zone. Its memory is there once the process has been given it: when services are prepared. */
export class Zone {
  #memory: ArrayBuffer | undefined = undefined;
  /**
   * Maps the memory that this one takes the place of: to be read while a service is prepared, when nobody else of
   * this configuration has. Throws.
   */
  previous: (() => ArrayBuffer) | undefined = undefined;
  /** Other workers have the same memory. */
  shared = false;

  constructor(
    readonly name: string,
    /** Whose it is: the directive that declares it. Zones of another use are never the same zone. */
    readonly use: string,
    public bytes: number,
    public options: ZoneOptions,
  ) {}

  /** The zone's memory, zero at first; the same in all workers. Throws before it was given. */
  get memory(): ArrayBuffer {
    if (!this.#memory) throw new Error(`zone "${this.name}" has no memory yet`);
    return this.#memory;
  }

  give(memory: ArrayBuffer): void {
    this.#memory = memory;
  }
}

/** Ends the reading of a directive with nginx's words. */
type Fail = (reason: string) => never;

/** The zones of one configuration. */
export class ZoneSet {
  readonly #zones = new Map<string, Zone>();

  /**
   * Declares a zone, or refers to one that is declared elsewhere in the file (`bytes` 0).
   * `fail` is called when the name is in use for something else, or has another size.
   */
  declare(name: string, bytes: number, use: string, fail: Fail, options: ZoneOptions = {}): Zone {
    const present = this.#zones.get(name);
    if (!present) {
      const zone = new Zone(name, use, bytes, options);
      this.#zones.set(name, zone);
      return zone;
    }
    if (present.use !== use) fail(`the shared memory zone "${name}" is already declared for a different use`);
    if (present.bytes === 0 && bytes !== 0) {
      present.bytes = bytes;
      present.options = options;
    }
    if (bytes !== 0 && bytes !== present.bytes) {
      fail(
        `the size ${bytes} of shared memory zone "${name}" conflicts with already declared size ${present.bytes}`,
      );
    }
    return present;
  }

  /** The zones in the order of the file. `fail` is called for one that is only referred to, never declared. */
  complete(fail: Fail): readonly Zone[] {
    for (const { name, bytes } of this.#zones.values()) {
      if (bytes === 0) fail(`zero size shared memory zone "${name}"`);
    }
    return [...this.#zones.values()];
  }
}

const zonesKey: Key<ZoneSet> = key('zones');

/** The zones of the configuration that `scope` belongs to. */
export const zonesOf = (scope: Scope): ZoneSet => {
  const known = scope.find(zonesKey);
  if (known) return known;
  let top = scope;
  while (top.parent) top = top.parent;
  const zones = new ZoneSet();
  top.carry(zonesKey, zones);
  return zones;
};
