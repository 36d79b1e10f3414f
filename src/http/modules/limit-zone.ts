/** Zones of limit_req and limit_conn: records by key in memory that all workers share. */
import { type Args, key, type Scope, type Word } from '../../config/contract.ts';
import { parseSize } from '../../config/numbers.ts';
import { RecordTable } from '../../zone/record-table.ts';
import { type Zone, zonesOf } from '../../zone/zones.ts';
import { HTTP, type HttpBuild } from '../build.ts';
import type { Template } from '../template.ts';

/** Eight pages: less has no room for nginx's own bookkeeping. */
const LEAST = 32768;
const MAX_KEY = 65535;

/** One zone; its key and rate are there once it has been declared, its table once the worker has prepared. */
export class LimitZone {
  key: Template | undefined = undefined;
  /** Requests a thousand seconds, for limit_req. */
  rate = 0;
  table: RecordTable | undefined = undefined;
  constructor(readonly zone: Zone) {}
}

/** The zones of one directive. */
export type LimitZones = Map<string, LimitZone>;
const ZONES = key<Map<string, LimitZones>>('limit zones');

const zonesFor = (scope: Scope, use: string): LimitZones => {
  const build = scope.need(HTTP);
  let uses = build.scope.find(ZONES);
  if (!uses) build.scope.carry(ZONES, (uses = new Map()));
  let zones = uses.get(use);
  if (!zones) uses.set(use, (zones = new Map()));
  return zones;
};

/** The zone by that name, which may be declared further down. */
export const referToZone = (args: Args, use: string, name: string): LimitZone => {
  const zones = zonesFor(args.scope, use);
  let zone = zones.get(name);
  if (!zone) {
    zone = new LimitZone(zonesOf(args.scope).declare(name, 0, use, (reason) => args.fail(reason)));
    zones.set(name, zone);
  }
  return zone;
};

/** Declares what `zone=NAME:SIZE` says, counted by `template`. Throws in nginx's words. */
export const declareZone = (args: Args, use: string, word: Word, template: Template): LimitZone => {
  const text = word.text.slice('zone='.length);
  const colon = text.indexOf(':');
  const bytes = colon < 0 ? undefined : parseSize(text.slice(colon + 1));
  if (bytes === undefined) return args.fail(`invalid zone size "${word.text}"`, word);
  const name = text.slice(0, colon);
  if (name === '') args.fail(`"${args.name}" must have "zone" parameter`);
  if (bytes < LEAST) args.fail(`zone "${word.text}" is too small`, word);
  const zones = zonesFor(args.scope, use);
  const bound = zones.get(name)?.key;
  if (bound) args.fail(`${args.name} "${name}" is already bound to key "${bound.source}"`);
  const options = {
    identity: template.source,
    changed: (before: string): string =>
      `${use} "${name}" uses the "${template.source}" key while previously it used the "${before}" key`,
  };
  const shared = zonesOf(args.scope).declare(name, bytes, use, (reason) => args.fail(reason), options);
  const zone = zones.get(name) ?? new LimitZone(shared);
  zone.key = template;
  zones.set(name, zone);
  return zone;
};

/** In a worker: the memory is there. `fields`: doubles of each record. */
export const openZones = (build: HttpBuild, use: string, fields: number): void => {
  for (const zone of zonesFor(build.scope, use).values())
    zone.table = new RecordTable(zone.zone.memory, fields);
};

/** Whether the key can be counted; one that is empty is not, one too long is an error. */
export const isTooLong = (text: string): boolean => text.length > MAX_KEY;

/** Milliseconds on a clock that all processes of the machine share and that never goes back. */
export const sharedNow = (): number => {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + Math.floor(nanoseconds / 1e6);
};
