/** The second half of looking up a service: the addresses of the names that its SRV records lead to. */
import { randomInt } from 'node:crypto';
import type { DnsAnswer } from './dns-decode.ts';
import { type Lookup, type LookupOwner, NO_SUCH_NAME, type Resolved } from './lookup.ts';

/** Begins a lookup of a name's addresses. */
export type BeginLookup = (name: string, timeout: number, owner: LookupOwner) => Lookup;

/** One SRV record and what became of its name. */
class Target implements LookupOwner {
  code = 0;
  addresses: readonly Resolved[] = [];

  constructor(
    readonly service: DnsAnswer,
    readonly whole: ServiceLookup,
  ) {}

  onResolved({ code, addresses, valid }: Lookup): void {
    const { value: name, port, priority } = this.service;
    const weight = Math.max(1, this.service.weight);
    this.code = code;
    this.addresses = addresses.map(({ host }) => ({ host, port, priority, weight, name }));
    this.whole.onTarget(addresses.length > 0 ? valid : Infinity);
  }

  /** What it weighs when the first of its priority is drawn. */
  get weight(): number {
    return this.addresses.length * Math.max(1, this.service.weight);
  }
}

export class ServiceLookup {
  readonly #targets: readonly Target[];
  #missing: number;

  /**
   * Ends `lookup` when all names are known. `valid`: until when the SRV records hold; `failedValid` gives the moment
   * until which it holds that none of the names has an address.
   */
  constructor(
    readonly lookup: Lookup,
    services: readonly DnsAnswer[],
    private valid: number,
    private readonly failedValid: () => number,
  ) {
    this.#targets = services.map((service) => new Target(service, this));
    this.#missing = this.#targets.length;
  }

  start(begin: BeginLookup): void {
    const { lookup } = this;
    const parts: Lookup[] = [];
    lookup.parts = parts;
    for (const target of this.#targets) {
      if (lookup.over) return;
      parts.push(begin(target.service.value, lookup.timeout, target));
    }
  }

  onTarget(valid: number): void {
    this.valid = Math.min(this.valid, valid);
    if (--this.#missing === 0) this.#report();
  }

  #report(): void {
    const { lookup } = this;
    const targets = this.#targets;
    for (const { code, service } of targets) if (code !== 0) lookup.lost.push({ name: service.value, code });
    const addresses = inTurns(targets);
    if (addresses.length > 0) {
      lookup.end(0, addresses, this.valid);
      return;
    }
    const none = targets.some(({ code }) => code === NO_SUCH_NAME);
    lookup.end(none ? NO_SUCH_NAME : (targets[0]?.code ?? NO_SUCH_NAME), [], this.failedValid());
  }
}

/** Priority by priority; which record of a priority comes first is drawn by their weights. */
const inTurns = (targets: readonly Target[]): readonly Resolved[] => {
  const ordered: Resolved[] = [];
  for (let from = 0; from < targets.length; ) {
    const priority = targets[from]?.service.priority;
    let to = from;
    while (targets[to]?.service.priority === priority && to < targets.length) to++;
    const group = targets.slice(from, to);
    from = to;
    const total = group.reduce((sum, { weight }) => sum + weight, 0);
    if (total === 0) continue;
    let draw = randomInt(total);
    let first = 0;
    for (let weight = group[0]?.weight ?? 0; draw >= weight; weight = group[first]?.weight ?? 0) {
      draw -= weight;
      first++;
    }
    for (let i = 0; i < group.length; i++) {
      ordered.push(...(group[(first + i) % group.length]?.addresses ?? []));
    }
  }
  return ordered;
};
