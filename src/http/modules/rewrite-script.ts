/**
 * The statements of the rewrite module at one level, compiled to a list of steps that runs in the order of the
 * file; an `if` holds the list of its block.
 */
import type { Condition } from '../../config/condition.ts';
import { key, type Place, type Scope } from '../../config/contract.ts';
import { CRIT, DEBUG, ERROR as LOG_ERROR, NOTICE } from '../../log/levels.ts';
import type { HttpBuild, Regex } from '../build.ts';
import { OpenFailure } from '../open-file.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { DECLINED, type Verdict } from '../verdict.ts';
import { type Replacement, type ScriptValue, scriptValue } from './script-value.ts';

/** The next step follows; captures go on being escaped as before. */
export const NEXT = -100;
/** The next step follows; captures are no longer escaped, as a rewrite has matched. */
const NEXT_PLAIN = -101;

/** One step: NEXT or what the whole level answers. `quote`: captures in values are to be escaped. */
export type Step = (request: Request, quote: boolean) => Verdict;

/** The steps of a level, or of a block inside it; `level` is shared by all blocks of a level. */
export interface Script {
  readonly scope: Scope;
  readonly steps: Step[];
  readonly level: { log: boolean };
}
export const SCRIPT = key<Script>('a list of rewrite statements');

/** The script that statements in `scope` add to. */
export const scriptOf = (scope: Scope): Script => {
  const found = scope.find(SCRIPT);
  if (found?.scope === scope) return found;
  const script: Script = { scope, steps: [], level: { log: false } };
  scope.carry(SCRIPT, script);
  return script;
};

/** Runs steps until one answers. NEXT or NEXT_PLAIN when none does. */
export const runSteps = (steps: readonly Step[], request: Request, quote: boolean): Verdict => {
  let quoting = quote;
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i];
    if (!step) break;
    const verdict = step(request, quoting);
    if (verdict === NEXT) continue;
    if (verdict !== NEXT_PLAIN) return verdict;
    quoting = false;
  }
  return quoting ? NEXT : NEXT_PLAIN;
};

/** Whether matches are to be logged: `rewrite_log on`, or a log that takes everything. */
const logs = (level: Script['level'], request: Request): boolean =>
  level.log || request.location.errorLog.level >= DEBUG;

const matches = (regex: Regex, text: string, level: Script['level'], request: Request): boolean => {
  const found = regex.match(request, text);
  if (!found) request.captures = undefined;
  if (logs(level, request)) {
    logRequest(request, NOTICE, `"${regex.source}" ${found ? 'matches' : 'does not match'} "${text}"`);
  }
  return found;
};

/** What a `rewrite` statement says. */
export interface Rewrite {
  readonly regex: Regex;
  /** The request's own arguments are appended. */
  readonly addArgs: boolean;
  /** No later statement of the level is run. */
  readonly last: boolean;
  /** Locations are not searched again. */
  readonly breaks: boolean;
}

/** `rewrite` within the server: the path and arguments are replaced. */
export const internalRewrite =
  ({ regex, addArgs, last, breaks }: Rewrite, { path, args }: Replacement, level: Script['level']): Step =>
  (request) => {
    if (!matches(regex, request.uri, level, request)) return NEXT;
    request.internal = true;
    request.validTarget = false;
    if (breaks) request.validLocation = false;
    request.uriChanged = !breaks;
    const uri = path(request, false);
    if (args) {
      const own = addArgs ? request.args : '';
      const given = args(request, true);
      request.args = own === '' ? given : `${given}&${own}`;
    } else if (!addArgs) {
      request.args = '';
    }
    if (logs(level, request)) {
      logRequest(request, NOTICE, `rewritten data: "${uri}", args: "${request.args}"`);
    }
    request.uri = uri;
    if (uri === '') {
      logRequest(request, LOG_ERROR, 'the rewritten URI has a zero length');
      return 500;
    }
    return last ? DECLINED : NEXT_PLAIN;
  };

const hexDigit = /^[0-9A-Fa-f]$/;

/** Decodes what a Location header may show plainly, up to the arguments. nginx's NGX_UNESCAPE_REDIRECT. */
const unescapeRedirect = (text: string): string => {
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i);
    if (c === '?') return out + text.slice(i);
    if (c !== '%') {
      out += c;
      continue;
    }
    const [high, low] = [text.charAt(i + 1), text.charAt(i + 2)];
    if (!hexDigit.test(high)) {
      // A percent sign that escapes nothing is left out.
      i += 1;
      out += high;
      continue;
    }
    i += 2;
    if (!hexDigit.test(low)) continue;
    const code = Number.parseInt(high + low, 16);
    if (code === 0x3f) return `${out}?${text.slice(i + 1)}`;
    out += code > 0x25 && code < 0x7f ? String.fromCharCode(code) : `%${high}${low}`;
  }
  return out;
};

/** `rewrite` to another address: the client is redirected with `status`. */
export const redirect =
  (
    { regex, addArgs }: Rewrite,
    value: ScriptValue,
    hasArgs: boolean,
    status: number,
    level: Script['level'],
  ): Step =>
  (request) => {
    if (!matches(regex, request.uri, level, request)) return NEXT;
    request.internal = true;
    request.validTarget = false;
    let location = unescapeRedirect(value(request, true));
    if (addArgs && request.args !== '') location += (hasArgs ? '&' : '?') + request.args;
    if (logs(level, request)) logRequest(request, NOTICE, `rewritten redirect: "${location}"`);
    request.out.redirectTo(location);
    return status;
  };

/** `break`: nothing more of the level is run, and locations are not searched again. */
export const breakStep: Step = (request) => {
  if (request.uriChanged) {
    request.validLocation = false;
    request.uriChanged = false;
  }
  return DECLINED;
};

/** A test of a condition: whether it holds. */
export type Test = (request: Request, quote: boolean) => boolean;

const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG']);

const testFile = (request: Request, test: 'f' | 'd' | 'e' | 'x', path: string): boolean => {
  const found = request.location.core.opener.test(request, path);
  if (found instanceof OpenFailure) {
    if (!ABSENT.has(found.code)) logRequest(request, CRIT, `${found.call} "${path}" failed (${found.text})`);
    return false;
  }
  if (test === 'f') return found.isFile();
  if (test === 'd') return found.isDirectory();
  return test === 'e' || (found.mode & 0o100) !== 0;
};

/** Compiles a condition of `if`. Throws a Reason or ConfError in nginx's words. */
export const compileTest = (
  condition: Condition,
  build: HttpBuild,
  level: Script['level'],
  place: Place,
): Test => {
  if (condition.kind === 'file') {
    const { negated, test } = condition;
    const path = scriptValue(condition.path, build, place);
    return (request, quote) => testFile(request, test, path(request, quote)) !== negated;
  }
  const ref = build.variables.use(condition.name, place);
  if (condition.kind === 'variable') {
    return (request) => {
      const value = ref.get(request);
      return value !== undefined && value !== '' && value !== '0';
    };
  }
  const { negated } = condition;
  if (condition.kind === 'equal') {
    const expected = scriptValue(condition.value, build, place);
    return (request, quote) => ((ref.get(request) ?? '') === expected(request, quote)) !== negated;
  }
  const regex = build.regex(condition.pattern, condition.caseless, place);
  return (request) => matches(regex, ref.get(request) ?? '', level, request) !== negated;
};
