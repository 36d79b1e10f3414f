/** `limit_req`: requests of a key at a rate, delayed or refused beyond it (ngx_http_limit_req). */
import {
  type Args,
  type Context,
  directive,
  type Parser,
  statement,
  type Word,
} from '../../config/contract.ts';
import { parseNumber } from '../../config/numbers.ts';
import { enumOf, flag, num } from '../../config/parsers.ts';
import { ALERT, ERROR, LEVELS } from '../../log/levels.ts';
import { type LimitZone, LimitZones } from '../../values/limit-zone.ts';
import { HTTP } from '../build.ts';
import { type Handler, httpModule } from '../module.ts';
import { templateAt } from '../parsers.ts';
import { Pause } from '../pause.ts';
import { resume } from '../phases.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { AGAIN, DECLINED } from '../verdict.ts';
import { account, BUSY, FIELDS, FULL, found, LATER, lookUp } from './limit-req-count.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];
const MAX_KEY = 65535;

const zones = new LimitZones<Request>('limit_req', 'limit_req', (scope) => scope.need(HTTP).scope);

interface Limit {
  readonly zone: LimitZone<Request>;
  /** Requests in excess that wait, and of these the first that do not; both in thousandths. */
  readonly burst: number;
  readonly delay: number;
}

/** What became of a request, for $limit_req_status; kept through internal redirects. */
const statuses = new WeakMap<Request, string>();

const declare = (args: Args): void => {
  const template = templateAt(args, 0);
  let zoneWord: Word | undefined;
  let [rate, scale] = [1, 1];
  for (const word of args.words.slice(1)) {
    const { text } = word;
    if (text.startsWith('zone=')) zoneWord = word;
    else if (text.startsWith('rate=')) {
      const match = /^rate=(.*?)(r\/s|r\/m)?$/s.exec(text);
      scale = match?.[2] === 'r/m' ? 60 : 1;
      rate = parseNumber(match?.[1] ?? '') || args.fail(`invalid rate "${text}"`, word);
    } else args.fail(`invalid parameter "${text}"`, word);
  }
  const zone = zoneWord ?? args.fail(`"${args.name}" must have "zone" parameter`);
  zones.declare(args, zone, template).rate = Math.floor((rate * 1000) / scale);
};

const limits: Parser<readonly Limit[]> = {
  arity: [1, 2, 3],
  repeats: true,
  parse(args, own = []) {
    let zone: LimitZone<Request> | undefined;
    let [burst, delay] = [0, 0];
    for (const word of args.words) {
      const { text } = word;
      if (text.startsWith('zone=')) zone = zones.refer(args, text.slice(5));
      else if (text.startsWith('burst=')) {
        burst = parseNumber(text.slice(6)) || args.fail(`invalid burst value "${text}"`, word);
      } else if (text.startsWith('delay=')) {
        delay = parseNumber(text.slice(6)) || args.fail(`invalid delay value "${text}"`, word);
      } else if (text === 'nodelay') delay = Number.POSITIVE_INFINITY;
      else args.fail(`invalid parameter "${text}"`, word);
    }
    if (!zone) return args.fail(`"${args.name}" must have "zone" parameter`);
    if (own.some((limit) => limit.zone === zone)) args.failDirective('is duplicate');
    return [...own, { zone, burst: burst * 1000, delay: delay * 1000 }];
  },
};

interface Behaviour {
  readonly limits: readonly Limit[];
  readonly dryRun: boolean;
  /** Levels of the log for refused and for delayed requests. */
  readonly level: number;
  readonly delayLevel: number;
  readonly status: number;
}

const thousandths = (excess: number): string =>
  `${Math.floor(excess / 1000)}.${String(excess % 1000).padStart(3, '0')}`;

/** The keys that were held in the zones before the one that decided. */
type Held = { readonly limit: Limit; readonly text: string }[];

const letGo = (held: Held): void => {
  for (const { limit, text } of held)
    if (limit.zone.table) account(limit.zone, limit.zone.table, text, false);
};

