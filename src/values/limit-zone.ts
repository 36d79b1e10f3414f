/** Zones of limits (`limit_req`, `limit_conn`): records by key in memory that all workers share. */
import { type Args, key, type Scope, type Word } from '../config/contract.ts';
import { parseSize } from '../config/numbers.ts';
import { RecordTable } from '../zone/record-table.ts';
import { type Zone, zonesOf } from '../zone/zones.ts';
import type { Template } from './template.ts';
import type { Subject } from './variables.ts';

/** Eight pages: less has no room for nginx's own bookkeeping. */
const LEAST = 32768;

/** One zone; its key and rate are there once it has been declared, its table once the worker has prepared. */
export class LimitZone<R extends Subject> {
  key: Template<R> | undefined = undefined;
  /** Requests a thousand seconds, for limit_req. */
  rate = 0;
  table: RecordTable | undefined = undefined;
  constructor(readonly zone: Zone) {}
}

/** The zones of one directive of one protocol. */
export class LimitZones<R extends Subject> {
  readonly #byName = key<Map<string, LimitZone<R>>>('limit zones');

  constructor(
    /** Zones of another use are never the same zone. */
    readonly use: string,
    /** The directive, as it is named when the key of a zone has changed. */
    readonly directive: string,
    /** The scope of the protocol's block around a statement. */
    readonly blockOf: (scope: Scope) => Scope,
  ) {}

  #zonesOf(block: Scope): Map<string, LimitZone<R>> {
    let zones = block.find(this.#byName);
    if (!zones) block.carry(this.#byName, (zones = new Map()));
    return zones;
  }

  /** The zone by that name, which may be declared further down. */
  refer(args: Args, name: string): LimitZone<R> {
    const zones = this.#zonesOf(this.blockOf(args.scope));
    let zone = zones.get(name);
    if (!zone) {
      zone = new LimitZone<R>(zonesOf(args.scope).declare(name, 0, this.use, (reason) => args.fail(reason)));
      zones.set(name, zone);
    }
    return zone;
  }

  /** Declares what `zone=NAME:SIZE` says, counted by `template`. Throws in nginx's words. */
  declare(args: Args, word: Word, template: Template<R>): LimitZone<R> {
    const text = word.text.slice('zone='.length);
    const colon = text.indexOf(':');
    const bytes = colon < 0 ? undefined : parseSize(text.slice(colon + 1));
    if (bytes === undefined) return args.fail(`invalid zone size "${word.text}"`, word);
    const name = text.slice(0, colon);
    if (name === '') args.fail(`"${args.name}" must have "zone" parameter`);
    if (bytes < LEAST) args.fail(`zone "${word.text}" is too small`, word);
    const zones = this.#zonesOf(this.blockOf(args.scope));
    const { use, directive } = this;
    const options = {
      identity: template.source,
      changed: (before: string): string =>
        `${directive} "${name}" uses the "${template.source}" key while previously it used the "${before}" key`,
    };
    const shared = zonesOf(args.scope).declare(name, bytes, use, (reason) => args.fail(reason), options);
    const bound = zones.get(name)?.key;
    if (bound) args.fail(`${args.name} "${name}" is already bound to key "${bound.source}"`);
    const zone = zones.get(name) ?? new LimitZone<R>(shared);
    zone.key = template;
    zones.set(name, zone);
    return zone;
  }

  /** In a worker: the memory is there. `fields`: doubles of each record. */
  open(block: Scope, fields: number): void {
    for (const zone of this.#zonesOf(block).values()) zone.table = new RecordTable(zone.zone.memory, fields);
  }
}
