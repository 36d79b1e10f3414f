/** `rewrite`, `set`, `return`, `break` and `if`: statements that run in the order of the file (ngx_http_rewrite). */
import { parseCondition } from '../../config/condition.ts';
import { type Args, block, type Context, directive, type Scope, statement } from '../../config/contract.ts';
import { parseNumber } from '../../config/numbers.ts';
import { flag, wordAt } from '../../config/parsers.ts';
import { ALERT, WARN } from '../../log/levels.ts';
import { HTTP } from '../build.ts';
import { enterLocation } from '../enter-location.ts';
import { Location } from '../location.ts';
import { type Handler, httpModule, type Place } from '../module.ts';
import { logRequest } from '../request-log.ts';
import { DECLINED } from '../verdict.ts';
import {
  breakStep,
  compileTest,
  internalRewrite,
  NEXT,
  redirect,
  runSteps,
  SCRIPT,
  type Script,
  type Step,
  scriptOf,
} from './rewrite-script.ts';
import { replacement, scriptValue } from './script-value.ts';
import { sendText } from './send-text.ts';

const ANYWHERE: readonly Context[] = ['server', 'location', 'if-in-server', 'if-in-location'];
const CONFS: readonly Context[] = ['http', ...ANYWHERE];
/** Addresses that a client is sent to, rather than paths of ours. */
const ELSEWHERE = /^(?:https?:\/\/|\$scheme)/;

const addStep = (args: Args, step: Step): void => {
  scriptOf(args.scope).steps.push(step);
};

const rewriteStatement = (args: Args): void => {
  const build = args.scope.need(HTTP);
  const { level } = scriptOf(args.scope);
  const [pattern, target] = [wordAt(args, 0), wordAt(args, 1)];
  if (target.text === '') args.fail('empty replacement', target);
  const regex = build.regex(pattern.text, false, args.place);
  const addArgs = !target.text.endsWith('?');
  const source = addArgs ? target.text : target.text.slice(0, -1);
  let status = ELSEWHERE.test(source) ? 302 : 0;
  let last = status !== 0;
  let breaks = false;
  const how = args.words[2];
  if (how) {
    last = true;
    if (how.text === 'redirect') status = 302;
    else if (how.text === 'permanent') status = 301;
    else if (how.text === 'break') breaks = true;
    else if (how.text !== 'last') args.fail(`invalid parameter "${how.text}"`, how);
  }
  const rewrite = { regex, addArgs, last, breaks };
  if (status === 0) addStep(args, internalRewrite(rewrite, replacement(source, build, args.place), level));
  else {
    const hasArgs = source.includes('?');
    addStep(args, redirect(rewrite, scriptValue(source, build, args.place), hasArgs, status, level));
  }
};

const setStatement = (args: Args): void => {
  const { variables } = args.scope.need(HTTP);
  const [name, value] = [wordAt(args, 0), wordAt(args, 1)];
  if (name.text.length < 2 || !name.text.startsWith('$'))
    args.fail(`invalid variable name "${name.text}"`, name);
  const bare = name.text.slice(1);
  const ref = variables.settable(bare, args.place, uninitialized);
  const set = variables.lookup(bare)?.set;
  const text = scriptValue(value.text, args.scope.need(HTTP), args.place);
  if (set) {
    addStep(args, (request, quote) => {
      set(request, text(request, quote));
      return NEXT;
    });
    return;
  }
  const { slot } = ref;
  addStep(args, (request, quote) => {
    request.values[slot] = text(request, quote);
    return NEXT;
  });
};

const returnStatement = (args: Args): void => {
  const first = wordAt(args, 0);
  const code = parseNumber(first.text);
  const address = code === undefined;
  if (address ? args.words.length !== 1 || !ELSEWHERE.test(first.text) : code > 999) {
    args.fail(`invalid return code "${first.text}"`, first);
  }
  const status = code ?? 302;
  const source = address ? first.text : (args.texts[1] ?? '');
  if (status >= 400 && source === '') {
    addStep(args, () => status);
    return;
  }
  addStep(args, sendText(status, args.scope.need(HTTP).template(source, args.place)));
};

/** Opens an `if`: its condition is compiled, and its statements go to a list of their own. */
const beginIf = (args: Args, inner: Scope): void => {
  const build = args.scope.need(HTTP);
  const outer = scriptOf(args.scope);
  const test = compileTest(parseCondition(args.words), build, outer.level, args.place);
  const script: Script = { scope: inner, steps: [], level: outer.level };
  inner.carry(SCRIPT, script);
  const { steps } = script;
  if (args.scope.context === 'server') {
    outer.steps.push((request, quote) => (test(request, quote) ? runSteps(steps, request, quote) : NEXT));
    return;
  }
  const name = build.locations.get(args.scope)?.name ?? '';
  const location = new Location('if', name, false, undefined, false);
  build.locations.set(inner, location);
  outer.steps.push((request, quote) => {
    if (!test(request, quote)) return NEXT;
    const { content } = request.location;
    enterLocation(request, location);
    const verdict = runSteps(steps, request, quote);
    if (verdict !== NEXT || !content || request.location.content) return verdict;
    // The `proxy_pass` of an `if` before this one still has the request, but not what it needs: nginx fails too.
    logRequest(request, ALERT, 'no upstream configuration');
    return 500;
  });
};

/** The handler of a level: undefined where it has no statements. */
const levelHandler = (log: boolean, { location, scope }: Place): Handler | undefined => {
  if (location.kind === 'if' || location.kind === 'limit_except') return undefined;
  const script = scope.find(SCRIPT);
  if (script?.scope !== scope) return undefined;
  script.level.log = log;
  const { steps } = script;
  return (request) => {
    const verdict = runSteps(steps, request, true);
    return verdict < -99 ? DECLINED : verdict;
  };
};

export const rewriteModule = httpModule({
  name: 'http_rewrite',
  directives: {
    rewrite: statement({ in: ANYWHERE, arity: [2, 3], repeats: true, run: rewriteStatement }),
    set: statement({ in: ANYWHERE, arity: 2, repeats: true, run: setStatement }),
    return: statement({ in: ANYWHERE, arity: [1, 2], repeats: true, run: returnStatement }),
    break: statement({
      in: ANYWHERE,
      arity: 'none',
      repeats: true,
      run: (args) => addStep(args, breakStep),
    }),
    if_in_server: block({
      in: ['server'],
      names: ['if'],
      arity: { min: 1, max: Number.POSITIVE_INFINITY },
      repeats: true,
      child: 'if-in-server',
      begin: beginIf,
    }),
    if_in_location: block({
      in: ['location'],
      names: ['if'],
      arity: { min: 1, max: Number.POSITIVE_INFINITY },
      repeats: true,
      child: 'if-in-location',
      begin: beginIf,
    }),
    rewrite_log: directive(flag, { in: CONFS, initial: false }),
    uninitialized_variable_warn: directive(flag, { in: CONFS, initial: true }),
  },
  phases: {
    'server-rewrite': (conf, place) => levelHandler(conf.rewrite_log, place),
    rewrite: (conf, place) =>
      place.location.kind === 'server' ? undefined : levelHandler(conf.rewrite_log, place),
  },
});

/** What a variable gives that only `set` defines, where no `set` has run. */
const uninitialized = {
  get: (request: Parameters<Handler>[0], name: string): string => {
    if (request.location.confOf(rewriteModule).uninitialized_variable_warn) {
      logRequest(request, WARN, `using uninitialized "${name}" variable`);
    }
    return '';
  },
};