const handler = ({ limits: list, dryRun, level, delayLevel, status }: Behaviour): Handler => {
  const dry = dryRun ? ', dry run' : '';

  const refuse = (request: Request, held: Held, limit: Limit, why: number): number => {
    if (why === BUSY) {
      const excess = thousandths(found.excess);
      logRequest(
        request,
        level,
        `limiting requests${dry}, excess: ${excess} by zone "${limit.zone.zone.name}"`,
      );
    } else {
      logRequest(request, ALERT, `could not allocate node in limit_req zone "${limit.zone.zone.name}"`);
    }
    letGo(held);
    statuses.set(request.main, dryRun ? 'REJECTED_DRY_RUN' : 'REJECTED');
    return dryRun ? DECLINED : status;
  };

  const pass = (request: Request, held: Held, counted: Limit | undefined): number => {
    let excess = counted ? found.excess : 0;
    let wait = counted && excess > counted.delay ? ((excess - counted.delay) * 1000) / counted.zone.rate : 0;
    let by = counted;
    for (const { limit, text } of held) {
      const own = limit.zone.table ? account(limit.zone, limit.zone.table, text, true) : 0;
      const ownWait = own > limit.delay ? ((own - limit.delay) * 1000) / limit.zone.rate : 0;
      if (ownWait > wait) [wait, excess, by] = [ownWait, own, limit];
    }
    const delay = Math.floor(wait);
    if (delay === 0) {
      statuses.set(request.main, 'PASSED');
      return DECLINED;
    }
    const zone = by?.zone.zone.name ?? '';
    logRequest(
      request,
      delayLevel,
      `delaying request${dry}, excess: ${thousandths(excess)}, by zone "${zone}"`,
    );
    statuses.set(request.main, dryRun ? 'DELAYED_DRY_RUN' : 'DELAYED');
    if (dryRun) return DECLINED;
    new Pause(request, delay, resume);
    return AGAIN;
  };

  return (request) => {
    if (statuses.has(request.main)) return DECLINED;
    const held: Held = [];
    for (let i = 0; i < list.length; i++) {
      const limit = list[i];
      const table = limit?.zone.table;
      if (!limit || !table) continue;
      const text = limit.zone.key?.text(request) ?? '';
      if (text === '') continue;
      if (text.length > MAX_KEY) {
        const source = limit.zone.key?.source ?? '';
        logRequest(request, ERROR, `the value of the "${source}" key is more than 65535 bytes: "${text}"`);
        continue;
      }
      table.lock();
      const outcome = lookUp(limit.zone, table, text, limit.burst, i === list.length - 1);
      table.unlock();
      if (outcome === BUSY || outcome === FULL) return refuse(request, held, limit, outcome);
      if (outcome !== LATER) return pass(request, held, limit);
      held.push({ limit, text });
    }
    return held.length === 0 ? DECLINED : pass(request, held, undefined);
  };
};

export const limitReqModule = httpModule({
  name: 'http_limit_req',
  directives: {
    limit_req_zone: statement({ in: ['http'], arity: 3, repeats: true, run: declare }),
    limit_req: directive<readonly Limit[]>(limits, { in: WHERE, initial: [] }),
    limit_req_dry_run: directive(flag, { in: WHERE, initial: false }),
    limit_req_log_level: directive(enumOf('info', 'notice', 'warn', 'error'), {
      in: WHERE,
      initial: 'error',
    }),
    limit_req_status: directive(num({ min: 400, max: 599 }), { in: WHERE, initial: 503 }),
  },
  variables: { limit_req_status: { get: (request) => statuses.get(request.main) } },
  prepare: (build) => zones.open(build.scope, FIELDS),
  phases: {
    preaccess(conf) {
      const level = LEVELS.indexOf(conf.limit_req_log_level);
      const { limit_req: list, limit_req_dry_run: dryRun, limit_req_status: status } = conf;
      if (list.length === 0) return undefined;
      return handler({ limits: list, dryRun, level, delayLevel: Math.min(level + 1, 7), status });
    },
  },
});
