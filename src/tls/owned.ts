/** Objects of the library that go when nothing of ours refers to them any more: what configurations hold. */

/** A pointer of the library, freed with this object. */
export interface Owned {
  readonly at: number;
}

const registry = new FinalizationRegistry<() => void>((free) => free());

/** Ties the life of what is at `at` to the object that this answers with. */
export const owned = (at: number, free: (at: number) => void): Owned => {
  const handle: Owned = { at };
  registry.register(handle, () => free(at));
  return handle;
};

/** Frees `at` when `holder` is gone. */
export const freeWith = (holder: object, at: number, free: (at: number) => void): void => {
  registry.register(holder, () => free(at));
};
