/** `limit_conn`: how many of those who ask with the same key are served at the same time. */
import {
  type Args,
  type Context,
  directive,
  type Parser,
  type Scope,
  statement,
} from '../config/contract.ts';
import { parseNumber } from '../config/numbers.ts';
import { enumOf, flag, wordAt } from '../config/parsers.ts';
import { ERROR, LEVELS } from '../log/levels.ts';
import type { RecordTable } from '../zone/record-table.ts';
import { type LimitZone, LimitZones } from './limit-zone.ts';
import type { Values } from './values.ts';
import type { Subject } from './variables.ts';

const DIRECTIVE = 'limit_conn_zone';
const CONNECTIONS = 0;
const MAX_KEY = 255;

interface Limit<R extends Subject> {
  readonly zone: LimitZone<R>;
  readonly most: number;
}

/** What became of one who asked, for `$limit_conn_status`. */
export type LimitStatus = 'PASSED' | 'REJECTED' | 'REJECTED_DRY_RUN';

/** What the limits need of the protocol. */
export interface Limited<R> {
  log(request: R, level: number, message: string): void;
  became(request: R, status: LimitStatus): void;
  atEnd(request: R, done: () => void): void;
}

/** Counts one more of a key. False when there are as many as may be, or no memory is left. */
const take = (table: RecordTable, text: string, most: number): boolean => {
  table.lock();
  const present = table.find(text);
  const record = present === 0 ? table.insert(text) : present;
  const count = record === 0 ? most : table.get(record, CONNECTIONS);
  if (count < most) table.set(record, CONNECTIONS, count + 1);
  table.unlock();
  return count < most;
};

const release = (table: RecordTable, text: string): void => {
  table.lock();
  const record = table.find(text);
  if (record !== 0) {
    const count = table.get(record, CONNECTIONS) - 1;
    if (count > 0) table.set(record, CONNECTIONS, count);
    else table.remove(record);
  }
  table.unlock();
};

/** What a server or location has written. */
interface Written<R extends Subject> {
  readonly limit_conn: readonly Limit<R>[];
  readonly limit_conn_dry_run: boolean;
  readonly limit_conn_log_level: 'info' | 'notice' | 'warn' | 'error';
}

/** Counts one who asks in all zones; answers whether to refuse. Undefined where there is nothing to count. */
export const connLimiter = <R extends Subject>(
  { limit_conn: list, limit_conn_dry_run: dryRun, limit_conn_log_level: name }: Written<R>,
  { log, became, atEnd }: Limited<R>,
): ((request: R) => boolean) | undefined => {
  if (list.length === 0) return undefined;
  const level = LEVELS.indexOf(name);
  return (request) => {
    const taken: { readonly table: RecordTable; readonly text: string }[] = [];
    const releaseAll = (): void => {
      for (const { table, text } of taken) release(table, text);
    };
    for (const { zone, most } of list) {
      const text = zone.key?.text(request) ?? '';
      const { table } = zone;
      if (text === '' || !table) continue;
      if (text.length > MAX_KEY) {
        const source = zone.key?.source ?? '';
        log(request, ERROR, `the value of the "${source}" key is more than 255 bytes: "${text}"`);
        continue;
      }
      became(request, 'PASSED');
      if (take(table, text, most)) {
        taken.push({ table, text });
        continue;
      }
      log(request, level, `limiting connections${dryRun ? ', dry run,' : ''} by zone "${zone.zone.name}"`);
      releaseAll();
      became(request, dryRun ? 'REJECTED_DRY_RUN' : 'REJECTED');
      return !dryRun;
    }
    if (taken.length > 0) atEnd(request, releaseAll);
    return false;
  };
};

/** The rows of a protocol's module. `use` keeps its zones apart from those of other protocols. */
export const limitConnRows = <R extends Subject>(
  use: string,
  main: Context,
  within: readonly Context[],
  valuesOf: (scope: Scope) => Values<R> & { readonly scope: Scope },
) => {
  const zones = new LimitZones<R>(use, DIRECTIVE, (scope) => valuesOf(scope).scope);
  const where = [main, ...within];

  const declare = (args: Args): void => {
    const template = valuesOf(args.scope).template(wordAt(args, 0).text, args.place);
    const word = wordAt(args, 1);
    if (!word.text.startsWith('zone=')) args.fail(`invalid parameter "${word.text}"`, word);
    zones.declare(args, word, template);
  };

  const limits: Parser<readonly Limit<R>[]> = {
    arity: 2,
    repeats: true,
    parse(args, own = []) {
      const zone = zones.refer(args, wordAt(args, 0).text);
      const word = wordAt(args, 1);
      if (own.some((limit) => limit.zone === zone)) args.failDirective('is duplicate');
      const most = parseNumber(word.text) || args.fail(`invalid number of connections "${word.text}"`, word);
      if (most > 65535) args.fail('connection limit must be less 65536', word);
      return [...own, { zone, most }];
    },
  };

  return {
    directives: {
      limit_conn_zone: statement({ in: [main], arity: 2, repeats: true, run: declare }),
      limit_conn: directive<readonly Limit<R>[]>(limits, { in: where, initial: [] }),
      limit_conn_dry_run: directive(flag, { in: where, initial: false }),
      limit_conn_log_level: directive(enumOf('info', 'notice', 'warn', 'error'), {
        in: where,
        initial: 'error',
      }),
    },
    /** In a worker: the memory is there. */
    prepare: ({ scope }: { readonly scope: Scope }): void => zones.open(scope, 1),
  };
};
