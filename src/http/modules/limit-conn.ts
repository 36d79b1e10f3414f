/** `limit_conn`: how many requests of a key are served at the same time (ngx_http_limit_conn). */
import { type Args, type Context, directive, type Parser, statement } from '../../config/contract.ts';
import { parseNumber } from '../../config/numbers.ts';
import { enumOf, flag, num, wordAt } from '../../config/parsers.ts';
import { ERROR, LEVELS } from '../../log/levels.ts';
import type { RecordTable } from '../../zone/record-table.ts';
import { type Handler, httpModule } from '../module.ts';
import { templateAt } from '../parsers.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { DECLINED } from '../verdict.ts';
import { declareZone, type LimitZone, openZones, referToZone } from './limit-zone.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];
const USE = 'limit_conn_zone';
const CONNECTIONS = 0;
const MAX_KEY = 255;

interface Limit {
  readonly zone: LimitZone;
  readonly most: number;
}

/** What became of a request, for $limit_conn_status; kept through internal redirects. */
const statuses = new WeakMap<Request, string>();

const declare = (args: Args): void => {
  const template = templateAt(args, 0);
  const word = wordAt(args, 1);
  if (!word.text.startsWith('zone=')) args.fail(`invalid parameter "${word.text}"`, word);
  declareZone(args, USE, word, template);
};

const limits: Parser<readonly Limit[]> = {
  arity: 2,
  repeats: true,
  parse(args, own = []) {
    const zone = referToZone(args, USE, wordAt(args, 0).text);
    const word = wordAt(args, 1);
    if (own.some((limit) => limit.zone === zone)) args.failDirective('is duplicate');
    const most = parseNumber(word.text) || args.fail(`invalid number of connections "${word.text}"`, word);
    if (most > 65535) args.fail('connection limit must be less 65536', word);
    return [...own, { zone, most }];
  },
};

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

interface Behaviour {
  readonly limits: readonly Limit[];
  readonly dryRun: boolean;
  readonly level: number;
  readonly status: number;
}

const handler =
  ({ limits: list, dryRun, level, status }: Behaviour): Handler =>
  (request) => {
    if (statuses.has(request.main)) return DECLINED;
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
        logRequest(request, ERROR, `the value of the "${source}" key is more than 255 bytes: "${text}"`);
        continue;
      }
      statuses.set(request.main, 'PASSED');
      if (take(table, text, most)) {
        taken.push({ table, text });
        continue;
      }
      logRequest(
        request,
        level,
        `limiting connections${dryRun ? ', dry run,' : ''} by zone "${zone.zone.name}"`,
      );
      releaseAll();
      statuses.set(request.main, dryRun ? 'REJECTED_DRY_RUN' : 'REJECTED');
      return dryRun ? DECLINED : status;
    }
    if (taken.length > 0) request.main.atEnd(releaseAll);
    return DECLINED;
  };

export const limitConnModule = httpModule({
  name: 'http_limit_conn',
  directives: {
    limit_conn_zone: statement({ in: ['http'], arity: 2, repeats: true, run: declare }),
    limit_conn: directive<readonly Limit[]>(limits, { in: WHERE, initial: [] }),
    limit_conn_dry_run: directive(flag, { in: WHERE, initial: false }),
    limit_conn_log_level: directive(enumOf('info', 'notice', 'warn', 'error'), {
      in: WHERE,
      initial: 'error',
    }),
    limit_conn_status: directive(num({ min: 400, max: 599 }), { in: WHERE, initial: 503 }),
  },
  variables: { limit_conn_status: { get: (request) => statuses.get(request.main) } },
  prepare: (build) => openZones(build, USE, 1),
  phases: {
    preaccess({
      limit_conn: list,
      limit_conn_dry_run: dryRun,
      limit_conn_log_level: name,
      limit_conn_status: status,
    }) {
      return list.length > 0
        ? handler({ limits: list, dryRun, level: LEVELS.indexOf(name), status })
        : undefined;
    },
  },
});
